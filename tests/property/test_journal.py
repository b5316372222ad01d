"""Journal records are total: whatever is in them comes back, and harm done to them costs only what it touched."""

from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from telemon.journal.entries import Clocked, Heard, Lost
from telemon.journal.records import MARK, OVERHEAD, Damage, Record, decode, encode, scan
from telemon.observation import GapCause

instants = st.integers(-(1 << 63), (1 << 63) - 1)
payloads = st.one_of(st.binary(max_size=300), st.lists(st.sampled_from([MARK, b"\r\n", b"\x00" * 30])).map(b"".join))
entries = st.one_of(
    st.builds(Heard, instants, payloads),
    st.builds(Clocked, instants, instants),
    st.builds(Lost, instants, st.sampled_from(GapCause)),
)
journals = st.tuples(st.integers(0, 1 << 60), st.lists(entries, min_size=1, max_size=6))


def packed(journal):
    first, items = journal
    return [encode(number, entry) for number, entry in enumerate(items, first)]


def read(data):
    return [(found.number, found.entry) for found in scan(data) if isinstance(found, Record)]


def told(journal):
    first, items = journal
    return list(enumerate(items, first))


@settings(max_examples=300, deadline=None)
@given(journals)
def test_what_is_written_reads_back(journal):
    data = b"".join(packed(journal))
    assert read(data) == told(journal)
    assert not any(isinstance(found, Damage) for found in scan(data))


@settings(max_examples=300, deadline=None)
@given(journals, st.data())
def test_a_cut_anywhere_costs_the_records_behind_it_and_no_other(journal, data):
    blocks = packed(journal)
    whole = b"".join(blocks)
    cut = data.draw(st.integers(0, len(whole)))
    ends = [0, *accumulate(map(len, blocks))]
    kept = sum(end <= cut for end in ends) - 1
    assert read(whole[:cut]) == told(journal)[:kept]
    torn = [found for found in scan(whole[:cut]) if isinstance(found, Damage)]
    assert torn == ([] if cut in ends else [Damage(ends[kept], cut)])


@settings(max_examples=500, deadline=None)
@given(journals, st.data())
def test_a_flipped_bit_costs_one_record(journal, data):
    blocks = packed(journal)
    hit = data.draw(st.integers(0, len(blocks) - 1))
    place = data.draw(st.integers(0, 8 * len(blocks[hit]) - 1))
    harmed = bytearray(blocks[hit])
    harmed[place // 8] ^= 1 << place % 8
    stream = b"".join([*blocks[:hit], bytes(harmed), *blocks[hit + 1 :]])
    assert read(stream) == told(journal)[:hit] + told(journal)[hit + 1 :]
    start = sum(map(len, blocks[:hit]))
    assert [found for found in scan(stream) if isinstance(found, Damage)] == [Damage(start, start + len(harmed))]


@settings(max_examples=300, deadline=None)
@given(journals, journals)
def test_a_record_inside_a_whole_one_is_no_record(inner, outer):
    first, items = outer
    forged = Heard(0, b"".join(packed(inner)))
    assert read(b"".join(packed((first, [forged, *items])))) == told((first, [forged, *items]))


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.just(MARK),
            st.just(bytes(OVERHEAD)),
            entries.map(lambda entry: encode(7, entry)),
            entries.map(lambda entry: encode(7, entry)[:-1]),
        )
    ).map(b"".join)
)
def test_any_bytes_are_read_from_the_first_to_the_last(data):
    place = 0
    for found in scan(data):
        if isinstance(found, Record):
            assert decode(data, place) == found
        else:
            assert found.start == place
            assert decode(data, place) is None
        assert found.end > place
        place = found.end
    assert place == len(data)
