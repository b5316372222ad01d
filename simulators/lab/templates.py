"""Text files with ``@NAME@`` places: Asterisk's configuration and SIPp's scenarios."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def render(path: Path, values: Mapping[str, object]) -> str:
    """Fill in a template; KeyError if it names a place that ``values`` does not fill."""
    return re.sub(r"@([A-Z_]+)@", lambda place: str(values[place[1]]), path.read_text("utf-8"))
