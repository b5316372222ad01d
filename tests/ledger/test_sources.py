"""Asterisk's records as rows: out of files of every shape, and out of tables as its documentation defines them."""

import gzip
import io
import json
import os
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from telemon.errors import SourceError
from telemon.instants import SECOND
from telemon.repair.cdr import Reader as CdrReader
from telemon.repair.cel import Reader as CelReader
from telemon.repair.columns import COLUMNS
from telemon.repair.kinds import SourceKind
from telemon.repair.sources import open_source
from telemon.services import Numbering

RECORDINGS = Path(__file__).parent.parent / "recordings"
QUEUE_LOG, CDR, CEL = SourceKind.QUEUE_LOG, SourceKind.CDR, SourceKind.CEL
FILES = {QUEUE_LOG: "queue_log/22.gz", CDR: "cdr/22.csv.gz", CEL: "cel/22.csv.gz"}

LINE = (
    '"","0622200001","0200","from-trunk","""Ann"" <0622200001>","PJSIP/trunk-1","PJSIP/op1-2","Queue","standard,r",'
    '"2026-11-23 16:24:14","2026-11-23 16:24:16","2026-11-23 16:24:17",3,1,"ANSWERED","DOCUMENTATION"'
)
UNIQUEID, USERFIELD = '"1795451054.0"', '"vip"'
NEW = '"","1795451054.0",7'
KNOWN = {
    "src": "0622200001", "dst": "0200", "dcontext": "from-trunk", "clid": '"Ann" <0622200001>',
    "channel": "PJSIP/trunk-1", "dstchannel": "PJSIP/op1-2", "lastapp": "Queue", "lastdata": "standard,r",
    "start": "2026-11-23 16:24:14", "answer": "2026-11-23 16:24:16", "end": "2026-11-23 16:24:17", "duration": "3",
    "billsec": "1", "disposition": "ANSWERED", "amaflags": "DOCUMENTATION",
}  # fmt: skip


def rows_of(kind, *where, **options):
    with open_source(kind, *where, **options) as source:
        return list(source), source


