"""The first ledger: calls, their ring attempts and transfers, and when each PBX was watched."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
LIST = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    _create_calls()
    _create_children()
    op.create_table(
        "observations",
        sa.Column("pbx", sa.String(), primary_key=True),
        sa.Column("started_at", INSTANT, primary_key=True),
        sa.Column("ended_at", INSTANT),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("cause", sa.String()),
    )


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("call_id", sa.String(), primary_key=True),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("site", "service", "service_kind", "ddi", "caller", "linkedid")
        ),
        sa.Column("arrived_at", INSTANT, nullable=False),
        *(
            sa.Column(name, INSTANT)
            for name in (
                "alerting_at",
                "operator_ringing_at",
                "operator_up_at",
                "answered_at",
                "answered_not_before",
                "machine_answered_at",
                "diverted_at",
                "ended_at",
            )
        ),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("ended_by", sa.String()),
        sa.Column("answered_by", sa.String()),
        *(
            sa.Column(name, sa.Float())
            for name in ("wait_seconds", "ring_seconds", "operator_ring_seconds", "talk_seconds")
        ),
        sa.Column("hold_seconds", sa.Float(), nullable=False),
        sa.Column("rings", sa.BigInteger()),
        sa.Column("queues", LIST, nullable=False),
        sa.Column("hangup_cause", sa.BigInteger()),
        sa.Column("is_probe", sa.Boolean(), nullable=False),
        sa.Column("flags", LIST, nullable=False),
        sa.Column("provenance", sa.String(), nullable=False),
    )
    op.create_index("ix_calls_service_arrived_at", "calls", ["service", "arrived_at"])
    op.create_index("ix_calls_arrived_at", "calls", ["arrived_at"])


def _create_children() -> None:
    op.create_table(
        "ring_attempts",
        _call_id(),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ringing_at", INSTANT),
        sa.Column("ended_at", INSTANT),
        sa.Column("result", sa.String(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "transfers",
        _call_id(),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("to", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sqlite_with_rowid=False,
    )


def _call_id() -> sa.Column[str]:
    return sa.Column("call_id", sa.String(), sa.ForeignKey("calls.call_id", ondelete="CASCADE"), primary_key=True)


def downgrade() -> None:
    for table in ("observations", "transfers", "ring_attempts", "calls"):
        op.drop_table(table)
