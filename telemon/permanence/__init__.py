"""Whether somebody can be reached round the clock, and why not."""
