"""
The database: functions run in its threads, one function one transaction.

SQLite has one thread that writes and a few that read; a server database has a
pool of threads for both.                                   [spec/12; dependencies]

When a transaction is run again
===============================

A transaction of which nothing can have been written is run again: no
connection was had, it was lost before COMMIT was sent (the server rolls back),
or another transaction was in the way (deadlock, serialisation, SQLite busy).

A transaction that lost its connection while COMMIT was on its way may have
been written or not; only its caller can find out, so it is not run again but
fails with L{Unavailable}.  Changes of state are compare-and-set: who asks
again finds the change made, or makes it.

All else is the function's own failure, and is raised as it is.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from nova_tx import metrics
from nova_tx.db import dialects
from nova_tx.db.threads import Inline, IThreads, Threads
from nova_tx.errors import StartupError, Unavailable
from nova_tx.flags import SqlFlags

P = ParamSpec("P")
T = TypeVar("T")

_log = Logger()

#: Threads that read from SQLite beside the one that writes.
SQLITE_READERS = 4
#: Seconds between two attempts of a transaction: the first time, and at most.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
#: Seconds for which a transaction is tried while the daemon stops.
IN_A_HURRY = 5.0


def now() -> datetime:
    """The time as the tables hold it: naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def _answers(txn: Connection) -> None:
    txn.execute(text("SELECT 1"))


