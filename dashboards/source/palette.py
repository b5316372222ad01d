"""Every colour of the dashboards, by what it means; nothing else may name a colour.

They are of Okabe and Ito's eight ("Color Universal Design", 2008), which people with any of the common forms of
colour blindness can tell apart, and a grey. Good and bad are blue and vermillion, never green and red, and no panel
leaves it to the colour: a word, a sign or the number itself says the same.
"""

from typing import Final

GOOD: Final = "#0072B2"  # blue
BAD: Final = "#D55E00"  # vermillion
WARN: Final = "#F0E442"  # yellow
BUSY: Final = "#009E73"  # bluish green, never the opposite of BAD
UNKNOWN: Final = "#6E6E6E"  # grey: nothing can be said
FILLS: Final = frozenset({GOOD, BAD, WARN, BUSY, UNKNOWN})
"""Those on which text may stand: Grafana writes black on light and white on dark colours, and both can be read."""

NEUTRAL: Final = "#56B4E9"  # sky blue
SLOW: Final = "#E69F00"  # orange
EVENT: Final = "#CC79A7"  # reddish purple
LINES: Final = frozenset({NEUTRAL, SLOW, EVENT})
"""Those for lines, bars and marks only."""

PLAIN: Final = "text"
"""Grafana's name for the theme's own colour of text."""
NOTHING: Final = "transparent"
"""An empty cell of a table."""
