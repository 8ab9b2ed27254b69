"""
Version 5: sizes of instances that operators make.

A copy of what the schema gained then, since migrations do not change when it does.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Boolean, Column, DateTime, Integer, String
from sqlalchemy.dialects import mysql

revision = "5"
down_revision = "4"

Time = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
Name = String(255).with_variant(
    mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "instance_types",
        Column("name", Name, primary_key=True),
        Column("memory_mb", Integer, nullable=False),
        Column("vcpus", Integer, nullable=False),
        Column("local_gb", Integer, nullable=False),
        Column("flavorid", Integer, nullable=False),
        Column("swap", Integer, nullable=False),
        Column("rxtx_quota", Integer, nullable=False),
        Column("rxtx_cap", Integer, nullable=False),
        Column("created_at", Time, nullable=False),
        Column("updated_at", Time),
        Column("deleted_at", Time),
        Column("deleted", Boolean, nullable=False),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
