"""``telemon backup`` and ``telemon restore``: what comes out is what went in, or it is refused."""

import asyncio
import random
import re
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert

from telemon.instants import to_datetime
from telemon.ledger.copying import COLUMNS
from telemon.ledger.models import TABLES
from telemon.ledger.store import open_ledger
from telemon.observation import GapCause, Interval, Sight
from tests.acceptance.commands import configure, start, telemon, telemon_all
from tests.ledger.kit import CANARY, RICH, Postgresql, T, calls, read_all, store, writing

PERIOD = ("-p", "2025")  # in which T lies
SEALED = "gAAAAABcanary-of-a-number-to-call-back"
EXPORTS = (("calls", "-f", "ndjson", "-n", "100000", *PERIOD), ("stats", "-f", "ndjson", *PERIOD))


@pytest.fixture(scope="module")
def postgresql():
    with tempfile.TemporaryDirectory() as folder:
        server = Postgresql(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def folder(tmp_path):
    configure(tmp_path, 1)
    return tmp_path


def sqlite_url(path):
    return f"sqlite:///{path}"


def filled(url, count=300):
    """Make a ledger with something in each table."""
    engine = open_ledger(url)
    watched = [
        Interval("pbx", T, T + 10**9, Sight.SEEN),
        Interval("pbx", T + 10**9, None, Sight.GAP, GapCause.PBX_FROZEN),
    ]
    odd = replace(RICH, call_id="pref31-odd", service="astreinte\u2028é\"'", queues=("é", '"'), hangup_cause=None)
    store(engine, *calls(count), odd, *watched)
    with engine.begin() as connection:
        body, start = '{"é": 0.1}', to_datetime(T)
        call = {"call_id": "c", "source": "cel", "pbx": "pbx", "arrived_at": start, "body": body}
        connection.execute(insert(TABLES["source_calls"]), call)
        roll_up = {"site": "pref31", "service": "standard", "rules": "r", "span": "day", "start": start, "body": body}
        connection.execute(insert(TABLES["roll_ups"]), roll_up)
        rolled = {"site": "pref31", "rules": "r", "label": "é", "built_until": None, "complete": False}
        connection.execute(insert(TABLES["roll_up_sets"]), rolled)
        lost = {"site": "pref31", "caller": "p", "service": "standard", "number": SEALED, "last_outcome": "abandoned"}
        moments = dict.fromkeys(("first_at", "last_at", "expires_at"), start)
        connection.execute(insert(TABLES["lost_callers"]), lost | moments | {"times": 1})
    engine.dispose()
    return url


async def exported(folder, url):
    answers = await telemon_all(*map(list, EXPORTS), cwd=folder, TELEMON_LEDGER__URL=url)
    assert [(status, errors) for status, _, errors in answers] == [(0, "")] * len(EXPORTS)
    assert answers[0][1].count("\n") > 100
    return [output for _, output, _ in answers]


def all_rows(path):
    with closing(sqlite3.connect(path)) as file:
        return {table: sorted(file.execute(f'SELECT * FROM "{table}"').fetchall(), key=repr) for table in COLUMNS}


async def refused(words, *arguments, cwd, **more):
    status, output, errors = await telemon(*arguments, cwd=cwd, **more)
    assert (status, output) == (1, "")
    assert re.search(words, errors), errors
    assert errors.count("\n") == 1


# Writing a backup


async def test_a_backup_is_a_ledger_and_says_what_was_proven(folder):
    filled(sqlite_url(folder / "telemon.db"))
    status, output, errors = await telemon("backup", "saved.db", cwd=folder)
    assert (status, errors) == (0, "")
    rows = sum(len(rows) for rows in all_rows(folder / "telemon.db").values())
    assert re.search(rf"saved\.db written: 301 calls, [\d.]+ MB\. Verified: .* all {rows:,} rows", output)
    assert "telemon.key apart from the backup" in output
    assert await exported(folder, sqlite_url(folder / "saved.db")) == await exported(
        folder, sqlite_url(folder / "telemon.db")
    )
    assert all_rows(folder / "saved.db") == all_rows(folder / "telemon.db")


async def test_a_backup_is_one_file_for_its_owner_only_and_holds_no_number(folder):
    filled(sqlite_url(folder / "telemon.db"))
    await telemon("backup", "saved.db", cwd=folder)
    assert stat.S_IMODE((folder / "saved.db").stat().st_mode) == 0o600
    assert {path.name for path in folder.iterdir()} == {"telemon.db", "saved.db", "telemon.toml"}
    assert CANARY.encode() not in (folder / "saved.db").read_bytes()
    assert SEALED.encode() in (folder / "telemon.db").read_bytes()
    assert SEALED.encode() not in (folder / "saved.db").read_bytes()  # it would outlive its hours


async def test_a_backup_made_while_telemon_writes_is_what_the_ledger_was_at_one_moment(folder):
    """Each call replaces the one before and has as many attempts as its number says."""
    engine = open_ledger(sqlite_url(folder / "telemon.db"))
    store(engine, *calls(3000))
    number = 0

    async def keep_writing(writer):
        nonlocal number
        while True:
            for _ in range(20):
                number += 1
                size = number % 4
                writer.put(replace(RICH, call_id=f"call-{number:06}", attempts=RICH.attempts[:size], hangup_cause=size))
                writer.put(replace(RICH, call_id="again", arrived_at=T + number, hangup_cause=number))
            await asyncio.sleep(0)
            await asyncio.to_thread(writer.flush)

    with writing(engine) as writer:
        busy = asyncio.create_task(keep_writing(writer))
        for turn in range(2):
            written = writer.written_total
            status, _, errors = await telemon("backup", f"{turn}.db", cwd=folder)
            assert (status, errors) == (0, "")
            assert writer.written_total > written
            saved = open_ledger(sqlite_url(folder / f"{turn}.db"))
            found = {call.call_id: call for call in read_all(saved)}
            saved.dispose()
            last = found["again"].hangup_cause or 0
            assert {name for name in found if name.startswith("call-")} == {f"call-{n:06}" for n in range(1, last + 1)}
            assert all(len(call.attempts) == call.hangup_cause for name, call in found.items() if name[:5] == "call-")
        busy.cancel()
        assert writer.errors_total == 0
    engine.dispose()


async def test_a_backup_that_is_killed_leaves_no_file_under_its_name(folder):
    engine = open_ledger(sqlite_url(folder / "telemon.db"))
    store(engine, *calls(20_000))
    engine.dispose()
    sizes = set()
    for turn in range(6):
        process = await start("backup", "saved.db", cwd=folder)
        while not (parts := list(folder.glob(".saved.db.*.part"))):
            await asyncio.sleep(0.01)
            assert process.returncode is None
        for _ in range(turn * 8):
            await asyncio.sleep(0.01)
        process.kill()
        await process.communicate()
        sizes |= {part.stat().st_size for part in parts if part.exists()}
        assert not (folder / "saved.db").exists()
        for part in parts:
            assert turn or part.exists()
            part.unlink(missing_ok=True)
    assert len(sizes) > 1, "it was killed at one point only"


async def test_what_a_killed_backup_left_is_named_by_the_next(folder):
    filled(sqlite_url(folder / "telemon.db"))
    (folder / ".saved.db.abc.part").write_bytes(b"half")
    status, _, errors = await telemon("backup", "saved.db", cwd=folder)
    assert status == 0
    assert (
        errors
        == ".saved.db.abc.part: left by a backup that was interrupted; delete it, unless another one is under way.\n"
    )


async def test_nothing_is_overwritten_unless_asked_and_the_ledger_never(folder):
    filled(sqlite_url(folder / "telemon.db"))
    (folder / "saved.db").write_bytes(b"precious")
    await refused("saved.db: there already.*--force", "backup", "saved.db", cwd=folder)
    assert (folder / "saved.db").read_bytes() == b"precious"
    (folder / "link.db").symlink_to("telemon.db")
    for name in ("telemon.db", "link.db"):
        await refused("the ledger itself", "backup", name, "--force", cwd=folder)
    status, _, _ = await telemon("backup", "saved.db", "--force", cwd=folder)
    assert status == 0
    assert all_rows(folder / "saved.db") == all_rows(folder / "telemon.db")


async def test_what_cannot_be_written_or_read_is_one_line_with_its_remedy(folder):
    filled(sqlite_url(folder / "telemon.db"))
    await refused("there is no folder", "backup", "nowhere/saved.db", cwd=folder)
    await refused("a folder; name a file in it", "backup", ".", cwd=folder)
    (folder / "saved.db-wal").write_bytes(b"of another program")
    await refused("saved.db-wal beside it", "backup", "saved.db", cwd=folder)
    url = sqlite_url(folder / "missing.db")
    await refused("there is no such file", "backup", "other.db", cwd=folder, TELEMON_LEDGER__URL=url)
    assert not (folder / "missing.db").exists()


async def test_a_damaged_ledger_makes_no_backup(folder):
    """A page of a table overwritten on the disk."""
    filled(sqlite_url(folder / "telemon.db"))
    with (folder / "telemon.db").open("r+b") as file:
        file.seek(0, 2)
        file.seek(file.tell() // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)
    await refused(r"telemon: saved\.db.*(disk|file) is damaged", "backup", "saved.db", cwd=folder)
    assert not (folder / "saved.db").exists()


# Putting it back


@pytest.fixture
async def saved(folder):
    filled(sqlite_url(folder / "telemon.db"))
    status, _, _ = await telemon("backup", "saved.db", cwd=folder)
    assert status == 0
    return folder / "saved.db"


async def test_what_is_restored_is_what_was_saved(folder, saved):
    url = sqlite_url(folder / "new.db")
    status, output, errors = await telemon("restore", "saved.db", cwd=folder, TELEMON_LEDGER__URL=url)
    assert (status, errors) == (0, "")
    assert re.search(r"new\.db restored: 301 calls\. Verified", output)
    assert "the key of the pseudonyms too (telemon.key)" in output
    assert all_rows(folder / "new.db") == all_rows(saved)


async def test_both_speak_french(folder):
    filled(sqlite_url(folder / "telemon.db"))
    french = {"TELEMON_LOCALE": "fr", "TELEMON_LEDGER__URL": sqlite_url(folder / "new.db")}
    _, said, _ = await telemon("backup", "saved.db", cwd=folder, TELEMON_LOCALE="fr")
    assert re.search(r"saved\.db écrit : 301 appels, [\d,]+ Mo\. Vérifiés", said)
    _, said, _ = await telemon("restore", "saved.db", cwd=folder, **french)
    assert "restauré : 301 appels" in said
    await refused("il n'est pas vide.*calls : 301|calls: 301", "restore", "saved.db", cwd=folder, **french)


async def test_a_ledger_that_is_not_empty_stays_as_it_is(folder, saved):
    before = all_rows(folder / "telemon.db")
    await refused(r"not empty \(calls: 301", "restore", "saved.db", cwd=folder)
    url = sqlite_url(folder / "watched.db")
    engine = open_ledger(url)
    store(engine, Interval("pbx", T, None, Sight.SEEN))
    engine.dispose()
    await refused("observations: 1", "restore", "saved.db", cwd=folder, TELEMON_LEDGER__URL=url)
    assert all_rows(folder / "telemon.db") == before
    assert saved.exists()


def flip(path, place):
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 0x20]))


