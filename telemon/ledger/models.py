"""The ledger's tables.

Instants are aware UTC datetimes with microseconds, ``*_seconds`` are seconds. ``caller`` is a pseudonym, and so is any
number inside ``operator``, ``answered_by`` and ``to`` (see ``telemon.privacy``). Changing a table needs a migration.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, SmallInteger, Text, text
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetime: ``timestamptz`` in PostgreSQL; in SQLite, text as ``telemon.instants.to_iso`` writes it.

    The text has a fixed width, so it sorts by time.
    """

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite has no type that holds a zone."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else SqlDateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse a naive datetime: it names no instant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value.isoformat()}: it names no instant")
        utc = value.astimezone(UTC)
        return utc.isoformat(timespec="microseconds") if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return what was stored, in UTC whatever the session's zone."""
        if value is None:
            return None
        moment: datetime = datetime.fromisoformat(value) if dialect.name == "sqlite" else value
        return moment.astimezone(UTC)


JsonList = JSON().with_variant(JSONB(), "postgresql")


class Call(SQLModel, table=True):
    """One call, once it is over; see ``telemon.records.CallRecord``."""

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_service_arrived_at", "service", "arrived_at"),
        Index("ix_calls_arrived_at", "arrived_at"),
    )

    call_id: str = Field(primary_key=True)
    site: str
    service: str
    service_kind: str
    ddi: str
    caller: str
    linkedid: str
    arrived_at: datetime = Field(sa_type=UtcDateTime)
    alerting_at: datetime | None = Field(sa_type=UtcDateTime)
    operator_ringing_at: datetime | None = Field(sa_type=UtcDateTime)
    operator_up_at: datetime | None = Field(sa_type=UtcDateTime)
    answered_at: datetime | None = Field(sa_type=UtcDateTime)
    answered_not_before: datetime | None = Field(sa_type=UtcDateTime)
    machine_answered_at: datetime | None = Field(sa_type=UtcDateTime)
    diverted_at: datetime | None = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(sa_type=UtcDateTime)
    outcome: str
    ended_by: str | None
    answered_by: str | None
    wait_seconds: float | None
    ring_seconds: float | None
    operator_ring_seconds: float | None
    talk_seconds: float | None
    hold_seconds: float
    rings: int | None = Field(sa_type=BigInteger)  # a PBX whose clock jumps must not overflow it
    queues: list[str] = Field(sa_type=JsonList)
    hangup_cause: int | None = Field(sa_type=BigInteger)
    is_probe: bool
    flags: list[str] = Field(sa_type=JsonList)
    provenance: str
    completeness: int = Field(sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})


class RingAttempt(SQLModel, table=True):
    """One operator's leg alerted for one call, in the order of the call."""

    __tablename__ = "ring_attempts"
    __table_args__ = {"sqlite_with_rowid": False}  # one b-tree to write, not two

    call_id: str = Field(foreign_key="calls.call_id", ondelete="CASCADE", primary_key=True)
    position: int = Field(primary_key=True)
    operator: str
    started_at: datetime = Field(sa_type=UtcDateTime)
    ringing_at: datetime | None = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(sa_type=UtcDateTime)
    result: str


class Transfer(SQLModel, table=True):
    """One time the caller was handed on after the answer, in the order of the call."""

    __tablename__ = "transfers"
    __table_args__ = {"sqlite_with_rowid": False}

    call_id: str = Field(foreign_key="calls.call_id", ondelete="CASCADE", primary_key=True)
    position: int = Field(primary_key=True)
    kind: str
    to: str
    at: datetime = Field(sa_type=UtcDateTime)
    result: str


class Observation(SQLModel, table=True):
    """One interval in which a PBX was watched (``seen``) or not (``gap``); see ``telemon.observation.Interval``."""

    __tablename__ = "observations"

    pbx: str = Field(primary_key=True)
    observer: str = Field(primary_key=True, sa_column_kwargs={"server_default": text("''")})
    started_at: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    ended_at: datetime | None = Field(sa_type=UtcDateTime)
    state: str
    cause: str | None


class StaleHour(SQLModel, table=True):
    """One hour of one site whose calls changed since its roll-ups were built; ``generation`` counts the changes.

    ``hour`` is the number of whole hours in UTC from the epoch to the calls' arrival.
    """

    __tablename__ = "stale_hours"
    __table_args__ = {"sqlite_with_rowid": False}

    site: str = Field(primary_key=True)
    hour: int = Field(sa_type=BigInteger, primary_key=True)
    generation: int = Field(sa_type=BigInteger)


