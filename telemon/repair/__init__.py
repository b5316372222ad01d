"""Repair: filling what telemon did not see from what Asterisk itself wrote of its calls."""