async def test_a_backup_with_any_flipped_bit_is_refused_or_not_touched_by_it(folder, saved):
    """Anywhere: what is not refused lay where SQLite keeps nothing, and all rows are right."""
    chance, size, whole = random.Random(31), saved.stat().st_size, all_rows(saved)
    places = [chance.randrange(size) for _ in range(60)]
    commands = []
    for number, place in enumerate(places):
        shutil.copy(saved, folder / f"damaged{number}.db")
        flip(folder / f"damaged{number}.db", place)
        config = (folder / "telemon.toml").read_text() + f'[ledger]\nurl = "sqlite:///restored{number}.db"\n'
        (folder / f"{number}.toml").write_text(config)
        commands.append(("restore", f"damaged{number}.db", "-c", f"{number}.toml"))
    answers = await telemon_all(*commands, cwd=folder)
    for number, (status, _, errors) in enumerate(answers):
        if status == 0:
            assert all_rows(folder / f"restored{number}.db") == whole
        else:
            assert "damaged" in errors
            assert not any(all_rows(folder / f"restored{number}.db").values())
    assert sum(status == 1 for status, _, _ in answers) > len(places) / 2


async def test_a_changed_value_that_sqlite_takes_for_sound_is_refused(folder, saved):
    with closing(sqlite3.connect(saved)) as file:
        file.execute("UPDATE calls SET outcome = 'answered', rings = 1 WHERE call_id = 'pref31-000007'")
        file.execute("UPDATE calls SET hangup_cause = 17 WHERE call_id = 'pref31-000007'")
        file.commit()
    url = sqlite_url(folder / "new.db")
    await refused("do not fit: calls", "restore", "saved.db", cwd=folder, TELEMON_LEDGER__URL=url)
    assert not any(all_rows(folder / "new.db").values())


