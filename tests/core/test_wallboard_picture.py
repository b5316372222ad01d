"""What each role is shown of a scene, and what changes between two of them."""

import json
import random
import time

import pytest

from telemon.duty_records import Coverage, UncoveredCause
from telemon.instants import SECOND
from telemon.observation import GapCause
from telemon.operators import Presence
from telemon.records import Outcome, ServiceKind
from telemon.wallboard.picture import MOST_CALLS, Promise, changed, difference, draw, parts_shown, rows_shown
from telemon.wallboard.roles import RIGHTS, Right, Role
from telemon.wallboard.scene import (
    Blind,
    Callback,
    CallNow,
    CallState,
    Cover,
    CrisisNow,
    DayFigures,
    Loss,
    PbxHealth,
    Scene,
    ServiceNow,
    Trouble,
)

NOW = 1_795_000_000 * SECOND
PROMISE = Promise(5, 5 * SECOND)
CANARY = "0612345678"
STANDARD = ServiceNow("beauvais", "standard", ServiceKind.SWITCHBOARD, 1, 1, NOW - 6 * SECOND, {Presence.REACHABLE: 2})
DAY = DayFigures(90, 10, 81, (0.1, 0.1, 0.12), (0.9, 0.87, 0.9), None)
WAITING = CallNow("pbx-1", "beauvais", "standard", NOW - 8 * SECOND, NOW - 6 * SECOND, CallState.WAITING, CANARY, None)
TALKING = CallNow(
    "pbx-2",
    "beauvais",
    "standard",
    NOW - 60 * SECOND,
    NOW - 55 * SECOND,
    CallState.TALKING,
    CANARY,
    f"Local/{CANARY}@out",
)
SCENE = Scene(
    NOW,
    services=(STANDARD,),
    days={("beauvais", "standard"): DAY},
    calls=(TALKING, WAITING),
    blind=(Blind("pbx2", "creil", NOW - 30 * SECOND, GapCause.LINK_CUT),),
    losses=(Loss(NOW - SECOND, "beauvais", "standard", 3, Outcome.ABANDONED, CANARY),),
    callbacks=(Callback("abc", "beauvais", "standard", CANARY, 2, NOW - 90 * SECOND, NOW - SECOND),),
    permanence=(Cover("permanence", Coverage.UNCOVERED, UncoveredCause.ALL_PAUSED, ("Camille",)),),
    crisis=(CrisisNow("crise", exercise=True, deadline=NOW, stages={"ordered": NOW}, people=2, plan=4, title="Crue"),),
    conditions=(Trouble("uncovered", "permanence", NOW - SECOND, "Nobody can be reached."),),
    pbx=(PbxHealth("pbx", "beauvais", connected=True),),
    ledger=(False, 0),
)


def shown(role, scene=SCENE):
    picture = draw(scene, PROMISE)
    return {name: list(rows) for name, rows in rows_shown(picture, role)} | parts_shown(picture, role)


def news(before, after, role=Role.SUPERVISOR):
    return changed(difference(draw(before, PROMISE), draw(after, PROMISE)), role)


EVERYBODY = {"now", "services", "blind", "total", "losses", "callbacks_count"}
SEEN = {
    Role.SUPERVISOR: EVERYBODY | {"calls", "more", "callbacks", "permanence", "crisis", "conditions"},
    Role.DUTY_OFFICER: EVERYBODY | {"calls", "more", "permanence", "crisis", "conditions"},
    Role.AUDITOR: EVERYBODY,
    Role.ADMIN: EVERYBODY | {"calls", "more", "permanence", "crisis", "conditions", "health"},
}


@pytest.mark.parametrize("role", Role)
def test_each_role_is_shown_its_own_parts(role):
    assert shown(role).keys() == SEEN[role]


@pytest.mark.parametrize("role", Role)
def test_a_callers_number_is_shown_to_the_supervisor_alone(role):
    told = json.dumps(shown(role)) + json.dumps(news(Scene(NOW), SCENE, role))
    assert (CANARY in told) is (role is Role.SUPERVISOR)


def test_an_administrator_is_no_supervisor():
    assert not RIGHTS[Role.ADMIN] & {Right.NUMBERS, Right.CALL_BACK}


