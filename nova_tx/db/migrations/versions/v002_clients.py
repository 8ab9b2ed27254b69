"""
Version 2: what clients of today's EC2 expect to be kept.

A copy of what the schema gained then, since migrations do not change when it does.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import SchemaItem

revision = "2"
down_revision = "1"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Time = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
Name = String(255).with_variant(
    mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)
Long = Text().with_variant(
    mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)


def _table(name: str, *parts: SchemaItem) -> Table:
    """A table with the four columns that all have."""
    return Table(
        name,
        metadata,
        *parts,
        Column("created_at", Time, nullable=False),
        Column("updated_at", Time),
        Column("deleted_at", Time),
        Column("deleted", Boolean, nullable=False, default=False),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


images = Table("images", metadata, Column("id", Name, primary_key=True))

MADE = (
    _table(
        "image_permissions",
        Column("image_id", Name, ForeignKey(images.c.id), primary_key=True),
        Column("project_id", Name, primary_key=True, index=True),
    ),
    _table(
        "tags",
        Column("project_id", Name, primary_key=True),
        Column("resource_id", Name, primary_key=True),
        Column("key", Name, primary_key=True),
        Column("resource_type", Name, nullable=False),
        Column("value", Name, nullable=False),
        Index("ix_tags_resource_id", "resource_id"),
    ),
    _table(
        "client_tokens",
        Column("project_id", Name, primary_key=True),
        Column("action", Name, primary_key=True),
        Column("token", Name, primary_key=True),
        Column("fingerprint", Name, nullable=False),
        Column("result", Name, nullable=False),
    ),
    _table(
        "used_signatures",
        Column("digest", Name, primary_key=True),
        Column("expires_at", Time, nullable=False, index=True),
    ),
    _table(
        "lockouts",
        Column("access_key", Name, primary_key=True),
        Column("failures", Integer, nullable=False),
        Column("since", Time, nullable=False),
        Column("locked_until", Time),
    ),
)

ADDED = {
    "instances": (
        Column("build_attempts", Integer, nullable=False, server_default="0"),
        Column("disable_api_termination", Boolean, nullable=False, server_default=false()),
        Column("shutdown_behavior", Name, nullable=False, server_default="stop"),
        Column("block_devices", Long),
        Column("client_token", Name),
        Column("architecture", Name),
    ),
    "key_pairs": (Column("key_type", Name, nullable=False, server_default="rsa"),),
    "images": (Column("instance_id", Integer),),
}


def upgrade() -> None:
    """Add the columns, make the tables; fail where one is there already."""
    for table, columns in ADDED.items():
        for column in columns:
            op.add_column(table, column)
    op.create_index("ix_images_instance_id", "images", ["instance_id"])
    metadata.create_all(op.get_bind(), tables=list(MADE), checkfirst=False)
    op.create_index("ix_tags_deleted_at", "tags", ["deleted_at"])
    op.create_index("ix_client_tokens_age", "client_tokens", ["project_id", "created_at"])
