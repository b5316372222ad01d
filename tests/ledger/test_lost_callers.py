"""The list of lost callers in the ledger: encrypted, back after a restart, the same for two daemons, erased in time."""

import gzip
import logging
from dataclasses import replace
from functools import partial

import pytest

from telemon.ami.events import NEEDLES, WANTED
from telemon.ami.wire import Parser
from telemon.config import load
from telemon.errors import ConfigError
from telemon.instants import SECOND
from telemon.ledger.models import TABLES
from telemon.observer import Observer
from telemon.records import Flag, Outcome
from telemon.tracker import Tracker
from tests.core.test_recordings import RECORDINGS
from tests.ledger.callbacks_kit import HOUR, NATIONAL, SITE, Clock, answered, callbacks_of, lost, numbers, rows
from tests.ledger.kit import CANARY, T


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(tmp_path, engine, clock):
    return partial(callbacks_of, tmp_path, engine, clock)


def test_a_restart_keeps_the_list(make, engine):
    before = make()
    before.finished([lost(0), lost(7, NATIONAL, service="passeports"), lost(3, "0511223344")])
    before.exchange()
    after = make()
    assert after.entries() == ()
    after.exchange()
    assert after.entries() == before.entries()
    (one, other) = after.entries()
    assert (one.site, one.service, one.number, one.times) == (SITE, "passeports", NATIONAL, 2)
    assert (one.first_at, one.last_at) == (T + 30 * SECOND, T + 450 * SECOND)
    assert (other.number, other.times) == ("0511223344", 1)
    after.finished([lost(0), lost(7, NATIONAL)])  # a journal read again tells what is known
    assert after.entries() == before.entries()
    assert len(rows(engine)) == 2


def test_the_table_holds_no_number_in_clear_and_no_pseudonym_of_the_calls(make, engine):
    callbacks = make()
    callbacks.finished([lost()])
    callbacks.exchange()
    (row,) = rows(engine)
    assert NATIONAL[1:] not in repr(row)
    assert row.number.startswith("gAAAA")
    assert (row.site, row.service, row.last_outcome, row.times) == (SITE, "standard", "abandoned", 1)
    (entry,) = callbacks.entries()
    assert entry.id.isalnum()
    assert entry.id != row.caller


def test_the_key_is_its_owners_alone_and_made_once(make, tmp_path):
    make()
    key = tmp_path / "callbacks.key"
    assert key.stat().st_mode & 0o777 == 0o600
    first = key.read_bytes()
    make()
    assert key.read_bytes() == first


def test_a_key_file_that_cannot_be_used_says_so(make, tmp_path):
    (tmp_path / "callbacks.key").write_text("short")
    with pytest.raises(ConfigError, match=r"callbacks key .*callbacks.key: fewer than 32 bytes; "):
        make()
    (tmp_path / "callbacks.key").unlink()
    (tmp_path / "callbacks.key").mkdir()
    with pytest.raises(ConfigError, match=r"callbacks key .*: Is a directory; "):
        make()


def test_whoever_got_through_is_gone_and_his_number_erased_at_once(make, engine):
    callbacks = make()
    callbacks.finished([lost(0), lost(1, "0511223344")])
    callbacks.exchange()
    callbacks.finished([answered(10, NATIONAL)])
    assert numbers(callbacks) == ["0511223344"]
    callbacks.exchange()
    tombstone = next(row for row in rows(engine) if not row.number)
    assert (tombstone.service, tombstone.last_outcome, tombstone.times) == ("", "", 0)
    again = make()
    again.exchange()
    again.finished([lost(0)])  # told late, or by a journal read again
    assert numbers(again) == ["0511223344"]


def test_marked_by_hand_he_stays_gone_until_he_is_lost_again(make, caplog):
    callbacks = make()
    callbacks.finished([lost(0)])
    callbacks.exchange()
    (entry,) = callbacks.entries()
    with caplog.at_level(logging.INFO):
        assert callbacks.done(entry.id, "alice")
    assert "pref31 was taken off the list by alice" in caplog.text
    assert not callbacks.done(entry.id, "alice")
    assert not callbacks.done("nobody", "alice")
    callbacks.exchange()
    again = make()
    again.exchange()
    again.finished([lost(0)])
    assert again.entries() == ()
    again.finished([lost(20)])
    assert [entry.times for entry in again.entries()] == [1]