@pytest.mark.parametrize("cut", [0, 1, 5000, 0.5, 0.99])
async def test_a_backup_cut_short_is_refused(folder, saved, cut):
    with saved.open("r+b") as file:
        file.truncate(round(cut * saved.stat().st_size) if isinstance(cut, float) else cut)
    url = sqlite_url(folder / "new.db")
    await refused("damaged|not made by", "restore", "saved.db", cwd=folder, TELEMON_LEDGER__URL=url)


async def test_what_is_no_backup_is_refused(folder):
    filled(sqlite_url(folder / "telemon.db"))
    (folder / "text.db").write_bytes(b"call_id;site\n" * 1000)
    url = sqlite_url(folder / "new.db")
    for name, words in (
        ("missing.db", "damaged"),
        ("text.db", "not a database"),
        ("telemon.db", "not made by telemon backup"),
    ):
        await refused(words, "restore", name, cwd=folder, TELEMON_LEDGER__URL=url)
    assert not (folder / "missing.db").exists()


# PostgreSQL


@pytest.mark.real("postgresql")
async def test_from_postgresql_to_sqlite_and_back_all_exports_are_the_same(folder, postgresql):
    first, back = filled(postgresql.new_database()), postgresql.new_database()
    between = sqlite_url(folder / "between.db")
    steps = [
        ("backup", "a.db", first),
        ("restore", "a.db", between),
        ("backup", "b.db", between),
        ("restore", "b.db", back),
    ]
    for command, name, url in (*steps, ("backup", "c.db", back)):
        status, _, errors = await telemon(command, name, cwd=folder, TELEMON_LEDGER__URL=url)
        assert (status, errors) == (0, "")
    exports = [await exported(folder, url) for url in (first, between, back, sqlite_url(folder / "a.db"))]
    assert exports == [exports[0]] * 4
    assert all_rows(folder / "a.db") == all_rows(folder / "b.db") == all_rows(folder / "c.db")


