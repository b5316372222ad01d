"""Cover of the permanence, test calls, who signed in, and crisis cells.

There is no way back but a backup made before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "coverage",
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("site", "service", "observer")),
        sa.Column("started_at", INSTANT, primary_key=True),
        sa.Column("ended_at", INSTANT),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("cause", sa.String()),
    )
    _create_probes()
    op.create_table(
        "presences",
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("site", "officer")),
        sa.Column("at", INSTANT, primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("action", "through", "extension")),
    )
    _create_crises()


def _create_probes() -> None:
    op.create_table(
        "probes",
        sa.Column("probe_id", sa.String(), primary_key=True),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("site", "service", "pbx", "number", "ordered_by")
        ),
        sa.Column("ordered_at", INSTANT, nullable=False),
        sa.Column("result", sa.String()),
        sa.Column("call_id", sa.String()),
        *(sa.Column(name, INSTANT) for name in ("alerting_at", "answered_at", "confirmed_at", "ended_at")),
        sa.Column("answered_by", sa.String()),
        sa.Column("reason", sa.String(), nullable=False),
    )
    op.create_index("ix_probes_ordered_at", "probes", ["ordered_at"])


def _create_crises() -> None:
    op.create_table(
        "crises",
        sa.Column("crisis_id", sa.String(), primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("site", "service", "title")),
        sa.Column("is_exercise", sa.Boolean(), nullable=False),
        sa.Column("plan", sa.Integer(), nullable=False),
        sa.Column("deadline_seconds", sa.Float(), nullable=False),
        sa.Column("ordered_at", INSTANT, nullable=False),
        sa.Column("ordered_by", sa.String(), nullable=False),
        *(sa.Column(name, INSTANT) for name in ("staffed_at", "line_opened_at", "operational_at", "closed_at")),
        sa.Column("closed_by", sa.String(), nullable=False),
    )
    op.create_table(
        "crisis_members",
        sa.Column(
            "crisis_id", sa.String(), sa.ForeignKey("crises.crisis_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("person", sa.String(), primary_key=True),
        sa.Column("joined_at", INSTANT, primary_key=True),
        sa.Column("left_at", INSTANT),
        sa.Column("through", sa.String(), nullable=False),
    )