def written(tmp_path, data, name="file"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


# -- files


@pytest.mark.parametrize("kind", FILES)
def test_what_asterisk_wrote_is_read_to_the_last_row(kind):
    path = RECORDINGS / FILES[kind]
    rows, source = rows_of(kind, str(path))
    assert len(rows) == len(gzip.decompress(path.read_bytes()).splitlines()) > 100
    assert source.done == source.size == path.stat().st_size
    assert source.unit == "bytes"
    assert not source.passed_over
    assert {tuple(sorted(row)) for row in rows} == {tuple(sorted(COLUMNS[kind]))}


@pytest.mark.parametrize(
    ("added", "known"),
    [
        ((), {}),
        ((UNIQUEID,), {"uniqueid": "1795451054.0"}),
        ((USERFIELD,), {"userfield": "vip"}),
        ((UNIQUEID, USERFIELD), {"uniqueid": "1795451054.0", "userfield": "vip"}),
        ((NEW,), {"linkedid": "1795451054.0", "sequence": "7"}),
        ((UNIQUEID, NEW), {"uniqueid": "1795451054.0", "linkedid": "1795451054.0", "sequence": "7"}),
        (
            (UNIQUEID, USERFIELD, NEW),
            {"uniqueid": "1795451054.0", "userfield": "vip", "linkedid": "1795451054.0", "sequence": "7"},
        ),
    ],
)
def test_cdr_csv_in_each_width_that_its_options_give(tmp_path, added, known):
    rows, source = rows_of(CDR, written(tmp_path, ",".join((LINE, *added)) + "\n"))
    assert rows == [dict.fromkeys(COLUMNS[CDR], "") | KNOWN | known]
    assert not source.passed_over


def test_cdr_csv_whose_options_changed_half_way(tmp_path):
    rows, _ = rows_of(CDR, written(tmp_path, f"{LINE}\n{LINE},{UNIQUEID},{USERFIELD},{NEW}\n"))
    assert [row["linkedid"] for row in rows] == ["", "1795451054.0"]


def test_cdr_custom_as_its_sample_has_it(tmp_path):
    cells = [KNOWN[name] for name in COLUMNS[CDR] if name in KNOWN and name not in ("src", "dst", "dcontext", "clid")]
    order = [KNOWN["clid"], KNOWN["src"], KNOWN["dst"], KNOWN["dcontext"], *cells, "", "1795451054.0", "vip", "7"]
    line = ",".join('"' + cell.replace('"', '""') + '"' for cell in order)
    (row,), _ = rows_of(CDR, written(tmp_path, line + "\n"))
    more = {"uniqueid": "1795451054.0", "userfield": "vip", "sequence": "7"}
    assert row == dict.fromkeys(COLUMNS[CDR], "") | KNOWN | more


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_header_names_the_columns_in_any_order(tmp_path, delimiter):
    names = ["CallDate", "Disposition", "something", "channel", "duration", "uniqueid"]
    cells = ["2026-11-23 16:24:14", "ANSWERED", "else", "PJSIP/trunk-1", "3", "1795451054.0"]
    (row,), source = rows_of(CDR, written(tmp_path, f"{delimiter.join(names)}\n{delimiter.join(cells)}\n"))
    assert row["start"] == "2026-11-23 16:24:14"
    assert (row["disposition"], row["channel"], row["uniqueid"]) == ("ANSWERED", "PJSIP/trunk-1", "1795451054.0")
    assert "something" not in row
    assert not source.passed_over


def test_json_lines_of_asterisk_22(tmp_path):
    record = {"EventType": "HANGUP", "EventTime": 1771359872.25, "Name": "Ann", "Num": "06", "ChanName": "PJSIP/op1-1"}
    record |= {"UniqueID": "1771359800.1", "LinkedID": "1771359800.1", "EventExtra": '{"hangupcause":16}'}
    (row,), _ = rows_of(CEL, written(tmp_path, json.dumps(record) + "\n"))
    assert (row["eventtype"], row["eventtime"], row["cidname"]) == ("HANGUP", "1771359872.25", "Ann")
    assert row["extra"] == '{"hangupcause":16}'


def test_rotated_files_are_read_oldest_first_whatever_their_names(tmp_path):
    lines = gzip.decompress((RECORDINGS / FILES[QUEUE_LOG]).read_bytes()).splitlines(keepends=True)
    third = len(lines) // 3
    paths = [
        written(tmp_path, b"".join(lines[2 * third :]), "queue_log"),
        written(tmp_path, b"".join(lines[third : 2 * third]), "queue_log.1"),
        written(tmp_path, gzip.compress(b"".join(lines[:third])), "queue_log-20261122"),
        written(tmp_path, b"", "queue_log.3"),
    ]
    rows, source = rows_of(QUEUE_LOG, *paths)
    whole, _ = rows_of(QUEUE_LOG, str(RECORDINGS / FILES[QUEUE_LOG]))
    assert rows == whole
    assert source.done == source.size == sum(Path(path).stat().st_size for path in paths)


def test_standard_input_plain_and_packed(monkeypatch):
    data = gzip.decompress((RECORDINGS / FILES[CEL]).read_bytes())
    whole, _ = rows_of(CEL, str(RECORDINGS / FILES[CEL]))
    for sent in (data, gzip.compress(data)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(sent))))
        rows, source = rows_of(CEL, "-")
        assert rows == whole
        assert source.size is None


def test_what_is_no_row_is_passed_over_and_counted(tmp_path):
    good = f"{LINE},{UNIQUEID}\n".encode()
    hostile = [
        good,
        b'"a quote that nobody closes,' + good,
        b"\0" * 400 + good,
        b"x" * (3 << 20) + b"\n",
        good.replace(b"0622200001", b"J\xe9r\xf4me", 1),
        b"\n",
        b'"","half a line',
        b"\n",
        good.replace(b"\n", b"\r\n"),
        good[:-9],
    ]
    rows, source = rows_of(CDR, written(tmp_path, b"".join(hostile)))
    assert [row["src"] for row in rows] == ["0622200001", "J\\xe9r\\xf4me", "0622200001"]
    assert source.passed_over == {
        "not understood": 2, "NUL bytes": 1, "line too long": 1, "unfinished last line": 1,
    }  # fmt: skip


