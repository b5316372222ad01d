"""Rows of a call told twice, and how they are held against each other and against the truth."""

import asyncio
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from simulators.ami.clock import Clock
from simulators.ami.server import AmiServer
from simulators.ami.situations import capture_switchboard
from telemon.cadences import ring_cycle
from telemon.export import call_json
from telemon.instants import SECOND, from_datetime, to_seconds
from telemon.records import TransferResult
from telemon.replay import Replay
from tests.lab.capture.recorder import Recorder

if TYPE_CHECKING:
    from simulators.lab.asterisk import Asterisk

TOLERANCE = 0.1  # seconds
HOUR = 3600 * SECOND
# Who and when it was: other in every call.
_IDENTITY = ("call_id", "caller")


def simulated(starts_at, version):
    """Return a server on which time passes only as events are told."""
    starts = to_seconds(starts_at)
    return AmiServer(
        users={"telemon": "secret"},
        switchboard=capture_switchboard(starts),
        clock=Clock(starts, None),
        version=version,
        writetimeout=30,
    )


async def told_over_tcp(events, *, starts_at, version):
    """Return what a client that is logged in reads while a server tells events as fast as it reads."""
    async with simulated(starts_at, version) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"Action: Login\r\nUsername: telemon\r\nSecret: secret\r\n\r\n")
        head = await reader.readuntil(b"FullyBooted")
        head += await reader.readuntil(b"\r\n\r\n")
        reading = asyncio.create_task(reader.read(-1))
        for at, event in events:
            server.emit(event, to_seconds(at))
            await asyncio.sleep(0)
        await server.wait_until_read()
        await server.close()
        body = await reading
        writer.close()
    return head + body


async def told_with_fault(events, fault, *, starts_at, version):
    """Return what a client reads, link after link, while the server is disturbed as ``simulators.ami.player`` does.

    ``fault`` is what happens to the server when, and when the client is back.
    """
    kind, begins, ends = fault
    events = list(events)
    async with simulated(starts_at, version) as server:
        recorder = Recorder(cast("Asterisk", SimpleNamespace(ami_port=server.port, ami_secret="secret")), "telemon")
        await recorder.open()
        await tell_until(server, begins, events)
        await recorder.snapshot()  # so that all is read
        server.cut() if kind == "cut" else server.stop(cleanly=False)
        await recorder.ended.wait()
        await recorder.close()
        if kind == "cut":
            await tell_until(server, ends, events)
        else:
            server.clock.wait_for(to_seconds(ends))
            server.boot()
            events.clear()
        await recorder.open()
        await tell_until(server, starts_at + HOUR, events)
        await recorder.snapshot()
        await recorder.close()
    return bytes(recorder.data)


async def tell_until(server, limit, events):
    while events and events[0][0] < limit:
        at, event = events.pop(0)
        server.clock.wait_for(to_seconds(at))
        server.emit(event, to_seconds(at))
        await asyncio.sleep(0)
    server.clock.wait_for(to_seconds(limit))


def only_row(data):
    """Return the record of the only call that these bytes tell."""
    session = Replay("test")
    (record,) = session.feed(data) + session.finish()
    assert session.parser.malformed == 0
    return record


def comparable(record):
    """Return a ledger row without ids, its instants in seconds since the call arrived.

    Phones that are rung at once come in any order on a real Asterisk; here, the attempts go by operator.
    """
    start = to_seconds(record.arrived_at)

    def relative(value):
        if isinstance(value, dict):
            return {key: relative(_since(start, key, each)) for key, each in value.items() if key not in _IDENTITY}
        return [relative(each) for each in value] if isinstance(value, list) else value

    row = relative(call_json(record, ring_cycle("fr")))
    row["attempts"].sort(key=lambda attempt: (attempt["operator"], attempt["started_at"]))
    return row


def _since(start, key, value):
    is_instant = value is not None and (key.endswith("_at") or key in ("at", "answered_not_before"))
    return to_seconds(from_datetime(datetime.fromisoformat(value))) - start if is_instant else value


def differences(one, other, where="", *, within=TOLERANCE):
    """Name everything that differs between two comparable rows, seconds by more than ``within``."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [text for key in one for text in differences(one[key], other[key], f"{where}.{key}", within=within)]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [text for nth, pair in pairs for text in differences(*pair, f"{where}[{nth}]", within=within)]
    if isinstance(one, float) and isinstance(other, float):
        return [] if abs(one - other) <= within else [f"{where}: {one:.3f} and {other:.3f}"]
    return [] if one == other else [f"{where}: {one!r} and {other!r}"]


def check_against_truth(record, truth):
    """Hold a row against what those who took part in the call know."""
    assert record.outcome == truth.outcome
    assert (record.ddi, record.caller) == (truth.ddi, truth.caller)
    assert record.answered_by == truth.answered_by
    assert record.ended_by == truth.ended_by
    assert sorted(attempt.operator for attempt in record.attempts) == sorted(truth.rung)
    reached = [transfer.to for transfer in record.transfers if transfer.result is TransferResult.ANSWERED]
    assert reached == list(truth.transferred_to)
    assert (record.machine_answered_at is not None) == truth.machine_answered
    assert to_seconds(record.arrived_at) == pytest.approx(to_seconds(truth.arrived_at), abs=TOLERANCE)
    for name in ("wait_duration", "ring_duration", "talk_duration"):
        known, measured = getattr(truth, name), getattr(record, name)
        if known is None:
            assert not measured, name
        else:
            assert to_seconds(measured) == pytest.approx(to_seconds(known), abs=TOLERANCE), name
