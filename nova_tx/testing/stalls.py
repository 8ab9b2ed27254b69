"""
A daemon whose event loop is watched: C{python -m … FILE SCRIPT [words]} runs the SCRIPT's daemon.

Each quarter of a second a line goes into FILE: the longest time, in seconds, that a call which
was due had to wait, for something else kept the event loop.
"""

from __future__ import annotations

import sys
from typing import Any

from nova_tx.taps import launch

#: Seconds between two looks, and between two lines.
_TICK, _LINE = 0.01, 0.25


def watch(reactor: Any, path: str) -> None:
    """From the reactor's start on, write down how long it stalls."""
    longest = 0.0
    written = reactor.seconds()

    def tick(due: float) -> None:
        nonlocal longest, written
        now = reactor.seconds()
        longest = max(longest, now - due)
        if now - written >= _LINE:
            with open(path, "a") as file:
                file.write(f"{longest:.4f}\n")
            longest, written = 0.0, now
        reactor.callLater(_TICK, tick, reactor.seconds() + _TICK)

    reactor.callWhenRunning(tick, reactor.seconds())


def main() -> None:
    """Watch, and run."""
    from twisted.internet import reactor

    watch(reactor, sys.argv.pop(1))
    launch.main(sys.argv[1:])


if __name__ == "__main__":
    main()
