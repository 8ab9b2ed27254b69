"""What a signal does to a daemon."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from nova_tx.taps.signals import heed_sighup, heed_sigterm


class Reactor:
    """Calls at once, as the real one does when its turn comes."""

    running = True
    stopped = 0

    def callFromThread(self, fn: Callable[..., object], *args: object) -> None:
        fn(*args)

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Signals do again what they did."""
    known = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, disposition in known.items():
        signal.signal(number, disposition)


def test_sighup() -> None:
    """Each SIGHUP renews all there is; none ends the process, and SIGTERM is as it was."""
    told: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    heed_sighup(Reactor(), lambda: told.append("log"), lambda: told.append("parts"))
    for count in (1, 2):
        os.kill(os.getpid(), signal.SIGHUP)
        assert told == ["log", "parts"] * count
    assert signal.getsignal(signal.SIGTERM) is before


def test_sigterm() -> None:
    """SIGTERM stops the reactor, once."""
    reactor = Reactor()
    heed_sigterm(reactor)
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGTERM)
    assert reactor.stopped == 1
