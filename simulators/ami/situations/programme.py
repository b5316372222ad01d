"""A row of situations, one call after the other, and the switchboard that they were recorded on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from simulators.ami.situations.situation import MEMBERS, Situation, load_situation, situation_names
from simulators.ami.switchboard import Switchboard
from simulators.ami.telling import Caller, Numbers
from simulators.site import Line, Pattern, Site
from telemon.instants import SECOND
from telemon.records import ServiceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulators.ami.tape import TapedEvent
    from simulators.truth import CallTruth
    from telemon.instants import Duration, Instant

ALL: Final = "all"
# From the last event of one call to the next call.
_PAUSE: Final[Duration] = 2 * SECOND
# Queues and their members as in tests/lab/capture/configuration/queues.conf; their phones answer to these names there.
_QUEUES: Final = {
    "standard": ("op1", "op2", "op3"),
    "turns": ("op1", "op2"),
    "line": ("op1", "op2"),
    "leaving": ("op1",),
    "one": ("op1",),
    "second": ("op3",),
    "screened": ("op2",),
    "locals": (),
    "locals-n": (),
    "nobody": (),
}
_PHONES: Final = ("op1", "op2", "op3", "svc1", "svc2", "gsm", "late")


CAPTURE_SITE: Final = Site(
    name="situations",
    lines=(
        Line(
            service="standard",
            kind=ServiceKind.SWITCHBOARD,
            ddi="_0XXX",
            pattern=Pattern.QUEUE,
            queues=tuple(_QUEUES),
            phones=tuple(_QUEUES.values()),
        ),
    ),
    extensions={},
)


def capture_switchboard(booted_at: float) -> Switchboard:
    """Return the switchboard on which the situations were recorded; ``booted_at`` in Unix seconds."""
    queues = {queue: {f"PJSIP/{phone}": MEMBERS[phone] for phone in phones} for queue, phones in _QUEUES.items()}
    return Switchboard(queues, phones=[f"PJSIP/{phone}" for phone in _PHONES], booted_at=booted_at)


class Programme:
    """Situations as they were recorded, one after the other, each by another caller.

    Iterate over it: ``(instant, event)`` in order. ``truths`` grows by one each time a call is over.
    """

    def __init__(
        self, situations: Sequence[Situation], *, starts_at: Instant, site: str = "", service: str = ""
    ) -> None:
        """Prepare the row.

        Args:
            situations: in their order; the same one may come several times.
            starts_at: the first caller dials within a second after this.
            site: for the truths' ``call_id``, as the ledger names calls of this site.
            service: for the truths: whose calls these are.
        """
        self.situations = tuple(situations)
        self.truths: list[CallTruth] = []
        self._site = site
        self._service = service
        self._starts_at = starts_at
        self._numbers = Numbers()

    @classmethod
    def of(
        cls, names: Sequence[str], *, starts_at: Instant, version: str = "22", site: str = "", service: str = ""
    ) -> Self:
        """Prepare situations by their names; ``all`` stands for every one.

        Raises:
            TelemonError: there is none of that name.
        """
        wanted = [known for name in names for known in (situation_names(version) if name == ALL else (name,))]
        return cls([load_situation(name, version) for name in wanted], starts_at=starts_at, site=site, service=service)

    @property
    def ddis(self) -> tuple[str, ...]:
        """Every number that is dialled, once."""
        return tuple(dict.fromkeys(situation.ddi for situation in self.situations))

    def __iter__(self) -> Iterator[tuple[Instant, TapedEvent]]:
        at = self._starts_at
        for nth, situation in enumerate(self.situations, 1):
            arrives_at = at + (situation.dialled_at - at) % SECOND
            caller = Caller(number=f"06220{nth:05}", ddi=situation.ddi, arrives_at=arrives_at)
            uniqueid = ""
            for now, event in situation.tell(caller, self._numbers):
                uniqueid = uniqueid or event.get("Uniqueid")
                at = now + _PAUSE
                yield now, event
            truth = situation.truth(caller)
            name, call_id = f"{situation.name}-{nth}", self._call_id(uniqueid)
            self.truths.append(replace(truth, name=name, service=self._service, call_id=call_id))

    def _call_id(self, uniqueid: str) -> str | None:
        return f"{self._site}:{uniqueid}" if self._site else None
