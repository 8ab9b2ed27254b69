"""What tables are made of: columns, of types that are the same on every database."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Times are naive UTC with microseconds (MySQL drops them unless told).
Time = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
#: Text is compared byte by byte on every database (MySQL folds case unless told).
Name = String(255).with_variant(
    mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)
Sealed = String(512).with_variant(
    mysql.VARCHAR(512, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)
Long = Text().with_variant(
    mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)


def table(name: str, *parts: SchemaItem) -> Table:
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


def number() -> Column[int]:
    """The key of tables whose rows are numbered."""
    return Column("id", Integer, primary_key=True, autoincrement=True)
