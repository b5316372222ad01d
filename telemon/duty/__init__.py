"""What the daemon does for permanence and crisis cell: the parts wired, and what somebody must know of."""
