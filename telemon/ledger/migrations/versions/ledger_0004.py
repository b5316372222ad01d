"""Who could answer, hour by hour, and the lost callers who are to be called back.

There is no way back but a backup made before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "attendance",
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("site", "service", "observer")),
        sa.Column("hour", INSTANT, primary_key=True),
        *(sa.Column(name, sa.Float(), nullable=False) for name in ("seen_seconds", "present_seconds", "talking_seconds")),
    )
    op.create_table(
        "lost_callers",
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("site", "caller")),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("service", "number", "last_outcome")),
        sa.Column("times", sa.Integer(), nullable=False),
        *(sa.Column(name, INSTANT, nullable=False) for name in ("first_at", "last_at", "expires_at")),
    )
    op.create_index("ix_lost_callers_expires_at", "lost_callers", ["expires_at"])
