"""
What every test is held to: it ends in time, leaves the reactor clean, and logs no errors.

 - A test that is a coroutine fails after 120 seconds, in C{functional} and
   C{system} after 900; C{@pytest.mark.limit(seconds)} says otherwise.
 - Delayed calls, connections and ports that a test leaves in the reactor fail it.
 - An error that is logged fails the test, unless the test takes it out of the
   fixture C{logged_errors}: C{[failure] = logged_errors.flush(ValueError)}.
"""

from __future__ import annotations

import functools
import gc
import inspect
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

import nova_tx.local.boto_shim  # noqa: F401  boto can be imported on Python 3.12 and newer, too
from nova_tx.db.engine import Database
from nova_tx.testing.database import tested_database

# botocore as it comes: it would sign and count with awscrt, now that the objectstore needs that
os.environ.setdefault("BOTO_DISABLE_CRT", "true")

LIMIT, LONG_LIMIT = 120.0, 900.0
#: Seconds in which what is closing must be closed.
CLOSING = 10.0


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "limit(seconds): how long the test may take")
    # the pools that a test leaves open because it failed are not to keep the run from its end
    ThreadPool.threadFactory = functools.partial(threading.Thread, daemon=True)  # type: ignore[assignment]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes that may be others tomorrow, such as those of archives, are in no test's name."""
    return argname if isinstance(val, bytes) and len(val) > 20 else None


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # so that the collection after each test sees little else


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Give coroutine tests their time limit."""
    from twisted.internet import reactor

    test = pyfuncitem.obj
    if inspect.iscoroutinefunction(test):
        mark = pyfuncitem.get_closest_marker("limit")
        slow = {"functional", "system"} & set(pyfuncitem.path.parts)
        limit = mark.args[0] if mark else LONG_LIMIT if slow else LIMIT

        @functools.wraps(test)
        def limited(*args: Any, **kwargs: Any) -> Deferred[Any]:
            return Deferred.fromCoroutine(test(*args, **kwargs)).addTimeout(limit, reactor)

        pyfuncitem.obj = limited
    return (yield)


@implementer(ILogObserver)
class LoggedErrors:
    """The errors that were logged during a test and not yet taken out."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level", LogLevel.info) >= LogLevel.error:
            self.events.append(event)

    def flush(self, *types: type[BaseException]) -> list[Failure | str]:
        """Take out the failures of these types; without types, all errors, the others as text."""
        gc.collect()  # an unhandled error in a Deferred is logged when the Deferred goes
        taken: list[Failure | str] = []
        for event in tuple(self.events):
            failure = event.get("log_failure")
            if not types or (failure is not None and failure.check(*types)):
                self.events.remove(event)
                taken.append(failure if failure is not None else formatEvent(event))
        return taken


@pytest.fixture(autouse=True)
def logged_errors() -> Iterator[LoggedErrors]:
    """Errors that the test expects are to be flushed from it; any other fails the test."""
    errors = LoggedErrors()
    globalLogPublisher.addObserver(errors)
    try:
        yield errors
        left = errors.flush()
        gc.freeze()  # what has outlived this test is not looked at after the next
    finally:
        globalLogPublisher.removeObserver(errors)
    texts = [each if isinstance(each, str) else each.getTraceback() for each in left]
    assert not texts, "errors were logged:\n" + "\n".join(texts)


@pytest.fixture(autouse=True)
def libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon's log that a test opens leaves Python's loggers, which are everybody's, alone."""
    monkeypatch.setattr("nova_tx.log.daemon_log.hear", lambda levels: None)


def _in_reactor() -> set[Any]:
    from twisted.internet import reactor

    found = {*reactor.getDelayedCalls(), *reactor.getReaders(), *reactor.getWriters()}
    return found - set(reactor._internalReaders)  # type: ignore[attr-defined]  # its wakers


@pytest.fixture(autouse=True)
def clean_reactor(logged_errors: LoggedErrors) -> Iterator[None]:
    """Nothing that the test put into the reactor is left there."""
    from twisted.internet import reactor

    before = _in_reactor()
    yield
    deadline = time.monotonic() + CLOSING
    while (left := _in_reactor() - before) and time.monotonic() < deadline:
        pytest_twisted.blockon(deferLater(reactor, 0.001))
    assert not left, f"left in the reactor: {', '.join(map(str, left))}"


@pytest.fixture
def database() -> Iterator[Database]:
    """An empty database: SQLite in memory, or what C{NOVA_TX_TEST_SQL} names."""
    with tested_database() as found:
        yield found
