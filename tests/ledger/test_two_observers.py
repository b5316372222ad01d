"""Two observers of one PBX: the ledger has what a single one that was never cut off would have written."""

import random
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemon.ami import events as ami
from telemon.completeness import Completeness, completeness
from telemon.gaps import gaps_of
from telemon.ledger.reader import read_observations
from telemon.ledger.store import open_ledger
from telemon.observation import GapCause, Watch
from telemon.records import Flag
from telemon.tracker import Tracker
from tests.ledger.kit import as_stored, read_all, writing
from tests.property.recorded import NAMES, events_of

LOAD = "22/load_q_25cps_filtered"
STAMPED = [name for name in NAMES if "no_timestamps" not in name]


def listed(tracker, at, announced):
    """What Asterisk would list now: as an observer knows it who was never cut off."""
    bridges = [
        ami.ListedBridge(at, bridge.bridge_id, "parking" if bridge.holding else "basic", "simple_bridge")
        for bridge in tracker.switch.bridges.values()
    ]
    channels = [
        ami.ListedChannel(
            at,
            leg.name,
            leg.state,
            announced[leg.uniqueid].caller,
            leg.context,
            announced[leg.uniqueid].exten,
            leg.uniqueid,
            leg.linkedid,
            leg.application,
            leg.bridge.bridge_id if leg.bridge else "",
        )
        for leg in tracker.switch.legs.values()
        if leg.uniqueid in announced
    ]
    return [*bridges, *channels, ami.ChannelsListed(at)]


class Watcher:
    """One observer, and what it wants written."""

    def __init__(self, site, name, cuts):
        self.tracker, self.watch, self.cuts = Tracker(site), Watch("pbx", name), cuts
        self.is_cut = False
        self.records = []

    def feed(self, place, event, reference, announced):
        was_cut, self.is_cut = self.is_cut, any(first <= place < last for first, last in self.cuts)
        if self.is_cut and not was_cut:
            self.tracker.lose_link(event.at)
            self.watch.lose(event.at, GapCause.LINK_CUT)
        if self.is_cut:
            return
        if was_cut or place == 0:
            for line in listed(reference, event.at, announced) if was_cut else ():
                self.records += self.tracker.feed(line)
            self.watch.see(event.at)
        self.records += self.tracker.feed(event)

    def finish(self, at):
        self.records += self.tracker.give_up()
        self.watch.lose(at, GapCause.TELEMON_STOPPED)
        return [*self.records, *self.watch.take_changed()]


def watched(name, site, *cuts):
    """Return what a single observer writes of a recording, and what each of several writes that are cut off."""
    events = events_of(name)
    announced = {event.uniqueid: event for event in events if isinstance(event, ami.NewChannel)}
    whole, watchers = Watcher(site, "", []), [Watcher(site, f"observer{n}", cut) for n, cut in enumerate(cuts)]
    for place, event in enumerate(events):
        for watcher in watchers:  # before the event changes the state that a list would show
            watcher.feed(place, event, whole.tracker, announced)
        whole.feed(place, event, whole.tracker, announced)
    end = max(event.at for event in events)
    whole.finish(end)
    return whole, [watcher.finish(end) for watcher in watchers]


def write(engines, told, chance):
    """Each observer's own writer, at the same time, in batches of any size."""

    def one(engine, items, seed):
        batches = random.Random(seed)
        with writing(engine) as writer:
            for item in items:
                writer.put(item)
                if batches.random() < 3 / len(items):
                    assert writer.flush(60)
            assert writer.flush(60)
            assert writer.errors_total == 0

    with ThreadPoolExecutor(len(told)) as pool:
        list(pool.map(one, engines, told, [chance.random() for _ in told]))


def of_site(engine, site, truth):
    """Return what is stored of a site, but for calls between phones that became part of another unseen."""
    stored = {record.call_id: record for record in read_all(engine) if record.site == site}
    for call_id in stored.keys() - truth.keys():
        assert {Flag.INTERNAL, Flag.ENDED_IN_GAP} <= set(stored.pop(call_id).flags)
    return stored


def cut_once(chance, places):
    """Somewhere, for anything between one event and half of them."""
    first = chance.randrange(places)
    return [(first, first + 1 + round(places / 2 * chance.random() ** 2))]


@pytest.fixture
def engines(url):
    both = [open_ledger(url), open_ledger(url)]
    yield both
    for engine in both:
        engine.dispose()


seeds = st.integers(0, 1 << 32).map(random.Random)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(STAMPED), chance=seeds)
def test_while_one_is_cut_off_the_other_s_word_counts(engines, name, chance):
    site = uuid.uuid4().hex  # the examples share the ledger
    cuts = [cut_once(chance, len(events_of(name))), []]
    chance.shuffle(cuts)
    whole, told = watched(name, site, *cuts)
    write(engines, told, chance)
    truth = {record.call_id: as_stored(record) for record in whole.records}
    assert of_site(engines[0], site, truth) == truth


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(STAMPED), chance=seeds)
def test_cut_off_in_turn_they_lose_no_call_that_one_of_them_saw_to_its_end(engines, name, chance):
    """And what neither saw whole is one row that says so."""
    site = uuid.uuid4().hex
    whole, told = watched(name, site, *(cut_once(chance, len(events_of(name))) for _ in range(2)))
    write(engines, told, chance)
    truth = {record.call_id: record for record in whole.records}
    stored = of_site(engines[0], site, truth)
    for call_id, record in truth.items():
        versions = [item for items in told for item in items if getattr(item, "call_id", None) == call_id]
        if record in versions:
            assert stored[call_id] == as_stored(record)
        elif versions:
            assert stored[call_id] in map(as_stored, versions)
            assert completeness(stored[call_id]) == max(map(completeness, versions)) < Completeness.SEEN
        else:
            assert call_id not in stored


def test_hundreds_of_calls_of_which_each_sees_but_a_part(engines):
    """Cut off in turn again and again, never both at once; few calls are so long that both missed a part."""
    chance, site = random.Random(4), "load"
    places = len(events_of(LOAD))
    slots = [(n * places // 12, (n + 1) * places // 12) for n in range(12)]
    cuts = [[(a + (b - a) // 4, b - (b - a) // 4) for a, b in slots[turn::2]] for turn in range(2)]
    whole, told = watched(LOAD, site, *cuts)
    write(engines, told, chance)
    truth = {record.call_id: as_stored(record) for record in whole.records}
    stored = of_site(engines[0], site, truth)
    assert len(whole.records) > 700
    assert all(sum(item in whole.records for item in items) < 0.8 * len(whole.records) for items in told)
    assert stored.keys() == truth.keys()
    both_cut = [record for record in whole.records if stored[record.call_id] != truth[record.call_id]]
    assert all(completeness(stored[record.call_id]) < completeness(record) for record in both_cut)
    assert len(both_cut) < len(stored) / 10
    first, last = (found(event.at for event in events_of(LOAD)) for found in (min, max))
    assert gaps_of(read_observations(engines[0], "pbx", first, last), first, last, last, pbx="pbx") == []
