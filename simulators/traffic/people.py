"""What callers and operators would do, drawn when a call arrives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulators.plan import Answers, Behaviour, Hold, Rejects, RingsOn
from simulators.site import MOBILE
from telemon.records import EndedBy

if TYPE_CHECKING:
    import random

    from simulators.site import Line, Site
    from simulators.traffic.scenario import Callers, Habits, Scenario

# ARCEP, decision 2018-0881 and its successors: numbers that are never given to anybody, for fiction.
_FICTITIOUS: Final = ("019900", "063998")
_RINGS_ON: Final = RingsOn()
_LEAST_REACTION: Final = 0.8  # seconds: nobody picks up sooner
_REJECTS_AFTER: Final = (1.0, 4.0)
_LEAST_TALK: Final = 1.0
_LEAST_PART: Final = 0.8  # of a talk, before, during and after a hold: real phones need some time
_LONGEST_TALK: Final = 3600.0
_LEAST_RETRY: Final = 2.0


@dataclass(slots=True, kw_only=True)
class Intent:
    """What those who take part in one call mean to do; seconds, already squeezed where that applies.

    ``patience`` counts from dialling. ``phones`` names every phone that may ring. With ``transfer_after`` the operator
    hands the caller on after so much talk, to a phone that the switchboard chooses when it is time.
    """

    caller: str
    patience: float
    talk: float
    message: float
    ended_by: EndedBy
    phones: dict[str, Behaviour]
    transfer_after: float | None = None
    hold: Hold | None = None


def patience(callers: Callers, source: random.Random) -> float:
    """Draw for how long one caller waits."""
    if source.random() < callers.hasty_share:
        return source.weibullvariate(callers.hasty_seconds, callers.patience_shape)
    return source.weibullvariate(callers.patience_seconds, callers.patience_shape)


class People:
    """Draws intents, all from one source.

    ``squeeze`` divides talks, holds and the delay before another try; reactions and patience stay as they are.
    """

    def __init__(self, scenario: Scenario, site: Site, source: random.Random, squeeze: float) -> None:
        self._scenario = scenario
        self._source = source
        self._squeeze = squeeze
        operators = scenario.operators
        self._habits = {phone: operators.phones.get(phone, operators.usual) for phone in site.operators}
        self._services = tuple(dict.fromkeys(site.extensions.values()))
        self._habits |= {phone: operators.phones.get(phone, operators.extensions) for phone in self._services}
        self._reactions = {
            phone: (math.log(habits.reaction_seconds), habits.reaction_sigma) for phone, habits in self._habits.items()
        }

    def number(self) -> str:
        """Draw a caller's number that belongs to nobody."""
        return f"{self._source.choice(_FICTITIOUS)}{self._source.randrange(10_000):04d}"

    def intent(self, caller: str, line: Line) -> Intent:
        """Draw one call to this line."""
        talks, source = self._scenario.talks, self._source
        length = source.lognormvariate(math.log(talks.median_seconds), talks.sigma)
        talk = max(_LEAST_TALK, min(length, _LONGEST_TALK) / self._squeeze)
        message = source.lognormvariate(math.log(talks.message_seconds), talks.sigma) / self._squeeze
        intent = Intent(
            caller=caller,
            patience=round(patience(self._scenario.callers, source), 3),
            talk=round(talk, 3),
            message=round(max(_LEAST_TALK, message), 3),
            ended_by=EndedBy.SWITCHBOARD if source.random() < talks.operator_ends_share else EndedBy.CALLER,
            phones={phone: self._behaviour(phone, self._habits[phone]) for phone in line.operators},
        )
        self._add_what_follows(intent)
        return intent

    def retry_after(self) -> float | None:
        """Draw whether one who was lost calls again, and how much later."""
        callers = self._scenario.callers
        if self._source.random() >= callers.retry_share:
            return None
        return max(_LEAST_RETRY, self._source.expovariate(1 / callers.retry_seconds) / self._squeeze)

    def _behaviour(self, phone: str, habits: Habits) -> Behaviour:
        source = self._source
        lot = source.random() - habits.absent_share
        if lot < 0:
            return _RINGS_ON
        if lot < habits.reject_share:
            return Rejects(after=round(source.uniform(*_REJECTS_AFTER), 3))
        after = round(max(_LEAST_REACTION, source.lognormvariate(*self._reactions[phone])), 3)
        accepts = source.random() < habits.accept_share if phone == MOBILE else None
        return Answers(after=after, accepts=accepts)

    def _add_what_follows(self, intent: Intent) -> None:
        talks, source = self._scenario.talks, self._source
        lot = source.random() - talks.transfer_share
        part = round(max(_LEAST_PART, intent.talk * source.uniform(0.2, 0.5)), 3)
        if lot < 0 and self._services:
            intent.transfer_after = part
            intent.ended_by = EndedBy.CALLER
            intent.phones |= {phone: self._behaviour(phone, self._habits[phone]) for phone in self._services}
        elif 0 <= lot < talks.hold_share:
            lasts = round(max(_LEAST_PART, intent.talk * source.uniform(0.2, 0.4)), 3)
            intent.hold = Hold(after=part, lasts=lasts)
            intent.talk = round(max(intent.talk, part + lasts + _LEAST_PART), 3)