def test_what_a_role_may_not_see_of_a_service_is_null():
    service = {role: shown(role)["services"][0] for role in Role}
    assert service[Role.DUTY_OFFICER]["day"] is None
    assert service[Role.AUDITOR]["day"] == DAY._asdict()
    live = ("waiting", "talking", "longest_since", "operators")
    assert [service[Role.AUDITOR][name] for name in live] == [None] * 4
    assert [service[Role.DUTY_OFFICER][name] for name in live] == [
        1,
        1,
        1_794_999_994.0,
        {"reachable": 2, "ringing": 0, "talking": 0, "paused": 0, "unreachable": 0},
    ]
    assert shown(Role.AUDITOR)["total"] == {"waiting": None, "talking": None, "day": service[Role.AUDITOR]["day"]}


def test_a_mobile_number_in_an_operators_line_is_hidden():
    lines = {role: shown(role)["calls"][1]["operator"] for role in (Role.SUPERVISOR, Role.ADMIN)}
    assert lines == {Role.SUPERVISOR: f"Local/{CANARY}@out", Role.ADMIN: "Local/…@out"}


def test_who_waits_comes_first_and_the_oldest_before_the_others():
    older = WAITING._replace(call="pbx-3", alerting_at=NOW - 9 * SECOND)
    machine = WAITING._replace(call="pbx-4", alerting_at=None, state=CallState.MACHINE)
    scene = SCENE._replace(calls=(TALKING, machine, WAITING, older))
    assert [call["id"] for call in shown(Role.SUPERVISOR, scene)["calls"]] == ["pbx-3", "pbx-1", "pbx-4", "pbx-2"]


def test_there_is_room_for_so_many_calls_and_the_rest_are_counted():
    scene = SCENE._replace(calls=tuple(WAITING._replace(call=f"pbx-{number}") for number in range(MOST_CALLS + 7)))
    picture = shown(Role.SUPERVISOR, scene)
    assert (len(picture["calls"]), picture["more"]) == (MOST_CALLS, 7)


@pytest.mark.parametrize(("waited", "breach"), [(19_999_999, False), (20_000_000, True)])
def test_the_fifth_ring_breaks_the_promise(waited, breach):
    scene = SCENE._replace(services=(STANDARD._replace(longest_since=NOW - waited),))
    assert shown(Role.SUPERVISOR, scene)["services"][0]["breach"] is breach
    assert shown(Role.AUDITOR, scene)["services"][0]["breach"] is False


def test_nothing_changed_is_nothing_said():
    assert news(SCENE, SCENE._replace(now=NOW + SECOND)) is None


def test_only_what_changed_is_said():
    creil = STANDARD._replace(site="creil")
    before = SCENE._replace(services=(STANDARD, creil))
    after = before._replace(
        now=NOW + SECOND, services=(STANDARD._replace(waiting=2), creil), calls=(TALKING,), callbacks=()
    )
    told = news(before, after)
    assert told.keys() == {"now", "services", "calls", "total", "callbacks", "callbacks_count"}
    assert [one["key"] for one in told["services"]["set"]] == ["beauvais|standard"]
    assert told["calls"] == {"set": [], "gone": ["pbx-1"]}
    assert (told["callbacks"], told["callbacks_count"], told["now"]) == ([], 0, 1_795_000_001.0)


def test_a_change_that_a_role_does_not_see_is_not_sent_to_it():
    after = SCENE._replace(services=(STANDARD._replace(waiting=2),), calls=(TALKING,))
    assert news(SCENE, after, Role.AUDITOR) is None
    renumbered = SCENE._replace(calls=(TALKING, WAITING._replace(caller="0699999999")))
    assert news(SCENE, renumbered, Role.ADMIN) is None
    assert news(SCENE, renumbered)["calls"]["set"][0]["caller"] == "0699999999"


def test_the_changes_put_together_are_the_picture():
    """What the page holds after any sequence of changes is what it would be given whole."""
    rng = random.Random(6)
    scene = SCENE
    for role in Role:
        held = shown(role, scene)
        for _ in range(60):
            after = _other(scene, rng)
            _apply(held, news(scene, after, role))
            scene = after
            assert _comparable(held) == _comparable(shown(role, scene))


