"""
The database's clock: the one that all hosts share.                    [spec/15 B38]
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import DateTime
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class utc_now(FunctionElement[Any]):
    """SQL: the time as the tables hold it, naive UTC with a fraction of a second."""

    type = DateTime()
    inherit_cache = True


@compiles(utc_now, "sqlite")
def _sqlite(element: utc_now, compiler: Any, **_: Any) -> str:
    # six digits, as SQLAlchemy writes them: SQLite compares texts
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@compiles(utc_now, "postgresql")
def _postgresql(element: utc_now, compiler: Any, **_: Any) -> str:
    return "timezone('utc', clock_timestamp())"


@compiles(utc_now, "mysql", "mariadb")
def _mysql(element: utc_now, compiler: Any, **_: Any) -> str:
    return "utc_timestamp(6)"
