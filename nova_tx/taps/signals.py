"""The signals that a daemon heeds: SIGTERM ends it, SIGHUP has it look at its files anew."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

_log = Logger()


def heed_sigterm(reactor: Any) -> None:
    """
    From now on SIGTERM closes the daemon, and the process ends with status 0.

    Twisted's own way, which is set up when the reactor starts, ends it by the
    signal once all is closed, as if it had been cut short.
    """
    told: list[int] = []

    def stop(number: int, _frame: object) -> None:
        if not told:
            told.append(number)
            reactor.callFromThread(_stop, reactor)

    signal.signal(signal.SIGTERM, stop)


def _stop(reactor: Any) -> None:
    _log.info("Received SIGTERM, shutting down.")
    if reactor.running:
        reactor.stop()


def heed_sighup(reactor: Any, *renew: Callable[[], object]) -> None:
    """From now on SIGHUP has each C{renew} called, and does not end the process any more."""

    def told(_number: int, _frame: object) -> None:
        for each in renew:
            reactor.callFromThread(each)

    signal.signal(signal.SIGHUP, told)