def _other(scene, rng):
    calls = [call for call in scene.calls if rng.random() < 0.8]
    if rng.random() < 0.5:
        calls.append(WAITING._replace(call=f"pbx-{rng.random()}", alerting_at=NOW - rng.randrange(SECOND)))
    services = tuple(
        STANDARD._replace(service=name, waiting=rng.randrange(3), longest_since=rng.choice([None, NOW - 30 * SECOND]))
        for name in ("standard", "crise", "accueil")
        if rng.random() < 0.8
    )
    return scene._replace(
        now=scene.now + SECOND,
        calls=tuple(calls),
        services=services,
        losses=scene.losses[: rng.randrange(2)],
        blind=rng.choice([(), SCENE.blind]),
    )


def _apply(held, change):
    for name, value in (change or {}).items():
        if name in ("services", "calls"):
            key = "key" if name == "services" else "id"
            rows = {row[key]: row for row in held[name]} | {row[key]: row for row in value["set"]}
            held[name] = [row for one, row in rows.items() if one not in value["gone"]]
        else:
            held[name] = value


def _comparable(held):
    rows = {name: sorted(map(json.dumps, held.get(name, ()))) for name in ("services", "calls")}
    return {name: value for name, value in held.items() if name not in rows and name != "now"} | rows


@pytest.mark.parametrize("hostile", ['"</script><script>', "<!--", "\u2028\r\n\r\n\0", "\udc80", "=cmd|' /C calc'!A0"])
def test_a_hostile_number_is_text(hostile):
    scene = SCENE._replace(calls=(WAITING._replace(caller=hostile),))
    picture = json.loads(json.dumps(shown(Role.SUPERVISOR, scene)))
    assert picture["calls"][0]["caller"] == hostile


def test_a_number_of_64_kib_is_cut():
    scene = SCENE._replace(calls=(WAITING._replace(caller="9" * 65_536),))
    assert shown(Role.SUPERVISOR, scene)["calls"][0]["caller"] == "9" * 64


def test_the_total_of_all_services():
    quiet = STANDARD._replace(site="creil", waiting=None, talking=None, operators=None)
    scene = SCENE._replace(
        services=(STANDARD, quiet, STANDARD._replace(site="senlis")),
        days={
            ("beauvais", "standard"): DAY,
            ("senlis", "standard"): DayFigures(10, 90, 5, (0.9,) * 3, (0.5,) * 3, keeps=False),
        },
    )
    total = shown(Role.SUPERVISOR, scene)["total"]
    assert (total["waiting"], total["talking"]) == (2, 2)
    assert (total["day"]["answered"], total["day"]["lost"], total["day"]["within"]) == (100, 100, 86)
    assert total["day"]["lost_rate"] == (0.5, 0.1, 0.9)
    assert total["day"]["within_rate"] == (0.86, 0.5, 0.9)
    assert total["day"]["keeps"] is None
    reckoned = DAY._replace(keeps=True)
    assert shown(Role.SUPERVISOR, scene._replace(days={**scene.days, ("", ""): reckoned}))["total"]["day"]["keeps"]


def test_five_hundred_services_take_less_than_ten_milliseconds():
    """A hundred sites of five services; the best of ten, for the machine may be busy with others."""
    names = ("standard", "permanence", "crise", "accueil", "etrangers")
    services = tuple(STANDARD._replace(site=f"site{place:03}", service=name) for place in range(100) for name in names)
    before = draw(SCENE._replace(services=services), PROMISE)
    busy = tuple(one._replace(waiting=2) if place % 10 == 0 else one for place, one in enumerate(services))
    scene = SCENE._replace(now=NOW + SECOND, services=busy)
    taken, said = [], [""]
    for _ in range(10):
        began = time.perf_counter()
        found = difference(before, draw(scene, PROMISE))
        said = [json.dumps(changed(found, role)) for role in Role]
        taken.append(time.perf_counter() - began)
    assert len(json.loads(said[0])["services"]["set"]) == 50
    assert min(taken) < 0.010