def test_a_queue_log_with_more_bars_than_columns(tmp_path):
    (row,), _ = rows_of(QUEUE_LOG, written(tmp_path, "1795451054|1795451054.0|q|op1|CONNECT|1|2|3|4|5|6\n"))
    assert (row["data4"], row["data5"]) == ("4", "5|6")


def test_an_empty_file_has_no_rows(tmp_path):
    rows, source = rows_of(CEL, written(tmp_path, b""))
    assert rows == []
    assert not source.passed_over


def test_a_file_of_something_else_is_refused_with_its_lines_and_a_remedy(tmp_path):
    path = written(tmp_path, "Nov 23 16:24:14 pbx asterisk: hello, world\n" * 300)
    with pytest.raises(SourceError, match=r"file, line 1 to 100: no line is a record of cdr .* header line .*uniqueid"):
        rows_of(CDR, path)
    with pytest.raises(SourceError, match="no line is a record of queue_log"):
        rows_of(QUEUE_LOG, path)


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(SourceError, match=r"gone: cannot be read \(No such file.*check the path"):
        open_source(CDR, str(tmp_path / "gone"))
    with pytest.raises(SourceError, match="cannot be read"):
        open_source(CDR, str(tmp_path))
    with pytest.raises(SourceError, match="no file of cel was named"):
        open_source(CEL)
    packed = gzip.compress(os.urandom(1 << 16))
    whole = gzip.compress(f"{LINE},{UNIQUEID}\n".encode()) + packed
    with pytest.raises(SourceError, match=r"torn, after line \d+: cannot be read on .*do that again"):
        rows_of(CDR, written(tmp_path, whole[: -len(packed) // 2], "torn"))


# -- tables

CEL_TABLE = """CREATE TABLE cel (id {serial} PRIMARY KEY, eventtype {type} NOT NULL, eventtime timestamp NOT NULL,
 userdeftype varchar(255), cid_name varchar(80), cid_num varchar(80), cid_ani varchar(80), cid_rdnis varchar(80),
 cid_dnid varchar(80), exten varchar(80), context varchar(80), channame varchar(80), appname varchar(80),
 appdata varchar(80), amaflags int, accountcode varchar(20), peeraccount varchar(20), uniqueid varchar(150),
 linkedid varchar(150), userfield varchar(255), peer varchar(80), extra text)"""
"""As cel_pgsql and cel_odbc of the Asterisk documentation have it."""

CDR_TABLE = """CREATE TABLE cdr (accountcode varchar(20), src varchar(80), dst varchar(80), dcontext varchar(80),
 clid varchar(80), channel varchar(80), dstchannel varchar(80), lastapp varchar(80), lastdata varchar(80),
 "start" timestamp, answer timestamp, "end" timestamp, duration int, billsec int, disposition varchar(45),
 amaflags varchar(45), userfield varchar(256), uniqueid varchar(150), linkedid varchar(150), peeraccount varchar(20),
 sequence int)"""
"""As contrib/ast-db-manage/cdr makes it."""

OLD_CDR_TABLE = """CREATE TABLE cdr (calldate {stamp} NOT NULL, clid varchar(80), src varchar(80), dst varchar(80),
 dcontext varchar(80), channel varchar(80), dstchannel varchar(80), lastapp varchar(80), lastdata varchar(80),
 duration bigint, billsec bigint, disposition varchar(45), amaflags bigint, accountcode varchar(20),
 uniqueid varchar(150), userfield varchar(255))"""
"""As contrib/realtime/postgresql/realtime.sql makes it."""

OLD_QUEUE_LOG_TABLE = """CREATE TABLE queue_log (id {serial} PRIMARY KEY, time varchar(26), callid varchar(80),
 queuename varchar(256), agent varchar(80), event varchar(32), data varchar(255))"""

NUMBERS = {"CHAN_START": 1, "CHAN_END": 2, "HANGUP": 3, "ANSWER": 4, "APP_START": 5, "APP_END": 6, "BRIDGE_ENTER": 7,
           "BRIDGE_EXIT": 8, "PARK_START": 9, "PARK_END": 10, "BLINDTRANSFER": 11, "ATTENDEDTRANSFER": 12,
           "USER_DEFINED": 13, "LINKEDID_END": 14, "PICKUP": 15, "FORWARD": 16, "LOCAL_OPTIMIZE": 17,
           "LOCAL_OPTIMIZE_BEGIN": 18}  # fmt: skip


def fill(url, table, rows):
    """Make a table as Asterisk's documentation has it, and put rows into it, in their order."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    is_sqlite = engine.dialect.name == "sqlite"
    words = {"serial": "integer" if is_sqlite else "serial", "stamp": "text" if is_sqlite else "timestamptz"}
    with engine.begin() as connection:
        connection.execute(text(table.format(type="int", **words)))
        name = table.split()[2]
        if rows:
            columns = ", ".join(f'"{column}"' for column in rows[0])
            values = ", ".join(f":{column}" for column in rows[0])
            connection.execute(text(f"INSERT INTO {name} ({columns}) VALUES ({values})"), rows)
    engine.dispose()


def utc(epoch, timespec="microseconds"):
    whole, _, fraction = epoch.partition(".")
    moment = datetime.fromtimestamp(int(whole), UTC).replace(microsecond=int(fraction or 0), tzinfo=None)
    return moment.isoformat(" ", timespec)


def cel_row(row):
    own = {"cidname": "cid_name", "cidnum": "cid_num", "cidani": "cid_ani", "cidrdnis": "cid_rdnis",
           "ciddnid": "cid_dnid"}  # fmt: skip
    stored = {own.get(name, name): value for name, value in row.items()}
    return stored | {
        "eventtype": NUMBERS[row["eventtype"]], "eventtime": utc(row["eventtime"]), "amaflags": int(row["amaflags"]),
    }  # fmt: skip


def calls_of(reader_type, rows):
    reader = reader_type("test", Numbering(), 5 * SECOND, UTC)
    calls = [call for row in rows for call in reader.feed(row)] + reader.finish()
    return sorted(calls, key=lambda call: call.call_id)


def test_a_cel_table_gives_the_same_calls_as_the_file(url):
    rows, _ = rows_of(CEL, str(RECORDINGS / FILES[CEL]))
    rows = [row for row in rows if row["eventtype"] in NUMBERS]
    fill(url, CEL_TABLE, [cel_row(row) for row in rows])
    stored, source = rows_of(CEL, url)
    assert (source.unit, source.size, source.done) == ("rows", len(rows), len(rows))
    assert len(rows) > 2000  # more than are fetched at a time
    calls = calls_of(CelReader, stored)
    assert calls == calls_of(CelReader, rows)
    assert calls


def test_a_cdr_table_gives_the_same_calls_as_the_file(url):
    rows, _ = rows_of(CDR, str(RECORDINGS / FILES[CDR]))
    fill(url, CDR_TABLE, [{name: value or None for name, value in row.items()} for row in rows])
    stored, source = rows_of(CDR, url)
    assert source.size == source.done == len(rows)
    calls = calls_of(CdrReader, stored)
    assert calls == calls_of(CdrReader, rows)
    assert calls


def test_a_cdr_table_with_calldate_knows_its_zone_and_no_linkedid(url):
    rows, _ = rows_of(CDR, str(RECORDINGS / FILES[CDR]))
    kept = ("clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "duration", "billsec",
            "disposition", "accountcode", "uniqueid", "userfield")  # fmt: skip
    fill(url, OLD_CDR_TABLE, [
        {"calldate": row["start"] + "+00:00", "amaflags": 3, **{name: row[name] for name in kept}} for row in rows
    ])  # fmt: skip
    stored, _ = rows_of(CDR, url)
    told = {call.call_id: call for call in calls_of(CdrReader, rows)}
    for call in calls_of(CdrReader, stored):
        assert call.arrived_at == told[call.call_id].arrived_at
        if call.outcome != "unknown" and told[call.call_id].outcome != "unknown":
            assert call.outcome == told[call.call_id].outcome
            assert call.answered_by == told[call.call_id].answered_by


def test_a_queue_log_table_whose_data_is_one_column(url):
    rows, _ = rows_of(QUEUE_LOG, str(RECORDINGS / FILES[QUEUE_LOG]))
    fill(url, OLD_QUEUE_LOG_TABLE, [
        {**{n: row[n] for n in ("time", "callid", "queuename", "agent", "event")},
         "data": "|".join(row[f"data{number}"] for number in range(1, 6)).rstrip("|")} for row in rows
    ])  # fmt: skip
    assert rows_of(QUEUE_LOG, url)[0] == rows


def test_a_counted_table_keeps_its_order_through_the_night_that_has_one_hour_twice(url):
    times = ["2026-10-25 02:59:59", "2026-10-25 02:00:01", "2026-10-25 03:00:00"]
    fill(url, CEL_TABLE, [
        {"eventtype": 1, "eventtime": at, "channame": "x", "uniqueid": str(n), "linkedid": "1"}
        for n, at in enumerate(times)
    ])  # fmt: skip
    assert [row["eventtime"] for row in rows_of(CEL, url)[0]] == times


def test_the_table_is_named_where_there_are_several(url):
    row = {"eventtype": 1, "eventtime": "2026-10-25 02:59:59", "channame": "x", "uniqueid": "1", "linkedid": "1"}
    fill(url, CEL_TABLE.replace("cel", "cel_old", 1), [row])
    assert len(rows_of(CEL, url)[0]) == 1
    fill(url, CEL_TABLE.replace("cel", "cel_older", 1), [row, row])
    with pytest.raises(SourceError, match=r"several tables have the columns of cel \(cel_old, cel_older\); name the"):
        open_source(CEL, url)
    assert len(rows_of(CEL, url, table="cel_older")[0]) == 2
    with pytest.raises(SourceError, match="table cel_old: no column channel, disposition, duration, start; name the"):
        open_source(CDR, url, table="cel_old")
    fill(url, CEL_TABLE, [])
    assert rows_of(CEL, url)[0] == []  # the one that is called as Asterisk calls it


def test_a_database_without_such_a_table_is_refused(url):
    fill(url, "CREATE TABLE other (a int)", [])
    with pytest.raises(SourceError, match=r"none of its tables \(other\) has the columns of cdr; check the database"):
        open_source(CDR, url)
    with pytest.raises(SourceError, match="cannot be read"):
        open_source(CDR, url, table="nowhere")


def test_a_missing_sqlite_file_is_not_made(tmp_path):
    path = tmp_path / "gone.db"
    with pytest.raises(SourceError, match=r"gone\.db: no such SQLite file"):
        open_source(CDR, f"sqlite:///{path}")
    assert not path.exists()


def test_a_database_is_only_read(tmp_path):
    path = tmp_path / "cdr.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(OLD_CDR_TABLE.format(stamp="datetime"))
    before = path.read_bytes()
    assert rows_of(CDR, f"sqlite:///{path}")[0] == []
    assert path.read_bytes() == before
    path.chmod(0o400)
    assert rows_of(CDR, f"sqlite:///{path}")[0] == []


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = written(tmp_path, "hello, this is no database at all\n" * 100)
    with pytest.raises(SourceError, match="file is not a database"):
        open_source(CDR, f"sqlite:///{path}")


def test_urls_that_lead_nowhere_are_refused_without_their_password():
    with pytest.raises(SourceError, match=r"install it \(pip install pymysql\)"):
        open_source(CDR, "mysql://asterisk:hush@127.0.0.1:1/asteriskcdrdb")
    with pytest.raises(SourceError, match="use sqlite, postgresql, mysql or mariadb") as refused:
        open_source(CDR, "dbase://asterisk:hush@127.0.0.1/asteriskcdrdb")
    assert "hush" not in str(refused.value)
    with pytest.raises(SourceError, match="URL cannot be read; write sqlite:///"):
        open_source(CDR, "://")


@pytest.mark.real("postgresql")
def test_a_postgresql_that_is_not_there_is_refused_without_its_password():
    with pytest.raises(SourceError, match=r"asterisk:\*\*\*@127\.0\.0\.1:1/cdrs: cannot be read") as refused:
        open_source(CDR, "postgresql://asterisk:hush@127.0.0.1:1/cdrs")
    assert "hush" not in str(refused.value)
