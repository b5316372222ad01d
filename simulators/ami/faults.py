"""What can go wrong between telemon and Asterisk, when it shall, and for how long."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from telemon.errors import TelemonError
from telemon.texts import text

# Kind: (whether it lasts, its value if none is given; None where it has none).
KINDS: Final[dict[str, tuple[bool, float | None]]] = {
    "cut": (False, None),
    "freeze": (True, None),
    "slow": (True, 2000.0),
    "lose": (True, 0.05),
    "restart": (True, None),
    "kill": (True, None),
    "step": (False, 3600.0),
}
_FAULT: Final = re.compile(
    r"(?P<kind>[a-z]+)@(?P<at>\d+(\.\d+)?)(\+(?P<lasts>\d+(\.\d+)?))?(=(?P<value>-?\d+(\.\d+)?))?"
)
_LASTS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, ``at`` seconds after the plan's beginning, for ``lasts`` seconds.

    Kinds: ``cut`` (every connection closed), ``freeze`` (nothing answered, connections open), ``slow`` (a link of
    ``value`` bytes a second), ``lose`` (this share of the events is never told), ``restart`` (Asterisk ends cleanly,
    and is back after ``lasts``), ``kill`` (it ends without a word), ``step`` (its clock is put forward by ``value``
    seconds, or back).
    """

    kind: str
    at: float
    lasts: float
    value: float


def parse_fault(given: str) -> Fault:
    """Read ``KIND@SECONDS[+DURATION][=VALUE]``: ``cut@60``, ``freeze@60+20``, ``lose@60+20=0.1``, ``step@60=-3600``.

    Raises:
        TelemonError: it is none.
    """
    found = _FAULT.fullmatch(given)
    if found is None or found["kind"] not in KINDS:
        raise TelemonError(text()("sim_ami.bad_fault", given=given, kinds=", ".join(KINDS)))
    kind = found["kind"]
    lasting, usual = KINDS[kind]
    if found["lasts"] and not lasting:
        raise TelemonError(text()("sim_ami.fault_duration", given=given, kind=kind))
    if found["value"] and usual is None:
        raise TelemonError(text()("sim_ami.fault_value", given=given, kind=kind))
    return Fault(
        kind=kind,
        at=float(found["at"]),
        lasts=float(found["lasts"] or _LASTS) if lasting else 0.0,
        value=float(found["value"] or usual or 0.0),
    )
