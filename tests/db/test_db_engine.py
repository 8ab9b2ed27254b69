"""The door to the tables: what is run again and what is not, opening, closing, threads."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, event, func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import eventAsText, globalLogPublisher

from nova_tx.db.clock import utc_now
from nova_tx.db.engine import LONGEST_PAUSE, Database
from nova_tx.db.schema import metadata, quotas
from nova_tx.errors import StartupError, Unavailable
from nova_tx.flags import SqlFlags

T = TypeVar("T")
MEMORY = SqlFlags(sql_connection="sqlite://")


def lost() -> DBAPIError:
    """What SQLAlchemy raises when the connection broke."""
    return OperationalError("", None, Exception("gone"), connection_invalidated=True)


def busy() -> DBAPIError:
    """What SQLAlchemy raises when another process writes to the SQLite file."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return OperationalError("", None, error)


def start(work: Awaitable[T]) -> Deferred[T]:
    """Run it as far as it goes."""

    async def wait() -> T:
        return await work

    return Deferred.fromCoroutine(wait())


def opened(clock: Clock, **options: Any) -> Database:
    """A database in memory with its tables."""
    database = Database(MEMORY, clock, inline=True, **options)
    metadata.create_all(database.engine)
    return database


class Failing:
    """Inserts a row, then fails with each of these errors in turn, then no more."""

    __name__ = "failing"

    def __init__(self, *errors: Exception, name: str = "p") -> None:
        self.errors = list(errors)
        self.name = name
        self.calls = 0

    def __call__(self, txn: Connection) -> int:
        self.calls += 1
        txn.execute(
            insert(quotas).values(project_id=f"{self.name}{self.calls}", created_at=utc_now())
        )
        if self.errors:
            raise self.errors.pop(0)
        return txn.execute(select(func.count()).select_from(quotas)).scalar_one()


class CommitsThatFail:
    """COMMIT is not answered for each of these errors in turn."""

    def __init__(self, database: Database, *errors: Exception) -> None:
        self.errors = list(errors)
        event.listen(database.engine, "commit", self)

    def __call__(self, _: Connection) -> None:
        if self.errors:
            raise self.errors.pop(0)


@pytest.mark.parametrize("error", [lost(), busy()])
def test_again(error: DBAPIError) -> None:
    """What the database failed before COMMIT is run again after a pause, from nothing."""
    clock = Clock()
    database = opened(clock)
    work = Failing(error)
    done = start(database.run(work))
    assert work.calls == 1 and not done.called
    clock.advance(1)
    assert (work.calls, done.result) == (2, 1)


def test_unknown_commit() -> None:
    """A write whose COMMIT was not answered is not run again: it may have been made."""
    database = opened(Clock())
    CommitsThatFail(database, lost())
    work = Failing()
    failed = start(database.run(work))
    assert failed.called and work.calls == 1
    with pytest.raises(Unavailable, match="made or not"):
        failed.result.raiseException()  # type: ignore[attr-defined]
    failed.addErrback(lambda _: None)


def test_commit_of_a_read() -> None:
    """A function that only reads is run again even then."""
    clock = Clock()
    database = opened(clock)
    CommitsThatFail(database, lost())
    done = start(database.read(lambda txn: txn.execute(select(1)).scalar_one()))
    clock.advance(1)
    assert done.result == 1


def test_commit_refused() -> None:
    """A COMMIT that the database itself refused is run again: nothing was made."""
    clock = Clock()
    database = opened(clock)
    CommitsThatFail(database, busy())
    work = Failing()
    done = start(database.run(work))
    clock.advance(1)
    assert (work.calls, done.result) == (2, 1)


async def test_own_failure() -> None:
    """The function's own failure comes out as it is, at once, and nothing is written."""
    database = opened(Clock())
    work = Failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await database.run(work)
    assert work.calls == 1
    assert await database.run(Failing()) == 1


async def test_no_values() -> None:
    """An error of the database names no values: they may be secrets."""
    database = opened(Clock())
    await database.run(Failing())
    with pytest.raises(IntegrityError) as caught:
        await database.run(Failing())
    assert "p1" not in str(caught.value)


def test_impatient() -> None:
    """After its patience a transaction fails with Unavailable."""
    clock = Clock()
    database = opened(clock, patience=10)
    work = Failing(*(lost() for _ in range(1000)))
    failed = start(database.run(work))
    clock.pump([0.1] * 90)
    assert not failed.called and work.calls > 4
    clock.pump([0.1] * 20)
    with pytest.raises(Unavailable, match="does not answer"):
        failed.result.raiseException()  # type: ignore[attr-defined]
    failed.addErrback(lambda _: None)
    assert clock.getDelayedCalls() == []