class RollUp(SQLModel, table=True):
    """The figures of one service in one hour, day, month or year under one rule set; ``body`` is JSON."""

    __tablename__ = "roll_ups"
    __table_args__ = {"sqlite_with_rowid": False}  # the days of a year, of all services, lie side by side

    site: str = Field(primary_key=True)
    rules: str = Field(primary_key=True)
    span: str = Field(primary_key=True)
    start: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    service: str = Field(primary_key=True)
    body: str = Field(sa_type=Text)


class RollUpSet(SQLModel, table=True):
    """The rule sets that a site has roll-ups for, and how far they reach."""

    __tablename__ = "roll_up_sets"
    __table_args__ = {"sqlite_with_rowid": False}

    site: str = Field(primary_key=True)
    rules: str = Field(primary_key=True)
    label: str
    built_until: datetime | None = Field(sa_type=UtcDateTime)
    complete: bool


class SourceCall(SQLModel, table=True):
    """One call as one of Asterisk's own records tells it, or as telemon saw it before a repair; ``body`` is JSON."""

    __tablename__ = "source_calls"
    __table_args__ = (Index("ix_source_calls_arrived_at", "arrived_at"),)

    call_id: str = Field(primary_key=True)
    source: str = Field(primary_key=True)
    pbx: str
    arrived_at: datetime = Field(sa_type=UtcDateTime)
    body: str = Field(sa_type=Text)


class CoverRow(SQLModel, table=True):
    """One stretch of one permanence in one state; see ``telemon.duty_records.CoverInterval``."""

    __tablename__ = "coverage"

    site: str = Field(primary_key=True)
    service: str = Field(primary_key=True)
    observer: str = Field(primary_key=True)
    started_at: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    ended_at: datetime | None = Field(sa_type=UtcDateTime)
    state: str
    cause: str | None


class ProbeRow(SQLModel, table=True):
    """One test call; see ``telemon.duty_records.Probe``."""

    __tablename__ = "probes"
    __table_args__ = (Index("ix_probes_ordered_at", "ordered_at"),)

    probe_id: str = Field(primary_key=True)
    site: str
    service: str
    pbx: str
    number: str
    ordered_by: str
    ordered_at: datetime = Field(sa_type=UtcDateTime)
    result: str | None
    call_id: str | None
    alerting_at: datetime | None = Field(sa_type=UtcDateTime)
    answered_at: datetime | None = Field(sa_type=UtcDateTime)
    confirmed_at: datetime | None = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(sa_type=UtcDateTime)
    answered_by: str | None
    reason: str


class PresenceRow(SQLModel, table=True):
    """One time an officer signed in or out; see ``telemon.duty_records.PresenceChange``."""

    __tablename__ = "presences"

    site: str = Field(primary_key=True)
    officer: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    action: str
    through: str
    extension: str


class CrisisRow(SQLModel, table=True):
    """One crisis cell; see ``telemon.duty_records.Crisis``."""

    __tablename__ = "crises"

    crisis_id: str = Field(primary_key=True)
    site: str
    service: str
    title: str
    is_exercise: bool
    plan: int
    deadline_seconds: float
    ordered_at: datetime = Field(sa_type=UtcDateTime)
    ordered_by: str
    staffed_at: datetime | None = Field(sa_type=UtcDateTime)
    line_opened_at: datetime | None = Field(sa_type=UtcDateTime)
    operational_at: datetime | None = Field(sa_type=UtcDateTime)
    closed_at: datetime | None = Field(sa_type=UtcDateTime)
    closed_by: str


class CrisisMemberRow(SQLModel, table=True):
    """Somebody's stay in a crisis cell; see ``telemon.duty_records.CrisisMember``."""

    __tablename__ = "crisis_members"

    crisis_id: str = Field(foreign_key="crises.crisis_id", ondelete="CASCADE", primary_key=True)
    person: str = Field(primary_key=True)
    joined_at: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    left_at: datetime | None = Field(sa_type=UtcDateTime)
    through: str


class AttendanceRow(SQLModel, table=True):
    """Who could answer in one hour; see ``telemon.duty_records.Attendance``."""

    __tablename__ = "attendance"

    site: str = Field(primary_key=True)
    service: str = Field(primary_key=True)
    observer: str = Field(primary_key=True)
    hour: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    seen_seconds: float
    present_seconds: float
    talking_seconds: float


class LostCallerRow(SQLModel, table=True):
    """One caller whose last call was lost; ``number`` is encrypted, and erased with the row (``telemon.callbacks``)."""

    __tablename__ = "lost_callers"
    __table_args__ = (Index("ix_lost_callers_expires_at", "expires_at"),)

    site: str = Field(primary_key=True)
    caller: str = Field(primary_key=True)
    service: str
    number: str
    last_outcome: str
    times: int
    first_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


TABLES = SQLModel.metadata.tables
