"""
The database: functions run in its threads, one function one transaction.

SQLite has one thread that writes and a few that read; a server database has a
pool of threads for both.                                   [spec/12; dependencies]
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import StaticPool
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from nova_tx.errors import StartupError, Unavailable
from nova_tx.flags import SqlFlags

P = ParamSpec("P")
T = TypeVar("T")

_log = Logger()

#: Threads of a server database, and connections of its pool.
SERVER_THREADS = 8
#: Threads that read from SQLite beside the one that writes.
SQLITE_READERS = 4


def now() -> datetime:
    """The time as the tables hold it: naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


class IThreads(Protocol):
    """Where transactions run; tests run them inline."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def defer(self, fn: Callable[[], T]) -> Deferred[T]: ...


class Threads:
    """A named pool of threads."""

    def __init__(self, reactor: Any, name: str, count: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(1, count, name)

    def start(self) -> None:
        """Start the threads."""
        self._pool.start()

    def stop(self) -> None:
        """Wait for what is running, end the threads."""
        self._pool.stop()

    def defer(self, fn: Callable[[], T]) -> Deferred[T]:
        """Run C{fn} in a thread."""
        return deferToThreadPool(self._reactor, self._pool, fn)


class InlineThreads:
    """No threads: for tests, and for commands that have nothing else to do."""

    def start(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""

    def defer(self, fn: Callable[[], T]) -> Deferred[T]:
        """Run C{fn} now."""
        from twisted.internet.defer import execute

        return execute(fn)


class Database:
    """
    The one door to the tables.

    @ivar engine: SQLAlchemy's; for migrations, and for nobody else.
    """

    def __init__(
        self,
        flags: SqlFlags,
        reactor: Any,
        *,
        inline: bool = False,
    ) -> None:
        """
        Nothing is opened before L{open}.

        @param reactor: its threads and its clock.
        @param inline: run transactions in the calling thread.
        @raise StartupError: C{sql_connection} is no database URL.
        """
        self._flags = flags
        self._clock: IReactorTime = reactor
        self.engine, self._is_sqlite = _engine(flags)
        count = 1 if self._is_sqlite else SERVER_THREADS
        self._writers: IThreads
        self._readers: IThreads
        if inline:
            self._writers = self._readers = InlineThreads()
        elif self._is_sqlite and not _in_memory(flags):
            self._writers = Threads(reactor, "database-write", 1)
            self._readers = Threads(reactor, "database-read", SQLITE_READERS)
        else:
            self._writers = self._readers = Threads(reactor, "database", count)
        self._open = False

    async def open(self) -> None:
        """
        Reach the database, trying again as the flags say.

        @raise StartupError: it can't be reached; the text has no password in it.
        """
        self._start_threads()
        tries = max(1, self._flags.sql_max_retries)
        for attempt in range(1, tries + 1):
            try:
                await self._readers.defer(self._touch)
                return
            except DBAPIError as error:
                where = self.engine.url.render_as_string(hide_password=True)
                reason = str(error.orig).strip().splitlines()[0]
                if attempt == tries:
                    raise StartupError(f"can't reach the database {where}: {reason}") from None
                _log.warn("can't reach the database {where}: {reason}", where=where, reason=reason)
            await deferLater(self._clock, self._flags.sql_retry_interval)

    def _start_threads(self) -> None:
        if not self._open:
            self._open = True
            for threads in {id(each): each for each in (self._writers, self._readers)}.values():
                threads.start()

    async def close(self) -> None:
        """Wait for what is running and close every connection."""
        if self._open:
            self._open = False
            for threads in {id(each): each for each in (self._writers, self._readers)}.values():
                threads.stop()
        self.engine.dispose()

    def _touch(self) -> None:
        with self.engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")

    def run(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """
        Run C{fn(txn, ...)} in one transaction: all of it, or nothing.

        A transaction that lost against another one, or found its connection
        gone before it began, is run again: C{fn} touches nothing but the database.

        @raise Unavailable: the database does not answer.
        """
        return self._attempts(self._writers, True, lambda txn: fn(txn, *args, **kwargs), fn)

    def read(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """L{run} for a function that only reads; it never waits for a writer on SQLite."""
        return self._attempts(self._readers, False, lambda txn: fn(txn, *args, **kwargs), fn)

    async def _attempts(
        self, threads: IThreads, write: bool, work: Callable[[Connection], T], fn: Any
    ) -> T:
        for attempt in range(5):
            try:
                return await threads.defer(lambda: self._transaction(write, work))
            except DBAPIError as error:
                if not _may_repeat(error):
                    raise
                reason = str(error.orig).strip().splitlines()[0]
                _log.warn(
                    "transaction {name} is run again: {reason}", name=fn.__name__, reason=reason
                )
                await deferLater(self._clock, 0.05 * 2**attempt)
        raise Unavailable("the database does not answer")

    def _transaction(self, write: bool, work: Callable[[Connection], T]) -> T:
        with self.engine.connect() as connection:
            connection = connection.execution_options(nova_write=write)
            with connection.begin():
                return work(connection)


def _in_memory(flags: SqlFlags) -> bool:
    return make_url(flags.sql_connection).database in (None, "", ":memory:")


def _engine(flags: SqlFlags) -> tuple[Engine, bool]:
    try:
        url = make_url(flags.sql_connection)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        if url.drivername in ("mysql", "mariadb"):
            url = url.set(drivername=url.drivername + "+pymysql")
        is_sqlite = url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"pool_recycle": flags.sql_idle_timeout}
        if is_sqlite:
            options["connect_args"] = {"check_same_thread": False, "timeout": 30}
            if _in_memory(flags):
                options["poolclass"] = StaticPool
        else:
            options.update(pool_size=SERVER_THREADS, max_overflow=0, pool_pre_ping=True)
            if url.get_backend_name() in ("mysql", "mariadb"):
                options["isolation_level"] = "READ COMMITTED"
        engine = create_engine(url, **options)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StartupError(f"--sql_connection: {error}") from None
    if is_sqlite:
        _tune_sqlite(engine)
    return engine, is_sqlite


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # BEGIN is ours
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        database = engine.url.database
        if database and database != ":memory:" and os.path.exists(database):
            os.chmod(database, 0o600)  # users' secrets are in it

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("nova_write", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _may_repeat(error: DBAPIError) -> bool:
    """Nothing of it was written: connection lost, deadlock, serialisation, SQLite busy."""
    if error.connection_invalidated:
        return True
    original: Any = error.orig
    if isinstance(original, sqlite3.OperationalError):
        return "locked" in str(original)
    if getattr(original, "sqlstate", None) in ("40001", "40P01"):
        return True
    arguments: list[object] = list(getattr(original, "args", ()))
    return bool(arguments) and arguments[0] in (1205, 1213, 2002, 2003, 2006, 2013)
