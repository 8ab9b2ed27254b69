"""
What differs between SQLite, PostgreSQL and MySQL: how each is opened, and which of its errors pass.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from nova_tx.errors import StartupError
from nova_tx.flags import SqlFlags
from nova_tx.registry import choose

#: Threads of a server database, and connections of its pool.
SERVER_THREADS = 8

#: Seconds after which a server that says nothing counts as not there.
_CONNECT = 5
#: Seconds that a statement waits for another transaction, at most.
_WAIT = 10
#: Seconds after which a connection on which nothing is acknowledged is dead.
_SILENCE = 30

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_SERVER_OPTIONS: dict[str, dict[str, Any]] = {
    "postgresql": {
        "connect_timeout": _CONNECT,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "tcp_user_timeout": _SILENCE * 1000,
    },
    "mysql": {
        "connect_timeout": _CONNECT,
        "read_timeout": _SILENCE,
        "write_timeout": _SILENCE,
        "init_command": f"SET SESSION innodb_lock_wait_timeout={_WAIT}",
    },
}

#: Another transaction was in the way, and this one was rolled back: serialisation, deadlock,
#: lock not got in time.
_CONTENDED_SQLSTATES = ("40001", "40P01", "55P03")
_CONTENDED_MYSQL = (1205, 1213)
#: The server can't serve: it stops, starts, has no connection left, or ended this one.
_GONE_SQLSTATES = ("57P01", "57P02", "57P03", "53300")
_GONE_MYSQL = (1040, 1053, 1927, 2006, 2013, 4031)


def create(flags: SqlFlags) -> Engine:
    """
    SQLAlchemy's engine for a URL; nothing is opened yet.

    A driver that the URL leaves out is psycopg or PyMySQL.

    @raise StartupError: C{sql_connection} is no database URL, or its driver is
        not installed; or C{db_backend} or C{db_driver} is another. The text
        has nothing of the URL in it but the driver.
    """
    choose({"sqlalchemy": create_engine}, flags.db_backend, "--db_backend")
    choose({"nova.db.api": create_engine}, flags.db_driver, "--db_driver")
    try:
        url = make_url(flags.sql_connection)
    except (ArgumentError, ValueError):
        raise StartupError(
            "--sql_connection is no database URL, such as sqlite:////var/lib/nova.sqlite or"
            " postgresql://user:password@host/database (in a password, write % as %25,"
            " @ as %40, / as %2F, : as %3A)"
        ) from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    # values of a statement may be secrets: they are in no error's text
    options: dict[str, Any] = {"pool_recycle": flags.sql_idle_timeout, "hide_parameters": True}
    backend = url.get_backend_name()
    if backend == "sqlite":
        options["connect_args"] = {"check_same_thread": False, "timeout": _WAIT}
        if in_memory(url):
            options["poolclass"] = StaticPool
    else:
        family = "mysql" if backend == "mariadb" else backend
        options["connect_args"] = _SERVER_OPTIONS.get(family, {})
        options.update(pool_size=SERVER_THREADS, max_overflow=0, pool_pre_ping=True)
        options["isolation_level"] = "READ COMMITTED"
    try:
        engine = create_engine(url, **options)
    except NoSuchModuleError:
        raise StartupError(f"--sql_connection: no such database as {url.drivername}") from None
    except ImportError as error:
        raise StartupError(
            f"--sql_connection: {url.drivername} needs the Python package {error.name}"
        ) from None
    if backend == "sqlite":
        _tune_sqlite(engine)
    return engine


def in_memory(url: URL) -> bool:
    """Whether it is an SQLite that is gone with its connection."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def absent(url: URL) -> bool:
    """Whether it is an SQLite whose file is not there: who connects to it makes one."""
    path = url.database or ""
    kept = url.get_backend_name() == "sqlite" and not in_memory(url)
    return kept and not path.startswith("file:") and not os.path.exists(path)


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "do_connect")
    def private(*_: object) -> None:
        if absent(engine.url):
            _make_private(str(engine.url.database))

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # BEGIN is ours
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("nova_write", True)
        # a reader that writes would fail only when another one writes: let it fail always
        if connection.info.get("nova_write") != write:
            connection.exec_driver_sql(f"PRAGMA query_only={int(not write)}")
            connection.info["nova_write"] = write
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _make_private(path: str) -> None:
    """Make the file, and its directory, for this user alone: users' secrets are in it."""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        pass  # SQLite fails at the same thing, and says so


def contended(error: DBAPIError) -> bool:
    """Whether another transaction was in the way, and nothing of this one was written."""
    if isinstance(error.orig, sqlite3.OperationalError):
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return _is(error, _CONTENDED_SQLSTATES, _CONTENDED_MYSQL)


def lost(error: DBAPIError) -> bool:
    """Whether the connection broke, or the server ended it."""
    return error.connection_invalidated or _is(error, _GONE_SQLSTATES, _GONE_MYSQL)


def _is(error: DBAPIError, sqlstates: tuple[str, ...], mysql: tuple[int, ...]) -> bool:
    if getattr(error.orig, "sqlstate", None) in sqlstates:
        return True
    arguments: tuple[object, ...] = getattr(error.orig, "args", ())
    return len(arguments) > 0 and arguments[0] in mysql


def reason(error: DBAPIError) -> str:
    """The first line of what the driver said."""
    lines = str(error.orig).strip().splitlines()
    return lines[0] if lines else type(error.orig).__name__
