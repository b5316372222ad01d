"""The desk of a crisis cell on both databases: asked twice, at once, in the wrong order, by the wrong name."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from telemon.crisis.desk import CellRules, CrisisDesk
from telemon.crisis.desks import choose
from telemon.crisis.stages import Thresholds
from telemon.errors import CrisisError, LedgerError
from telemon.instants import SECOND
from telemon.ledger.keeping_crises import add, keeping, stamp_stages
from telemon.ledger.putting import put_now
from telemon.ledger.reading_crises import read_crises, read_crisis, read_first_answer
from telemon.ledger.store import open_ledger
from telemon.records import Flag, ServiceKind
from tests.core.test_crisis import CRISIS
from tests.ledger.kit import RICH, locked, store

T = 1_795_464_005_250_000
HOUR = 3600 * SECOND
RULES = CellRules(
    staff=2, deadline=HOUR, thresholds=Thresholds(maximum_waiting=10, maximum_wait=120 * SECOND, minimum_staff=1)
)
ALIASES = {"4101": "cdurand", "camille durand": "cdurand", "cdurand": "cdurand"}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = T

    def __call__(self):
        return self.now

    def forward(self, seconds):
        self.now += round(seconds * SECOND)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def desk(engine, clock):
    return desk_at(engine, clock)


def desk_at(engine, clock, service="crise"):
    return CrisisDesk(
        engine, "prefecture", service, call_sites=("prefecture",), rules=RULES, aliases=ALIASES, clock=clock
    )


def cell(engine, crisis_id):
    found = read_crisis(engine, crisis_id)
    assert found is not None
    return found


def answered(call_id, arrived, wait, **more):
    at = T + arrived * SECOND
    fields = {"site": "prefecture", "service": "crise", "service_kind": ServiceKind.CRISIS, "flags": ()}
    return replace(
        RICH,
        call_id=call_id,
        arrived_at=at,
        alerting_at=at,
        answered_at=at + wait * SECOND,
        answered_not_before=None,
        ended_at=at + 60 * SECOND,
        attempts=(),
        transfers=(),
        **{**fields, **more},
    )


def test_a_crisis_from_order_to_closure(desk, clock, engine):
    assert desk.status() is None
    assert desk.refresh() is None
    ordered = desk.open("cdurand", title="  Usine\n en feu ")
    assert (ordered.changed, ordered.status.crisis.crisis_id) == (True, "prefecture:crise:2026-11-23T20:00:05Z")
    assert (ordered.status.crisis.title, ordered.status.crisis.ordered_at) == ("Usine en feu", T)
    clock.forward(60)
    assert desk.join("Camille Durand").status.people == ("cdurand",)
    clock.forward(60)
    assert desk.join("4102", through="phone").status.crisis.staffed_at == T + 120 * SECOND
    clock.forward(60)
    assert desk.open_line().status.crisis.line_opened_at == T + 180 * SECOND
    clock.forward(60)
    assert desk.refresh(first_answered_at=T + 200 * SECOND).crisis.operational_at == T + 200 * SECOND
    clock.forward(60)
    closed = desk.close("cdurand").status
    assert (closed.crisis.closed_at, closed.crisis.closed_by) == (T + 300 * SECOND, "cdurand")
    assert desk.status() is None
    crisis, members = cell(engine, ordered.status.crisis.crisis_id)
    assert crisis == closed.crisis
    assert [(one.person, one.joined_at - T, (one.left_at or 0) - T, one.through) for one in members] == [
        ("cdurand", 60 * SECOND, 300 * SECOND, "command"),
        ("4102", 120 * SECOND, 300 * SECOND, "phone"),
    ]


def test_asked_twice_nothing_changes(desk, clock, engine):
    def state():
        (crisis,) = read_crises(engine, "prefecture", "crise")
        return cell(engine, crisis.crisis_id)

    for wish in (
        lambda: desk.open("a", title="one"),
        lambda: desk.join("Léo"),
        lambda: desk.join("cdurand"),
        desk.open_line,
        lambda: desk.leave("Léo"),
        lambda: desk.close("a"),
    ):
        assert wish().changed
        before = state()
        clock.forward(7)
        assert not wish().changed
        assert state() == before


def test_somebody_may_come_back(desk, clock):
    desk.open("a")
    for _ in range(2):
        assert desk.join("Léo").changed
        clock.forward(5)
        assert desk.leave("léo").changed  # as he is known there, however it is written
        clock.forward(5)
    stays = desk.join("LÉO").status.members
    assert [one.person for one in stays] == ["Léo"] * 3
    assert [one.left_at for one in stays] == [T + 5 * SECOND, T + 15 * SECOND, None]


def test_who_leaves_does_not_undo_that_the_cell_was_staffed(desk, clock):
    desk.open("a")
    desk.join("b")
    desk.join("c")
    clock.forward(1)
    status = desk.leave("b").status
    assert (status.people, status.crisis.staffed_at) == (("c",), T)


def test_an_exercise_ends_for_a_real_crisis_and_waits_for_its_end(desk, clock, engine):
    exercise = desk.open("a", is_exercise=True).status.crisis
    desk.join("Léo")
    real = desk.open("b", title="Usine")  # within the same second
    assert (real.changed, real.ended.crisis_id) == (True, exercise.crisis_id)
    assert real.status.crisis.crisis_id == f"{exercise.crisis_id}-2"
    assert real.status.people == ()
    with pytest.raises(CrisisError, match=r"real crisis is open \(prefecture:crise:.*telemon crisis close"):
        desk.open("a", is_exercise=True)
    told, members = cell(engine, exercise.crisis_id)
    assert (told.closed_at, told.closed_by, members[0].left_at) == (T, "b", T)
    clock.forward(1)
    desk.close("b")
    assert desk.open("a", is_exercise=True).status.crisis.crisis_id == "prefecture:crise:2026-11-23T20:00:06Z"
    assert [one.is_exercise for one in read_crises(engine, "prefecture")] == [True, False, True]


def test_each_service_has_its_own_cell(engine, clock):
    fire, flood = desk_at(engine, clock, "feu"), desk_at(engine, clock, "crue")
    fire.open("a")
    assert flood.status() is None
    flood.open("a")
    fire.close("a")
    assert flood.status() is not None
    assert {one.service for one in read_crises(engine, "prefecture")} == {"feu", "crue"}
    assert read_crises(engine, "elsewhere") == []


@pytest.mark.parametrize("wish", ["join", "leave", "close"])
def test_nobody_comes_or_goes_without_a_crisis(desk, wish):
    with pytest.raises(CrisisError, match="telemon crisis start"):
        getattr(desk, wish)("Léo")
    with pytest.raises(CrisisError, match="telemon crisis start"):
        desk.open_line()


@pytest.mark.parametrize("name", ["", " \n", "x" * 101, "a\x00b", "\x1b[2J", "a\u202eb"])
def test_what_names_nobody_is_refused(desk, name):
    desk.open("a")
    for wish in (desk.join, desk.leave, desk.close, desk.open):
        with pytest.raises(CrisisError, match="names nobody"):
            wish(name)
    assert desk.status().members == ()


@pytest.mark.parametrize("title", ["x" * 201, "a\x00b"])
def test_what_is_no_title_is_refused(desk, title):
    with pytest.raises(CrisisError, match="at most 200"):
        desk.open("a", title=title)
    assert desk.status() is None


def test_who_never_came_cannot_leave(desk):
    desk.open("a")
    desk.join("Léo")
    with pytest.raises(CrisisError, match=r"Lea never joined.*Léo"):
        desk.leave("Lea")


def test_a_clock_put_back_orders_nothing_before_the_order(desk, clock):
    desk.open("a")
    clock.forward(-30)
    assert desk.join("b").status.members[0].joined_at == T
    assert desk.open_line().status.crisis.line_opened_at == T
    assert desk.close("a").status.crisis.closed_at == T


# What the calls prove


def test_the_ledger_proves_the_first_answer_and_the_closure_stamps_it(desk, clock, engine):
    desk.open("a")
    store(
        engine,
        answered("before", -5, 10),
        answered("probe", 1, 1, is_probe=True),
        answered("internal", 1, 2, flags=(Flag.INTERNAL,)),
        answered("other", 1, 3, service="standard"),
        answered("elsewhere", 1, 3, site="annexe"),
        answered("late", 10, 8),
        answered("first", 12, 4),
    )
    clock.forward(30)
    assert desk.status().crisis.operational_at == T + 16 * SECOND
    assert desk.refresh().crisis.operational_at == T + 16 * SECOND
    assert read_crises(engine, "prefecture")[0].operational_at is None  # an earlier call may still go on
    assert desk.close("a").status.crisis.operational_at == T + 16 * SECOND


def test_what_was_seen_live_is_stamped_at_once_and_stays(desk, clock, engine):
    desk.open("a")
    store(engine, answered("first", 1, 4))
    clock.forward(30)
    desk.refresh(line_opened_at=T - HOUR, first_answered_at=T + 9 * SECOND)
    desk.refresh(line_opened_at=T + SECOND, first_answered_at=T + 2 * SECOND)
    (crisis,) = read_crises(engine, "prefecture")
    assert (crisis.line_opened_at, crisis.operational_at) == (T, T + 9 * SECOND)


def test_no_call_no_answer(engine):
    assert read_first_answer(engine, ("prefecture",), "crise", T, T + HOUR) is None


# Several at once


def test_stages_stamped_at_once_are_all_kept(url, clock):
    """A daemon stamps each second, a command joins, another opens the line: each has read what the others change."""
    engines = [open_ledger(url) for _ in range(4)]
    desks = [desk_at(engine, clock) for engine in engines]
    desks[0].open("a")
    crisis_id = desks[0].status().crisis.crisis_id
    wishes = [
        lambda: [desks[0].join(f"p{number}") for number in range(20)],
        lambda: [desks[1].refresh(first_answered_at=T + SECOND) for _ in range(20)],
        lambda: [desks[2].open_line() for _ in range(20)],
        lambda: [desks[3].refresh(line_opened_at=T + 2 * SECOND) for _ in range(20)],
    ]
    clock.forward(5)
    try:
        with ThreadPoolExecutor(len(wishes)) as pool:
            for done in [pool.submit(wish) for wish in wishes]:
                done.result(60)
        crisis, members = cell(engines[0], crisis_id)
        assert len(members) == 20
        assert (crisis.staffed_at, crisis.operational_at) == (T + 5 * SECOND, T + SECOND)
        assert crisis.line_opened_at in {T + 2 * SECOND, T + 5 * SECOND}
    finally:
        for engine in engines:
            engine.dispose()


def test_of_two_stamps_of_one_stage_the_first_stays(desk, engine):
    """Both had read the crisis before either wrote."""
    crisis_id = desk.open("a").status.crisis.crisis_id
    for at in (T + 2 * SECOND, T + SECOND, T + 3 * SECOND):
        with keeping(engine) as connection:
            stamp_stages(connection, crisis_id, {"line_opened_at": at, "operational_at": at})
    crisis, _ = cell(engine, crisis_id)
    assert (crisis.line_opened_at, crisis.operational_at) == (T + 2 * SECOND, T + 2 * SECOND)


def test_who_orders_while_another_does_joins_his_crisis(url, engine):
    """The second is by another second: the ids alone would not keep them apart."""
    other = open_ledger(url)
    later = Clock()
    later.forward(1)
    try:
        with ThreadPoolExecutor(1) as pool:
            with keeping(engine) as connection:
                ordering = pool.submit(desk_at(other, later).open, "b")
                with pytest.raises(TimeoutError):
                    ordering.result(0.5)
                add(connection, replace(CRISIS, crisis_id="prefecture:crise:first"))
            answer = ordering.result(20)
    finally:
        other.dispose()
    assert (answer.changed, answer.status.crisis.crisis_id) == (False, "prefecture:crise:first")
    assert len(read_crises(engine, "prefecture")) == 1


def test_a_whole_row_put_by_another_part_is_read_as_it_is(engine, desk):
    crisis = desk.open("a").status.crisis
    put_now(engine, replace(crisis, closed_at=T + SECOND, closed_by="b"))
    assert desk.status() is None


def test_a_ledger_held_by_another_program_is_told(sqlite_engine, file, clock):
    desk = desk_at(sqlite_engine, clock)
    with locked(file), pytest.raises(LedgerError, match=r"cannot write: .*locked.*try again"):
        desk.open("a")
    assert desk.open("a").changed


# Which desk


def test_the_desk_that_is_meant(engine, clock):
    fire, flood = desk_at(engine, clock, "feu"), desk_at(engine, clock, "crue")
    assert choose({"feu": fire}, None) is fire
    assert choose({"feu": fire, "crue": flood}, "crue") is flood
    with pytest.raises(CrisisError, match="crue, feu with --service"):
        choose({"feu": fire, "crue": flood}, None)
    with pytest.raises(CrisisError, match="standard is no crisis line; take one of feu"):
        choose({"feu": fire}, "standard")
    with pytest.raises(CrisisError, match='kind = "crisis"'):
        choose({}, None)