def test_a_click_settles_what_was_lost_until_then_and_nothing_later(make):
    callbacks = make()
    callbacks.finished([lost(0)])
    (shown,) = callbacks.entries()
    assert callbacks.done(shown.id, "alice")
    callbacks.finished([lost(2)])
    (entry,) = callbacks.entries()
    assert (entry.id, entry.times) == (shown.id, 1)


def test_who_never_stands_on_the_list(make):
    callbacks = make("minimum_digits = 6")
    callbacks.finished([
        lost(0, ""), lost(1, "anonymous"), lost(2, "12345"), lost(3, "<b>alice</b>"),
        lost(4, is_probe=True), replace(lost(5), flags=(Flag.INTERNAL,)), replace(lost(6), outcome=Outcome.CLOSED),
        replace(lost(7), outcome=Outcome.UNKNOWN, ended_at=None),
        replace(lost(8), ended_at=lost(8).arrived_at + SECOND),
    ])  # fmt: skip
    assert callbacks.entries() == ()
    assert callbacks.lost_total == 0
    callbacks.finished([lost(9, "123456")])
    assert numbers(callbacks) == ["123456"]


def test_a_test_call_that_was_answered_takes_nobody_off(make):
    callbacks = make()
    callbacks.finished([lost(0), answered(1, is_probe=True)])
    assert numbers(callbacks) == [CANARY]


def test_who_was_lost_on_a_second_line_while_talking_on_the_first_is_not_called_back(make):
    callbacks = make()
    talk = answered(0)
    assert talk.ended_at is not None
    inside = replace(lost(0), call_id="second line", ended_at=talk.ended_at - SECOND)
    beyond = replace(lost(0), call_id="second line", ended_at=talk.ended_at + SECOND)
    callbacks.finished([inside, talk])
    assert callbacks.entries() == ()
    callbacks.finished([beyond])
    assert numbers(callbacks) == [CANARY]


def test_each_site_has_its_own_list_whatever_pbx_it_was(make):
    pbxs = [("a", "pref31"), ("b", "pref31"), ("c", "pref09")]
    head = "".join(f'[[pbx]]\nname = "{name}"\nsite = "{site}"\n' for name, site in pbxs)
    callbacks = make(head=head)
    callbacks.finished([lost(0, site="pref31/a"), lost(1, site="pref09")])
    assert [entry.site for entry in callbacks.entries()] == ["pref09", "pref31"]
    callbacks.finished([replace(answered(5), site="pref31/b")])
    assert [entry.site for entry in callbacks.entries()] == ["pref09"]


def test_after_its_hours_a_number_is_gone_from_list_and_table(make, engine, clock):
    callbacks = make("keep_hours = 2")
    callbacks.finished([lost(0), lost(59, "0511223344")])
    callbacks.exchange()
    clock.now = T + 2 * HOUR + 29 * SECOND
    callbacks.exchange()
    assert len(rows(engine)) == len(callbacks.entries()) == 2
    clock.now += SECOND
    assert numbers(callbacks) == ["0511223344"]
    callbacks.exchange()
    assert len(rows(engine)) == 1
    clock.now += 2 * HOUR
    make("keep_hours = 2").exchange()  # a daemon that never heard of it
    assert rows(engine) == []


def test_a_tombstone_is_removed_when_the_number_would_have_been(make, engine, clock):
    callbacks = make("keep_hours = 2")
    callbacks.finished([lost(0)])
    callbacks.exchange()
    callbacks.finished([answered(50)])
    callbacks.exchange()
    assert len(rows(engine)) == 1
    clock.now = T + 2 * HOUR + 30 * SECOND
    callbacks.exchange()
    assert rows(engine) == []


def test_switched_off_it_keeps_nothing_and_erases_what_was_there(make, engine):
    make_before = make()
    make_before.finished([lost(0)])
    make_before.exchange()
    callbacks = make("keep_hours = 0")
    callbacks.finished([lost(1)])
    callbacks.exchange()
    assert callbacks.entries() == ()
    assert rows(engine) == []


