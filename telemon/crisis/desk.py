"""Where a crisis cell is opened, joined and closed: the same for a command, the web, a phone and the daemon.

The ledger is the one truth, so a cell can be called together while the daemon is down. Everything may be asked twice:
the second time nothing changes. All methods wait for the database; in an event loop, call them from a thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from telemon.crisis.stages import FIELDS, CrisisStatus, progress
from telemon.duty_records import Crisis, CrisisMember
from telemon.errors import CrisisError
from telemon.instants import from_datetime, to_datetime
from telemon.ledger.keeping_crises import add, end_crisis, end_stays, keeping, stamp_stages
from telemon.ledger.reader import snapshot
from telemon.ledger.reading_crises import crises_on, members_on, read_first_answer
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, Engine

    from telemon.crisis.stages import LineNow, Thresholds
    from telemon.instants import Duration, Instant

LONGEST_NAME: Final = 100
LONGEST_TITLE: Final = 200


class Answer(NamedTuple):
    """What became of a wish: how things stand now, whether it changed them, and the exercise that it ended, if any."""

    status: CrisisStatus
    changed: bool
    ended: Crisis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRules:
    """How many people a cell needs, within what time it must answer, and what must not be exceeded then."""

    staff: int
    deadline: Duration
    thresholds: Thresholds


def now() -> Instant:
    """Return this machine's time."""
    return from_datetime(datetime.now(UTC))


