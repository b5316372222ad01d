"""Alembic's entry: runs the migrations on the connection that ``telemon.ledger.store.open_ledger`` hands over."""

from alembic import context
from sqlmodel import SQLModel

import telemon.ledger.models  # noqa: F401 - fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    transactional_ddl=True,  # open_ledger has begun the transaction: all migrations, or none
)
with context.begin_transaction():
    context.run_migrations()