def test_patient() -> None:
    """Without a limit it is tried for ever, at intervals that grow to five seconds and no more."""
    clock = Clock()
    database = opened(clock, patience=None)
    work = Failing(*(lost() for _ in range(20_000)))
    done = start(database.run(work))
    clock.pump([LONGEST_PAUSE] * 100)
    calls = work.calls
    clock.pump([LONGEST_PAUSE] * 100)
    assert work.calls == calls + 100 and not done.called
    work.errors.clear()
    clock.advance(LONGEST_PAUSE)
    assert done.called


def test_logged_once() -> None:
    """An operator reads once that the database went, and once that it is back."""
    clock = Clock()
    database = opened(clock, patience=None)
    lines: list[str] = []

    def observer(event: Any) -> None:
        if event["log_level"].name != "debug":
            lines.append(eventAsText(event, includeTimestamp=False, includeSystem=False))

    globalLogPublisher.addObserver(observer)  # type: ignore[arg-type]
    try:
        works = [Failing(*(lost() for _ in range(9)), name=name) for name in "abc"]
        for work in works:
            start(database.run(work))
        clock.pump([LONGEST_PAUSE] * 20)
    finally:
        globalLogPublisher.removeObserver(observer)  # type: ignore[arg-type]
    assert lines == ["the database went away: gone", "the database answers again"]


async def test_closed_while_waiting() -> None:
    """Who waits for the next attempt when the database is closed gets Unavailable."""
    clock = Clock()
    database = opened(clock, patience=None)
    waiting = start(database.run(Failing(lost())))
    await database.close()
    with pytest.raises(Unavailable, match="time is up"):
        await waiting
    assert clock.getDelayedCalls() == []


def test_hurried_while_waiting() -> None:
    """A daemon that stops waits no longer for a database that is away."""
    clock = Clock()
    database = opened(clock, patience=None)
    waiting = start(database.run(Failing(lost())))
    database.hurry()
    with pytest.raises(Unavailable, match="time is up"):
        waiting.result.raiseException()  # type: ignore[attr-defined]
    waiting.addErrback(lambda _: None)
    late = start(database.run(Failing(*(lost() for _ in range(20_000)))))
    clock.pump([0.5] * 20)
    with pytest.raises(Unavailable, match="does not answer"):
        late.result.raiseException()  # type: ignore[attr-defined]
    late.addErrback(lambda _: None)
    assert clock.getDelayedCalls() == []


def test_cancelled_while_waiting() -> None:
    """Who stops waiting leaves no timer behind."""
    clock = Clock()
    waiting = start(opened(clock).run(Failing(lost())))
    waiting.cancel()
    with pytest.raises(CancelledError):
        waiting.result.raiseException()  # type: ignore[attr-defined]
    waiting.addErrback(lambda _: None)
    assert clock.getDelayedCalls() == []


async def test_reads_do_not_write() -> None:
    """A function that writes where it should only read fails, also when nobody else writes."""
    database = opened(Clock())
    with pytest.raises(OperationalError, match="readonly"):
        await database.read(Failing())
    assert await database.run(Failing()) == 1


def test_open_retries() -> None:
    """Opening is tried as often as the flags say; then one sentence, without the password."""
    clock = Clock()
    flags = SqlFlags(
        sql_connection="postgresql://nova:s3cret@/nova?host=/nonexistent",
        sql_max_retries=3,
        sql_retry_interval=7,
    )
    failed = start(Database(flags, clock, inline=True).open())
    clock.advance(7)
    assert not failed.called
    clock.advance(7)
    with pytest.raises(
        StartupError, match=r"can't reach the database postgresql.*/nonexistent"
    ) as caught:
        failed.result.raiseException()  # type: ignore[attr-defined]
    failed.addErrback(lambda _: None)
    assert "s3cret" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "nova", "mysql://nova@host:s3cret/nova", "oracle9://s3cret@host/nova", "sqlite:/s3cret"],
)
def test_bad_url(url: str) -> None:
    """What is no URL of a database is refused by a sentence with the flag, not the value."""
    with pytest.raises(StartupError, match=r"^--sql_connection") as caught:
        Database(SqlFlags(sql_connection=url), Clock())
    assert "s3cret" not in str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "state" / "nova.sqlite")


def in_file(path: str) -> Database:
    return Database(SqlFlags(sql_connection=f"sqlite:///{path}"), reactor)


async def test_private(file: str) -> None:
    """The file and its directory are made for this user alone, also what SQLite adds to them."""
    old = os.umask(0o022)
    database = in_file(file)
    try:
        await database.open()
        await database.run(lambda txn: metadata.create_all(txn))
        modes = {
            each.name: stat.S_IMODE(each.stat().st_mode) for each in Path(file).parent.iterdir()
        }
    finally:
        os.umask(old)
        await database.close()
    assert len(modes) == 3 and set(modes.values()) == {0o600}
    assert stat.S_IMODE(os.stat(os.path.dirname(file)).st_mode) == 0o700


