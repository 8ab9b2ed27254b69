"""
What every runner promises, as tests.

Use: a test module with a fixture C{runner} that knows the programs true, false,
cat, printf and sleep, and C{class TestIt(RunnerConformance): pass}.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, gatherResults

from nova_tx.errors import ProcessFailed
from nova_tx.process import IRunner, Result


class RunnerConformance:
    """The suite; see the module."""

    async def test_success(self, runner: IRunner) -> None:
        """A program that does its work silently gives status 0 and no output."""
        assert await runner.run(["true"]) == Result(0, b"", b"")

    async def test_failure(self, runner: IRunner) -> None:
        """A status other than 0 is an error that says what was run and how it ended."""
        with pytest.raises(ProcessFailed) as caught:
            await runner.run(["false", "--really"])
        assert (caught.value.argv, caught.value.exit_code) == (("false", "--really"), 1)

    async def test_unchecked(self, runner: IRunner) -> None:
        """With check=False a status other than 0 is a result."""
        assert (await runner.run(["false"], check=False)).exit_code == 1

    async def test_stdin(self, runner: IRunner) -> None:
        """Standard input comes to the program and output back, whole, whatever the bytes."""
        sent = bytes(range(256)) * 4096
        assert (await runner.run(["cat"], stdin=sent)).stdout == sent

    async def test_arguments(self, runner: IRunner) -> None:
        """Arguments come to the program as they are: no shell reads them."""
        odd = "$HOME; `true` * 'a b' \\ é"
        assert (await runner.run(["printf", "%s", odd])).stdout == odd.encode()

    @pytest.mark.parametrize("check", [True, False])
    async def test_late(self, runner: IRunner, check: bool) -> None:
        """A program that does not end in time is an error without a status, checked or not."""
        with pytest.raises(ProcessFailed, match="did not end in time") as caught:
            await runner.run(["sleep", "3600"], check=check, timeout=0.1)
        assert caught.value.exit_code is None

    @pytest.mark.parametrize("check", [True, False])
    async def test_missing(self, runner: IRunner, check: bool) -> None:
        """A program that is not there is an error that says so, checked or not."""
        with pytest.raises(ProcessFailed, match=r"no-such-program-anywhere.*not found"):
            await runner.run(["no-such-program-anywhere"], check=check)

    async def test_heard(self, runner: IRunner) -> None:
        """What a program prints is heard, and is in the result all the same."""
        heard: list[bytes] = []
        result = await runner.run(["printf", "%s", "12%"], heard=heard.append)
        assert b"".join(heard) == result.stdout == b"12%"

    async def test_no_secret(self, runner: IRunner) -> None:
        """What went in by standard input is not in the error."""
        with pytest.raises(ProcessFailed) as caught:
            await runner.run(["false"], stdin=b"s3cret")
        assert "s3cret" not in f"{caught.value} {caught.value!r} {caught.value.argv}"

    async def test_at_once(self, runner: IRunner) -> None:
        """Programs that run at once do not mix their output."""
        runs = [
            Deferred.fromCoroutine(_cat(runner, str(number).encode() * 1000)) for number in range(8)
        ]
        assert await gatherResults(runs) == [str(number).encode() * 1000 for number in range(8)]


async def _cat(runner: IRunner, sent: bytes) -> bytes:
    return (await runner.run(["cat"], stdin=sent)).stdout
