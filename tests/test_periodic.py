"""Work that is done again and again."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from nova_tx.periodic import Periodic


class Work:
    """Counts its calls; each waits until C{finish}, if there is one to wait for."""

    def __init__(self) -> None:
        self.calls = 0
        self.finish: Deferred[None] | None = None
        self.error: Exception | None = None

    def __call__(self) -> Awaitable[None]:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return self.finish if self.finish is not None else succeed(None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def periodic(clock: Clock, work: Work) -> Periodic:
    return Periodic(clock, 10, work, "the work")


def test_interval(clock: Clock, work: Work, periodic: Periodic) -> None:
    """It is done after each interval, the first time after the first."""
    periodic.startService()
    assert work.calls == 0
    clock.pump([10] * 3)
    assert work.calls == 3


def test_now(clock: Clock, work: Work) -> None:
    """With now=True the first time is at once."""
    Periodic(clock, 10, work, "the work", now=True).startService()
    assert work.calls == 1
    clock.advance(10)
    assert work.calls == 2


def test_no_overlap(clock: Clock, work: Work, periodic: Periodic) -> None:
    """While one time lasts the next does not begin; then it comes at a whole interval."""
    periodic.startService()
    work.finish = Deferred()
    clock.pump([10] * 3)
    assert work.calls == 1
    clock.advance(5)
    finish, work.finish = work.finish, None
    finish.callback(None)
    assert work.calls == 1
    clock.advance(5)
    assert work.calls == 2


def test_failure(clock: Clock, work: Work, periodic: Periodic, logged_errors: Any) -> None:
    """A failure is logged with its traceback, and the work goes on."""
    periodic.startService()
    work.error = ZeroDivisionError()
    clock.advance(10)
    [failure] = logged_errors.flush(ZeroDivisionError)
    assert "the work" not in failure.getErrorMessage()
    work.error = None
    clock.advance(10)
    assert work.calls == 2


def test_stop_waits(clock: Clock, work: Work, periodic: Periodic) -> None:
    """Stopping waits for what is being done, and nothing is begun after it."""
    periodic.startService()
    work.finish = Deferred()
    clock.advance(10)
    stopped = periodic.stopService()
    assert stopped is not None and not stopped.called
    work.finish.callback(None)
    assert stopped.called
    clock.advance(100)
    assert work.calls == 1 and clock.getDelayedCalls() == []


def test_stop_idle(clock: Clock, work: Work, periodic: Periodic) -> None:
    """Stopping between two times is done at once; it can be started again."""
    periodic.startService()
    stopped = periodic.stopService()
    assert stopped is not None and stopped.called and clock.getDelayedCalls() == []
    periodic.startService()
    clock.advance(10)
    assert work.calls == 1
    periodic.stopService()