class _Again(Exception):
    """
    Nothing was written; the same may work later.

    @ivar lost: the database did not answer (not: another transaction was in the way).
    """

    def __init__(self, why: str, lost: bool) -> None:
        super().__init__(why)
        self.lost = lost


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
        patience: float | None = 10.0,
    ) -> None:
        """
        Nothing is opened before L{open}.

        @param reactor: its threads and its clock.
        @param inline: run transactions in the calling thread.
        @param patience: seconds for which a transaction is tried; None is for ever.
        @raise StartupError: C{sql_connection} is no database URL.
        """
        self._flags = flags
        self._clock: IReactorTime = reactor
        self._patience = patience
        self.engine = dialects.create(flags)
        self._threads: IThreads
        if inline:
            self._threads = Inline()
        elif dialects.in_memory(self.engine.url):
            self._threads = Threads(reactor, flags.sql_max_waiting, 1)
        elif self.engine.dialect.name == "sqlite":
            self._threads = Threads(reactor, flags.sql_max_waiting, 1, SQLITE_READERS)
        else:
            self._threads = Threads(reactor, flags.sql_max_waiting, dialects.SERVER_THREADS)
        self._answers = True
        self._pauses: dict[Deferred[None], IDelayedCall] = {}

    # Opening and closing.

    async def open(self) -> None:
        """
        Reach the database, trying again as the flags say.

        @raise StartupError: it can't be reached; the text has no password in it.
        """
        self._threads.start()
        tries = max(1, self._flags.sql_max_retries)
        where = self.engine.url.render_as_string(hide_password=True)
        for attempt in range(1, tries + 1):
            try:
                await self._threads.defer(self._touch, False)
                return
            except DBAPIError as error:
                why = f"can't reach the database {where}: {dialects.reason(error)}"
            if attempt < tries:
                _log.warn("{why}; try {n} of {all}", why=why, n=attempt, all=tries)
                await self._pause(self._flags.sql_retry_interval)
        await self.close()
        raise StartupError(why)

    def hurry(self) -> None:
        """From now on nobody waits long for a database that does not answer; who does gives up."""
        self._patience = min(IN_A_HURRY, self._patience or IN_A_HURRY)
        pauses, self._pauses = self._pauses, {}
        for pause, call in pauses.items():
            call.cancel()
            pause.errback(Unavailable("the database does not answer, and time is up"))

    async def close(self) -> None:
        """
        Wait for what is running and close every connection.

        Who waits for an attempt, and who comes later, gets L{Unavailable}.
        """
        self.hurry()
        await self._threads.stop(self.engine.dispose)

    def _touch(self) -> None:
        with self.engine.connect():
            pass

    async def health(self) -> str:
        """
        Whether it answers.

        @raise Unavailable: it does not.
        """
        await self.read(_answers)
        return ""

    async def _pause(self, seconds: float) -> None:
        pause: Deferred[None] = Deferred(lambda pause: self._pauses[pause].cancel())
        self._pauses[pause] = self._clock.callLater(seconds, pause.callback, None)
        try:
            await pause
        finally:
            self._pauses.pop(pause, None)

    # Transactions.

    def run(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """
        Run C{fn(txn, ...)} in one transaction: all of it, or nothing.

        It may be called more than once: it touches nothing but the database.

        @raise Unavailable: the database did not answer for C{patience}
            seconds, or went away while the change was being committed.
        """
        return self._attempts(True, lambda txn: fn(txn, *args, **kwargs), fn)

    def read(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """L{run} for a function that only reads; it never waits for a writer on SQLite."""
        return self._attempts(False, lambda txn: fn(txn, *args, **kwargs), fn)

    async def _attempts(self, write: bool, work: Callable[[Connection], T], fn: Any) -> T:
        began = self._clock.seconds()
        pause = FIRST_PAUSE
        while True:
            end = self._end(began)
            try:
                attempt = functools.partial(self._transaction, write, work, end)
                result = await self._in_time(self._threads.defer(attempt, write), end)
            except _Again as again:
                metrics.DATABASE_RETRIES.add("lost" if again.lost else "contended")
                self._note(again, fn.__name__)
            else:
                self._note(None, fn.__name__)
                return result
            wait = pause * random.uniform(0.5, 1.0)
            end = self._end(began)
            if end is not None:
                wait = min(wait, end - self._clock.seconds())
                if wait <= 0:
                    raise Unavailable("the database does not answer; try again later")
            await self._pause(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _end(self, began: float) -> float | None:
        """When a transaction that began then is given up; None is never."""
        return None if self._patience is None else began + self._patience

    def _in_time(self, running: Deferred[T], end: float | None) -> Deferred[T]:
        """
        What a thread comes to; L{Unavailable} when time is up.

        A thread that waits for a database that says nothing can't be stopped:
        it is left alone, and what it then comes to is its own affair.
        """
        if end is None or running.called:
            return running
        answer: Deferred[T] = Deferred(lambda _: alarm.cancel())

        def late() -> None:
            answer.errback(
                Unavailable("the database does not answer; a change may have been made or not")
            )

        def arrived(result: T | Failure) -> None:
            if not answer.called:
                alarm.cancel()
                answer.callback(result)  # a Failure calls errbacks

        alarm = self._clock.callLater(max(0.0, end - self._clock.seconds()), late)
        _ = running.addBoth(arrived)
        return answer

    def _note(self, again: _Again | None, name: str) -> None:
        """Log what an operator needs: once when the database goes, once when it is back."""
        if again is None:
            if not self._answers:
                self._answers = True
                _log.info("the database answers again")
        elif not again.lost:
            _log.debug("transaction {name} is run again: {why}", name=name, why=str(again))
        elif self._answers:
            self._answers = False
            _log.warn("the database went away: {why}", why=str(again))

    def _transaction(self, write: bool, work: Callable[[Connection], T], end: float | None) -> T:
        """
        In a thread: one attempt.

        @raise _Again: nothing of it was written.
        @raise Unavailable: it may have been written, or not.
        """
        if end is not None and self._clock.seconds() > end:  # it waited for a thread too long
            raise Unavailable("the database does not answer; try again later")
        begun = committing = False
        try:
            with self.engine.connect() as connection:
                connection.execution_options(nova_write=write)
                with connection.begin():
                    begun = True
                    result = work(connection)
                    if write and end is not None and self._clock.seconds() > end:
                        raise Unavailable("the database took too long; nothing was changed")
                    committing = write
                return result
        except DBAPIError as error:
            contended = dialects.contended(error)
            lost = dialects.lost(error) or not (begun or contended)
            if committing and lost:
                raise Unavailable(
                    "the database went away during a change; it may have been made or not"
                ) from error
            if contended or lost:
                raise _Again(dialects.reason(error), lost) from error
            raise
