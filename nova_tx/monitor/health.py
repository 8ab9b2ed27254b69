"""Whether the parts of a daemon are well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from nova_tx.errors import NovaError
from nova_tx.log import background

_log = Logger()

#: How a part is: a few words; a L{NovaError} says what is wrong with it.
Ask = Callable[[], Awaitable[str]]

#: Seconds in which a part must have answered.
PATIENCE = 5.0


class Probe:
    """
    Asks one part.

    One that does not answer is not asked again until it has: nothing piles up behind it.
    """

    def __init__(self, ask: Ask, clock: IReactorTime) -> None:
        self._ask = ask
        self._clock = clock
        self._asked = False
        self._waiting: list[Deferred[tuple[bool, str]]] = []

    async def look(self) -> tuple[bool, str]:
        """Whether it is well, and what there is to say."""
        waiting: Deferred[tuple[bool, str]] = Deferred()
        self._waiting.append(waiting)
        if not self._asked:
            self._asked = True
            _ = background(self._find_out(), "a look at a part")
        try:
            return await waiting.addTimeout(PATIENCE, self._clock)
        except TimeoutError:
            return False, f"does not answer in {PATIENCE:g} s"
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    async def _find_out(self) -> None:
        try:
            found = True, await self._ask()
        except NovaError as error:
            found = False, str(error)
        except Exception:
            _log.failure("a part can't be asked how it is")
            found = False, "can't be asked; the log says why"
        self._asked = False
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(found)


class Health:
    """All parts of a daemon."""

    def __init__(self, parts: Mapping[str, Ask], clock: IReactorTime) -> None:
        self._probes = {name: Probe(ask, clock) for name, ask in parts.items()}

    async def look(self) -> tuple[bool, str]:
        """Whether all are well, and a line on each."""
        asked = {name: Deferred.fromCoroutine(probe.look()) for name, probe in self._probes.items()}
        found = {name: await each for name, each in asked.items()}
        lines = (
            f"{name}: {'ok' if well else 'NOT WELL'}{', ' if text else ''}{text}\n"
            for name, (well, text) in found.items()
        )
        return all(well for well, _ in found.values()), "".join(lines)
