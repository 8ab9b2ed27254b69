"""
How Alembic reaches the database: by the connection that L{nova_tx.db.upgrade} gives it.
"""

from __future__ import annotations

from alembic import context

from nova_tx.db.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # on MySQL what a migration has done stays done; elsewhere it is all or nothing
    transactional_ddl=context.config.attributes["connection"].dialect.name != "mysql",
)
with context.begin_transaction():
    context.run_migrations()