@pytest.mark.real("postgresql")
@pytest.mark.usefixtures("saved")
async def test_a_restore_into_postgresql_that_fails_leaves_it_empty(folder, postgresql):
    url = postgresql.new_database()
    engine = open_ledger(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE transfers ADD CHECK (kind <> 'park')")
    await refused("nothing restored.*violates check", "restore", "saved.db", cwd=folder, TELEMON_LEDGER__URL=url)
    assert read_all(engine) == []
    engine.dispose()


@pytest.mark.real("postgresql")
async def test_a_backup_of_postgresql_is_of_one_moment_too(folder, postgresql):
    url = postgresql.new_database()
    engine = open_ledger(url)
    store(engine, *calls(500))
    with writing(engine) as writer:
        process = await start("backup", "saved.db", cwd=folder, TELEMON_LEDGER__URL=url)
        number = 0
        while process.returncode is None:
            number += 1
            size = number % 4
            writer.put(replace(RICH, call_id=f"call-{number:06}", attempts=RICH.attempts[:size], hangup_cause=size))
            await asyncio.sleep(0.001)
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
        assert writer.flush(30)
    saved = open_ledger(sqlite_url(folder / "saved.db"))
    found = [call for call in read_all(saved) if call.call_id.startswith("call-")]
    saved.dispose()
    engine.dispose()
    assert sorted(call.call_id for call in found) == [f"call-{n:06}" for n in range(1, len(found) + 1)]
    assert all(len(call.attempts) == call.hangup_cause for call in found)