class CrisisDesk:
    """The crisis cell of one service.

    Args:
        engine: of the ledger.
        site: whose cell it is.
        service: of kind ``crisis``.
        call_sites: what the site's calls have as their site (``Config.call_site``).
        rules: for crises ordered from now on.
        aliases: other names of people, case-folded, with the one they are signed in by.
        clock: what time it is.
    """

    def __init__(
        self,
        engine: Engine,
        site: str,
        service: str,
        *,
        call_sites: Sequence[str],
        rules: CellRules,
        aliases: Mapping[str, str] | None = None,
        clock: Callable[[], Instant] = now,
    ) -> None:
        self.service = service
        self.rules = rules
        self._engine = engine
        self._site = site
        self._call_sites = tuple(call_sites)
        self._aliases = dict(aliases or {})
        self._clock = clock

    def status(self, line: LineNow | None = None) -> CrisisStatus | None:
        """Return the crisis that is open now with the stages that are proved, None if there is none.

        Raises:
            LedgerError: the database cannot be read.
        """
        status = self._stored()
        return None if status is None else replace(self._proved(status), line=line)

    def refresh(
        self, *, line_opened_at: Instant | None = None, first_answered_at: Instant | None = None
    ) -> CrisisStatus | None:
        """Stamp the stages that are proved now, and return the crisis that is open, None if there is none.

        Args:
            line_opened_at: since when the PBX says that the line is open.
            first_answered_at: when the first public call since the order was answered, seen live. What only the ledger
                tells of it is returned, but not stamped before the closure: an earlier call may still go on.

        Raises:
            LedgerError: the database cannot be read, or refuses.
        """
        stored = self._stored()
        if stored is None:
            return None
        told = progress(
            stored.crisis, stored.members, line_opened_at=line_opened_at, first_answered_at=first_answered_at
        )
        if told != stored.crisis:
            with keeping(self._engine) as connection:
                _stamp(connection, stored.crisis, told)
        return self._proved(replace(stored, crisis=told))

    def open(self, ordered_by: str, *, title: str = "", is_exercise: bool = False) -> Answer:
        """Order the cell; an exercise under way ends for a real crisis.

        Raises:
            CrisisError: an exercise cannot begin during a real crisis; or a name or title cannot be.
            LedgerError: the database refuses.
        """
        ordered_by, title = self._name(ordered_by), _title(title)
        with keeping(self._engine) as connection:
            running = self._open_on(connection)
            if running is not None and running.is_exercise is is_exercise:
                return Answer(self._status_on(connection, running), changed=False)
            at = self._clock()
            if running is not None:
                if is_exercise:
                    raise CrisisError(text()("crisis.real_open", service=self.service, crisis=running.crisis_id))
                end_crisis(connection, running.crisis_id, max(at, running.ordered_at), ordered_by)
            crisis = self._ordered(connection, at, ordered_by, title, is_exercise=is_exercise)
            add(connection, crisis)
            return Answer(self._status_on(connection, crisis), changed=True, ended=running)

    def join(self, person: str, *, through: str = "command") -> Answer:
        """Sign somebody in; ``through`` is ``command``, ``api`` or ``phone``.

        Raises:
            CrisisError: no crisis is open, or that is no name.
            LedgerError: the database refuses.
        """
        name = self._name(person)
        with keeping(self._engine) as connection:
            before = self._required_on(connection)
            name = _as_known(name, before)
            is_new = name not in before.people
            if is_new:
                crisis_id = before.crisis.crisis_id
                add(connection, CrisisMember(crisis_id=crisis_id, person=name, joined_at=before.now, through=through))
            members = members_on(connection, before.crisis.crisis_id)
            told = progress(before.crisis, members, line_opened_at=None, first_answered_at=None)
            _stamp(connection, before.crisis, told)
            return Answer(self._status_on(connection, told), changed=is_new)

    def leave(self, person: str) -> Answer:
        """Sign somebody out.

        Raises:
            CrisisError: no crisis is open, or nobody of that name was ever in the cell.
            LedgerError: the database refuses.
        """
        name = self._name(person)
        with keeping(self._engine) as connection:
            before = self._required_on(connection)
            name = _as_known(name, before)
            if name not in {member.person for member in before.members}:
                there = ", ".join(before.people) or text()("crisis.nobody")
                raise CrisisError(text()("crisis.never_joined", name=name, there=there))
            end_stays(connection, before.crisis.crisis_id, before.now, name)
            return Answer(self._status_on(connection, before.crisis), changed=name in before.people)

    def open_line(self) -> Answer:
        """Say that the line is open from now on.

        Raises:
            CrisisError: no crisis is open.
            LedgerError: the database refuses.
        """
        with keeping(self._engine) as connection:
            before = self._required_on(connection)
            told = progress(before.crisis, before.members, line_opened_at=before.now, first_answered_at=None)
            _stamp(connection, before.crisis, told)
            return Answer(replace(before, crisis=told), changed=told.line_opened_at != before.crisis.line_opened_at)

    def close(self, closed_by: str) -> Answer:
        """Close the cell; everybody leaves it. If none is open, the last one is returned as it is.

        Raises:
            CrisisError: there never was one, or that is no name.
            LedgerError: the database refuses.
        """
        closed_by = self._name(closed_by)
        proved = self.status()
        with keeping(self._engine) as connection:
            running = self._open_on(connection)
            if running is not None:
                if proved is not None and proved.crisis.crisis_id == running.crisis_id:
                    _stamp(connection, running, proved.crisis)
                end_crisis(connection, running.crisis_id, max(self._clock(), running.ordered_at), closed_by)
            last = next(iter(crises_on(connection, self._site, self.service, limit=1)), None)
            if last is None:
                raise CrisisError(text()("crisis.none_open", service=self.service))
            return Answer(self._status_on(connection, last), changed=running is not None)

    def _stored(self) -> CrisisStatus | None:
        with snapshot(self._engine) as connection:
            running = self._open_on(connection)
            return None if running is None else self._status_on(connection, running)

    def _proved(self, status: CrisisStatus) -> CrisisStatus:
        """Return the crisis with what the calls in the ledger prove of it."""
        crisis = status.crisis
        if crisis.operational_at is not None:
            return status
        end = max(crisis.ordered_at, status.now)
        first = read_first_answer(self._engine, self._call_sites, self.service, crisis.ordered_at, end)
        told = progress(crisis, status.members, line_opened_at=None, first_answered_at=first)
        return replace(status, crisis=told)

    def _open_on(self, connection: Connection) -> Crisis | None:
        return next(iter(crises_on(connection, self._site, self.service, is_open=True, limit=1)), None)

    def _required_on(self, connection: Connection) -> CrisisStatus:
        running = self._open_on(connection)
        if running is None:
            raise CrisisError(text()("crisis.none_open", service=self.service))
        return self._status_on(connection, running)

    def _status_on(self, connection: Connection, crisis: Crisis) -> CrisisStatus:
        members = members_on(connection, crisis.crisis_id)
        return CrisisStatus(crisis=crisis, members=members, now=max(self._clock(), crisis.ordered_at))

    def _ordered(self, connection: Connection, at: Instant, by: str, title: str, *, is_exercise: bool) -> Crisis:
        taken = {crisis.crisis_id for crisis in crises_on(connection, self._site, self.service)}
        first = f"{self._site}:{self.service}:{to_datetime(at).strftime('%Y-%m-%dT%H:%M:%SZ')}"
        names = (first if number == 1 else f"{first}-{number}" for number in count(1))  # two within one second
        return Crisis(
            crisis_id=next(name for name in names if name not in taken),
            site=self._site,
            service=self.service,
            title=title,
            is_exercise=is_exercise,
            plan=self.rules.staff,
            deadline=self.rules.deadline,
            ordered_at=at,
            ordered_by=by,
        )

    def _name(self, given: str) -> str:
        name = " ".join(given.split())
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise CrisisError(text()("crisis.bad_name", given=given[:LONGEST_NAME], limit=LONGEST_NAME))
        return self._aliases.get(name.casefold(), name)


def _stamp(connection: Connection, before: Crisis, told: Crisis) -> None:
    fields = [field for field in FIELDS.values() if getattr(told, field) != getattr(before, field)]
    stamp_stages(connection, before.crisis_id, {field: getattr(told, field) for field in fields})


def _as_known(name: str, status: CrisisStatus) -> str:
    """Return a name as it was first written in this cell."""
    return next((one.person for one in status.members if one.person.casefold() == name.casefold()), name)


def _title(given: str) -> str:
    title = " ".join(given.split())
    if len(title) > LONGEST_TITLE or not title.isprintable():
        raise CrisisError(text()("crisis.bad_title", limit=LONGEST_TITLE))
    return title
