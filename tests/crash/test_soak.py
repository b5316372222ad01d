"""The soak of ``benchmarks/soak.py``, in short: nothing differs, and memory stays where it was."""

import pytest

from benchmarks.soak import FLAT, WARM_UP, soak

EVENTS = 1_000_000


@pytest.mark.timeout(420)
async def test_a_million_events_are_measured_without_a_difference_in_flat_memory(tmp_path):
    soaked = await soak(tmp_path, EVENTS)
    assert soaked.same, soaked.judgement
    assert soaked.events >= EVENTS
    assert soaked.calls > EVENTS / 150
    assert len(soaked.settled) > 10
    assert min(told for told, _ in soaked.samples if told >= WARM_UP * soaked.events) < 0.5 * soaked.events
    assert soaked.off <= FLAT, soaked.samples
