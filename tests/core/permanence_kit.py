"""A permanence on a stage: what its PBX says, second by second, and the intervals that come of it."""

from dataclasses import replace

from telemon.ami import events as ami
from telemon.duty_records import Officer, Probe, ProbeResult
from telemon.instants import SECOND
from telemon.operators import Board
from telemon.permanence.cover import Permanence
from telemon.permanence.reachability import PermanenceRules
from telemon.records import Outcome, ServiceKind
from telemon.services import Service
from tests.ledger.kit import RICH

START = 1_795_000_000 * SECOND
OWN = Service(name="permanence", kind=ServiceKind.PERMANENCE, queues=("permanence",), trunks=("PJSIP/operator",))
DAY = Service(name="standard", queues=("standard",))
LIMIT, RANG_OUT = 30, 60  # seconds
OFFICERS = (
    Officer(id="cdurand", name="Camille Durand", phones=("PJSIP/cdurand",), mobile="0690000001"),
    Officer(id="amartin", name="Alix Martin", phones=("PJSIP/amartin",)),
)


def at(second):
    return START + round(second * SECOND)


class Turns:
    """Hours or shifts that change at given seconds: ``values[n]`` holds from the n-th second on."""

    def __init__(self, seconds, values, before):
        self.turns = [at(second) for second in seconds]
        self.values = [before, *values]

    def value(self, instant):
        return self.values[sum(turn <= instant for turn in self.turns)]

    is_open = value
    __call__ = value

    def next_change(self, instant):
        return next((turn for turn in self.turns if turn > instant), None)


def open_in(turns, **more):
    """A switchboard that answers for the permanence while it is open."""
    return replace(DAY, hours=turns, **more)


def rules(day=(), **more):
    common = {"in_call_limit": LIMIT * SECOND, "rang_out_limit": RANG_OUT * SECOND}
    return PermanenceRules(service=OWN, day_services=tuple(day), **common | more)


def member(second, interface="PJSIP/duty", *, status=1, paused=0, queue="permanence"):
    return ami.MemberState(at(second), queue, interface, "1" if status == 2 else "0", status, str(paused))


def device(second, name, state):
    return ami.DeviceState(at(second), name, state)


def call(alerting, ended, *, answered=None, service="permanence", outcome=None, is_probe=False):
    return replace(
        RICH, service=service, arrived_at=at(alerting), alerting_at=at(alerting), ended_at=at(ended),
        answered_at=None if answered is None else at(answered), is_probe=is_probe,
        outcome=outcome or (Outcome.UNANSWERED if answered is None else Outcome.ANSWERED),
    )  # fmt: skip


def probe(ordered, result=ProbeResult.UNANSWERED, *, alerting=None, answered=None, ended=None, service="permanence"):
    def moment(second):
        return None if second is None else at(second)

    return Probe(
        probe_id="p", site="site", service=service, pbx="pbx", number="0100", ordered_by="schedule",
        ordered_at=at(ordered), result=result, alerting_at=moment(alerting), answered_at=moment(answered),
        ended_at=moment(ended),
    )  # fmt: skip


class Stage:
    """One permanence whose only phone is PJSIP/duty, seen from second 0 on."""

    def __init__(self, found=None, **more):
        self.rules = found or rules(**more)
        self.board = Board(self.rules.devices)
        self.permanence = Permanence("site", "", self.rules, self.board)
        self.rows = {}

    def tell(self, *events):
        for event in events:
            self.board.feed(event)
            self.permanence.board_changed(event.at)
        return self

    def begin(self, *events):
        """What the lists show at second 0."""
        for event in events or (member(0),):
            self.board.feed(event)
        self.permanence.see(at(0))
        return self

    def store(self):
        """Keep what changed as the ledger does: by the instant at which it begins."""
        for interval in self.permanence.take_changed():
            assert interval.ended_at is None or interval.ended_at > interval.started_at
            self.rows[interval.started_at] = interval
        return self

    def told(self, until):
        """Return (second, state) of each change, as whoever reads the rows joins them, up to a second."""
        self.permanence.advance(at(until))
        self.store()
        found: list[tuple[float, str]] = []
        for interval in sorted(self.rows.values(), key=lambda interval: interval.started_at):
            state = interval.state.value if interval.cause is None else interval.cause.value
            if not found or found[-1][1] != state:
                found.append(((interval.started_at - START) / SECOND, state))
        return found
