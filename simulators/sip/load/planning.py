"""The plan of a load: one queue, as many phones as it takes, short rings and short talks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from simulators.plan import Answers, Behaviour, Plan, PlannedCall, RingsOn
from simulators.site import Line, Pattern, Site
from telemon.records import ServiceKind

if TYPE_CHECKING:
    from collections.abc import Sequence

SERVICE: Final = "load"
DDI: Final = "0102030400"
_ANSWERED_SHARE: Final = 0.9
_SHORT: Final = (0.2, 0.5)  # seconds of a ring, of a talk, and of the patience of those who leave
_PHONES_A_CALL: Final = 2  # and second: rings and talks last 0.7 s on average


class _Alike(Mapping[str, Behaviour]):
    """Every phone would do the same: a dict of them all, for each of thousands of calls, would be large."""

    def __init__(self, phones: Sequence[str], behaviour: Behaviour) -> None:
        self._phones = phones
        self._behaviour = behaviour

    def __getitem__(self, phone: str) -> Behaviour:
        return self._behaviour

    def __iter__(self) -> Iterator[str]:
        return iter(self._phones)

    def __len__(self) -> int:
        return len(self._phones)


def load_site(rate: float) -> Site:
    """Return a switchboard with phones enough for so many short calls a second."""
    phones = tuple(f"load{number}" for number in range(1, max(2, round(_PHONES_A_CALL * rate)) + 1))
    line = Line(
        service=SERVICE,
        kind=ServiceKind.SWITCHBOARD,
        ddi=DDI,
        pattern=Pattern.QUEUE,
        queues=(SERVICE,),
        phones=(phones,),
        queue_seconds=60.0,
    )
    return Site(name="load", lines=(line,), extensions={})


def load_plan(site: Site, *, rate: float, seconds: float, seed: int) -> Plan:
    """Return ``rate`` calls a second for so many seconds; nine in ten are answered, the others are abandoned."""
    draws = random.Random(f"{seed}/load")
    phones, count = site.operators, round(rate * seconds)
    return Plan(
        scenario=SERVICE,
        seed=seed,
        starts_at=0,
        calls=tuple(_call(number, (number + draws.random()) / rate, phones, draws) for number in range(count)),
    )


def _call(number: int, arrives_at: float, phones: Sequence[str], draws: random.Random) -> PlannedCall:
    is_answered = draws.random() < _ANSWERED_SHARE
    waits, talks = draws.uniform(*_SHORT), draws.uniform(*_SHORT)
    return PlannedCall(
        name=f"load{number:06d}",
        caller=f"06{draws.randrange(10**8):08d}",
        ddi=DDI,
        service=SERVICE,
        arrives_at=arrives_at,
        patience=30.0 if is_answered else waits,
        talk=talks,
        phones=_Alike(phones, Answers(after=waits) if is_answered else RingsOn()),
    )
