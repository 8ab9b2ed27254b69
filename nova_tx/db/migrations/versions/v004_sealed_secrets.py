"""
Version 4: users' secrets as they are sealed, which takes more room than they do.

Rows of before keep theirs in C{secret_key} until they are sealed, C{db sync}'s next step.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, String
from sqlalchemy.dialects import mysql

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Add the column."""
    text = String(512).with_variant(
        mysql.VARCHAR(512, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )
    op.add_column("users", Column("secret", text))
