"""For commands that wait for the network: a reactor that runs as long as they do."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


def run(story: Coroutine[Deferred[Any], Any, Any]) -> Any:
    """
    What a coroutine comes to; once in a process.

    The reactor is imported here: the other commands start sooner without it.
    """
    from twisted.internet import reactor as installed

    reactor: Any = installed
    ended: list[Any] = []

    def begin() -> None:
        def over(result: object) -> None:
            ended.append(result)
            reactor.stop()

        _ = Deferred.fromCoroutine(story).addBoth(over)

    reactor.callWhenRunning(begin)
    reactor.run()
    if not ended:
        raise KeyboardInterrupt
    if isinstance(ended[0], Failure):
        ended[0].raiseException()
    return ended[0]