def test_two_daemons_on_one_ledger_come_to_the_same_list(make, engine):
    one, other = make(), make()
    one.finished([lost(0), lost(1, "0511223344"), lost(2, "0522334455")])
    other.finished([lost(0), lost(4, NATIONAL), lost(9, "0533445566")])  # both saw the first, each missed some
    for callbacks in (one, other, one):
        callbacks.exchange()
    assert one.entries() == other.entries()
    assert [(entry.number, entry.times) for entry in one.entries()] == [
        ("0533445566", 1), (NATIONAL, 2), ("0522334455", 1), ("0511223344", 1),
    ]  # fmt: skip
    one.finished([answered(10)])
    other.done(other.entries()[-1].id, "bob")
    for callbacks in (one, other, one):
        callbacks.exchange()
    assert numbers(one) == numbers(other) == ["0533445566", "0522334455"]
    before = rows(engine)
    for callbacks in (one, other, one):
        callbacks.exchange()
    assert rows(engine) == before  # and then they leave each other in peace


def test_the_one_who_heard_of_the_answer_first_takes_off_what_the_other_tells_later(make):
    one, other = make(), make()
    one.finished([answered(10)])
    one.exchange()
    other.finished([lost(0)])
    for callbacks in (other, one, other):
        callbacks.exchange()
    assert one.entries() == other.entries() == ()


def test_rows_of_another_key_are_left_out_with_a_warning_and_expire(make, engine, tmp_path, clock, caplog):
    before = make()
    before.finished([lost(0)])
    before.exchange()
    (tmp_path / "callbacks.key").unlink()
    callbacks = make()
    callbacks.finished([lost(1, NATIONAL)])
    for _ in range(3):
        callbacks.exchange()
    assert numbers(callbacks) == [NATIONAL]
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "1 lost callers in the ledger were closed with another key" in warning.getMessage()
    assert len(rows(engine)) == 2
    clock.now += 25 * HOUR
    callbacks.exchange()
    assert rows(engine) == []


def test_a_damaged_row_is_left_out(make, engine):
    callbacks = make()
    callbacks.finished([lost(0), lost(1, "0511223344")])
    callbacks.exchange()
    with engine.begin() as connection:
        table = TABLES["lost_callers"]
        connection.execute(table.update().where(table.c.times == 1).values(number="gAAAA damaged"))
    again = make()
    again.exchange()
    assert again.entries() == ()
    callbacks.exchange()  # whoever still knows them writes them again
    again.exchange()
    assert again.entries() == callbacks.entries() != ()


def test_a_thousand_callers_are_written_and_read(make):
    callbacks = make()
    callbacks.finished([lost(number % 59, f"06{number:08}") for number in range(1000)])
    callbacks.exchange()
    again = make()
    again.exchange()
    assert again.entries() == callbacks.entries()
    assert len(again.entries()) == 1000


def test_what_a_journal_told_of_calls_out_before_anybody_listened_is_heard(make):
    observer = Observer("pbx", Tracker(SITE))
    data = gzip.decompress((RECORDINGS / "22" / "q1_outbound.ami.gz").read_bytes())
    observer.take(Parser(WANTED, NEEDLES, capture=True).receive_data(data), 0)
    callbacks = make()
    callbacks.finished([lost(0, "+33690000009"), lost(1)])
    assert len(callbacks.entries()) == 2
    callbacks.attend(observer)
    assert numbers(callbacks) == [CANARY]


def test_another_rule_set_holds_from_now_on(make, tmp_path):
    callbacks = make()
    path = tmp_path / "lax.toml"
    path.write_text(
        'rule_set = "lax"\n[rule_sets.lax]\nversion = "1"\nvalid_from = 2020-01-01\ntitle_fr = "x"\ntitle_en = "x"\n'
        'lost = ["busy"]\n'
    )
    callbacks.finished([lost(0)])
    callbacks.reconfigure(load(path))
    callbacks.finished([lost(1, "0511223344"), replace(lost(2, "0522334455"), outcome=Outcome.BUSY)])
    assert numbers(callbacks) == ["0522334455", CANARY]


def test_a_call_before_the_rule_set_was_valid_is_read_under_its_first_version(make, tmp_path):
    callbacks = make()
    path = tmp_path / "future.toml"
    path.write_text(
        'rule_set = "new"\n[rule_sets.new]\nversion = "1"\nvalid_from = 2100-01-01\ntitle_fr = "x"\ntitle_en = "x"\n'
    )
    callbacks.reconfigure(load(path))
    callbacks.finished([lost(0)])
    assert numbers(callbacks) == [CANARY]
