"""The crisis cell: its stages, what its line bears, and the report of what it did."""
