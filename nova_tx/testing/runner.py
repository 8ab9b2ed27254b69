"""A runner that runs nothing: it answers as told, and remembers what was asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zope.interface import implementer

from nova_tx.errors import ProcessFailed
from nova_tx.process import IRunner, Result

#: What a program does with its arguments and its standard input.
Program = Callable[[tuple[str, ...], bytes], Result]


@dataclass(frozen=True)
class Ran:
    """One run, as it was asked for."""

    argv: tuple[str, ...]
    stdin: bytes


def hang(argv: tuple[str, ...], stdin: bytes) -> Result:
    """A program that never ends."""
    raise ProcessFailed(argv, None, "")


def missing(argv: tuple[str, ...], stdin: bytes) -> Result:
    """A program that is not there."""
    raise ProcessFailed(argv, 127, "not found")


@implementer(IRunner)
class FakeRunner:
    """
    Answers by the words that a command begins with; the most words win.

    What it was not told of succeeds and prints nothing.

    @ivar ran: everything that was run, in order.
    """

    def __init__(self) -> None:
        self.ran: list[Ran] = []
        self._programs: dict[tuple[str, ...], Program] = {}

    def answer(
        self, *words: str, stdout: bytes = b"", stderr: bytes = b"", exit_code: int = 0
    ) -> None:
        """Commands that begin with these words end so."""
        self.program(*words, does=lambda argv, stdin: Result(exit_code, stdout, stderr))

    def program(self, *words: str, does: Program) -> None:
        """Commands that begin with these words do that; see L{hang}, L{missing}."""
        self._programs[words] = does

    async def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        check: bool = True,
        timeout: float = 60.0,
        heard: Callable[[bytes], object] | None = None,
    ) -> Result:
        words = tuple(argv)
        self.ran.append(Ran(words, stdin))
        known = [each for each in self._programs if words[: len(each)] == each]
        if not known:
            return Result(0, b"", b"")
        result = self._programs[max(known, key=len)](words, stdin)
        if heard is not None and result.stdout:
            heard(result.stdout)
        if check and result.exit_code != 0:
            stderr = result.stderr.decode("utf-8", "replace")
            raise ProcessFailed(words, result.exit_code, stderr)
        return result