async def test_at_once(file: str) -> None:
    """Writers and readers of one file do not get in each other's way, in one process or two."""
    databases = [in_file(file), in_file(file)]
    for each in databases:
        await each.open()
    try:
        await databases[0].run(lambda txn: metadata.create_all(txn))

        def add(txn: Connection, name: str) -> None:
            txn.execute(insert(quotas).values(project_id=name, created_at=utc_now()))

        def count(txn: Connection) -> int:
            return txn.execute(select(func.count()).select_from(quotas)).scalar_one()

        work: list[Deferred[Any]] = []
        for number in range(50):
            for which, each in enumerate(databases):
                work += [start(each.run(add, f"{which}-{number}")), start(each.read(count))]
        await gatherResults(work)
        assert await databases[0].read(count) == 100
    finally:
        for each in databases:
            await each.close()


async def test_threads(file: str) -> None:
    """Transactions run in threads of their own, which have names that say so."""
    database = in_file(file)
    await database.open()
    try:
        name = await database.run(lambda _: threading.current_thread().name)
        reader = await database.read(lambda _: threading.current_thread().name)
    finally:
        await database.close()
    assert name.startswith("PoolThread-database-")
    assert reader.startswith("PoolThread-database-read-")
    assert not [each for each in threading.enumerate() if "-database" in each.name]


async def test_close_waits(file: str) -> None:
    """Closing waits for a transaction that runs, and the reactor goes on meanwhile."""
    database = in_file(file)
    await database.open()
    finish = threading.Event()
    running = start(database.read(lambda _: finish.wait(60)))
    closing = start(database.close())
    await deferLater(reactor, 0.01)
    assert not closing.called and not running.called
    finish.set()
    await closing
    assert await running is True


async def test_not_open(file: str) -> None:
    """Before it is opened and after it is closed a database does not answer, and nobody hangs."""
    database = in_file(file)
    with pytest.raises(Unavailable, match="not open"):
        await database.read(lambda _: None)
    await database.open()
    await database.close()
    with pytest.raises(Unavailable, match="not open"):
        await database.run(lambda _: None)
    await database.close()


# What does not answer, and what is too much.


def at(path: str, **flags: Any) -> SqlFlags:
    return SqlFlags(sql_connection=f"sqlite:///{path}", **flags)


async def test_locked(file: str) -> None:
    """While another process holds the database, who writes is told in time, and who reads reads."""
    database = Database(at(file), reactor, patience=0.3)
    await database.open()
    metadata.create_all(database.engine)
    patient = Database(at(file), reactor, patience=60.0)
    await patient.open()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused = Failing(name="refused")
    with pytest.raises(Unavailable, match="does not answer"):
        await database.run(refused)
    assert await patient.read(counted) == 0
    other.execute("COMMIT")
    other.close()
    assert await patient.run(Failing(name="later")) == 1
    await patient.close()
    await database.close()


def counted(txn: Connection) -> int:
    """Rows that there are."""
    return txn.execute(select(func.count()).select_from(quotas)).scalar_one()


class Hourglass(Clock):
    """The reactor's threads; its time goes on when it is told to."""

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


async def test_refused_is_not_made(file: str) -> None:
    """A change whose caller was told that the database does not answer is not made afterwards."""
    clock = Hourglass()
    database = Database(at(file), clock, patience=10.0)
    await database.open()
    metadata.create_all(database.engine)
    begun, go_on = threading.Event(), threading.Event()
    working = Failing()

    def slow(txn: Connection) -> None:
        working(txn)
        begun.set()
        go_on.wait(60)

    running = start(database.run(slow))
    assert await deferToThread(begun.wait, 60)
    clock.advance(11)
    with pytest.raises(Unavailable, match="does not answer"):
        await running
    go_on.set()
    await database.close()
    again = Database(at(file), reactor)
    await again.open()
    assert (working.calls, await again.read(counted)) == (1, 0)
    await again.close()


async def test_abandoned_in_time(file: str) -> None:
    """Who gives up waiting for a thread leaves no alarm behind."""
    database = Database(at(file), reactor, patience=60.0)
    await database.open()
    go_on = threading.Event()
    waiting = start(database.read(lambda txn: go_on.wait(60)))
    waiting.cancel()
    with pytest.raises(CancelledError):
        await waiting
    go_on.set()
    await database.close()


async def test_a_bounded_crowd(file: str) -> None:
    """Beyond the bound transactions are refused at once; when others have ended there is room."""
    database = Database(at(file, sql_max_waiting=3), reactor)
    await database.open()
    go_on = threading.Event()
    waiting = [start(database.run(lambda txn: go_on.wait(60))) for _ in range(3)]
    with pytest.raises(Unavailable, match="too many transactions wait"):
        await database.run(lambda txn: None)
    go_on.set()
    await gatherResults(waiting)
    await database.run(lambda txn: None)
    await database.close()
