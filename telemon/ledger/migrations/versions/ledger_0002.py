"""How complete each call is, who observed, which hours changed since they were rolled up, and what repairs read.

There is no way back but a backup made before: an older telemon would write calls without their completeness.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")

# As telemon.completeness had it when this was written. In PostgreSQL, jsonb is shown with quotes around each flag too.
_COMPLETENESS = """
    CASE WHEN outcome = 'unknown' THEN 0
         WHEN CAST(flags AS TEXT) LIKE '%"ended_in_gap"%' THEN 1
         WHEN provenance = 'imported' THEN 2
         WHEN provenance = 'repaired' THEN 4
         WHEN CAST(flags AS TEXT) LIKE '%"arrived_in_gap"%' OR CAST(flags AS TEXT) LIKE '%"answered_in_gap"%'
           OR CAST(flags AS TEXT) LIKE '%"alerted_in_gap"%' THEN 3
         WHEN CAST(flags AS TEXT) LIKE '%"seen_through_gap"%' THEN 5
         ELSE 6 END
"""
_HOURS = {  # since the epoch; SQLite holds instants as text
    "sqlite": "CAST(strftime('%s', substr(arrived_at, 1, 13) || '\\:00\\:00') AS INTEGER) / 3600",
    "postgresql": "CAST(floor(extract(epoch FROM arrived_at) / 3600) AS BIGINT)",
}


def upgrade() -> None:
    # Not by Alembic's batch mode: SQLite would drop the old table, and with it, by cascade, every attempt and transfer.
    op.add_column("calls", sa.Column("completeness", sa.SmallInteger(), server_default="0", nullable=False))
    op.execute(f"UPDATE calls SET completeness = {_COMPLETENESS}")
    _rebuild_observations()
    _create_stale_hours()
    _create_roll_ups()
    op.create_table(
        "source_calls",
        sa.Column("call_id", sa.String(), primary_key=True),
        sa.Column("source", sa.String(), primary_key=True),
        sa.Column("pbx", sa.String(), nullable=False),
        sa.Column("arrived_at", INSTANT, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_index("ix_source_calls_arrived_at", "source_calls", ["arrived_at"])


def _rebuild_observations() -> None:
    """Copy the table away and back: its primary key changes."""
    kept = "pbx, started_at, ended_at, state, cause"
    op.execute(f"CREATE TABLE observations_kept AS SELECT {kept} FROM observations")
    op.drop_table("observations")
    op.create_table(
        "observations",
        sa.Column("pbx", sa.String(), primary_key=True),
        sa.Column("observer", sa.String(), server_default=sa.text("''"), primary_key=True),
        sa.Column("started_at", INSTANT, primary_key=True),
        sa.Column("ended_at", INSTANT),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("cause", sa.String()),
    )
    op.execute(f"INSERT INTO observations ({kept}) SELECT {kept} FROM observations_kept")
    op.drop_table("observations_kept")


def _create_stale_hours() -> None:
    """Make the table, and mark every hour that has calls: nothing is rolled up yet."""
    op.create_table(
        "stale_hours",
        sa.Column("site", sa.String(), primary_key=True),
        sa.Column("hour", sa.BigInteger(), primary_key=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    hour = _HOURS[op.get_context().dialect.name]
    op.execute(f"INSERT INTO stale_hours (site, hour, generation) SELECT DISTINCT site, {hour}, 1 FROM calls")


def _create_roll_ups() -> None:
    op.create_table(
        "roll_ups",
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("site", "rules", "span")),
        sa.Column("start", INSTANT, primary_key=True),
        sa.Column("service", sa.String(), primary_key=True),
        sa.Column("body", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "roll_up_sets",
        sa.Column("site", sa.String(), primary_key=True),
        sa.Column("rules", sa.String(), primary_key=True),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("built_until", INSTANT),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sqlite_with_rowid=False,
    )
