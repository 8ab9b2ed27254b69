"""What conftest.py holds every test to, tried on tests that break it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: A test each, and the words that its failure must have in it; none for one that is to pass.
TESTS = {
    "clean": (
        """
        async def test(database):
            assert await database.read(lambda txn: 1) == 1
        """,
        (),
    ),
    "delayed call": (
        """
        def test():
            reactor.callLater(3600, print)
        """,
        ("left in the reactor", "DelayedCall"),
    ),
    "port": (
        """
        def test():
            reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        """,
        ("left in the reactor", "Factory"),
    ),
    "closing": (
        """
        def test():
            reactor.listenTCP(0, Factory(), interface="127.0.0.1").stopListening()
        """,
        (),
    ),
    "logged failure": (
        """
        def test():
            Logger().failure("it broke", Failure(ZeroDivisionError("here")))
        """,
        ("errors were logged", "ZeroDivisionError: here"),
    ),
    "logged sentence": (
        """
        def test():
            Logger().error("it {how}", how="broke")
        """,
        ("errors were logged", "it broke"),
    ),
    "lost failure": (
        """
        def test():
            fail(ZeroDivisionError("lost"))
        """,
        ("errors were logged", "ZeroDivisionError: lost"),
    ),
    "expected failure": (
        """
        def test(logged_errors):
            Logger().failure("it broke", Failure(ZeroDivisionError("here")))
            [failure] = logged_errors.flush(ZeroDivisionError)
            assert failure.getErrorMessage() == "here"
        """,
        (),
    ),
    "other failure": (
        """
        def test(logged_errors):
            Logger().failure("it broke", Failure(ZeroDivisionError("here")))
            assert logged_errors.flush(KeyError) == []
        """,
        ("errors were logged", "ZeroDivisionError: here"),
    ),
    "warning": (
        """
        def test():
            Logger().warn("careful")
        """,
        (),
    ),
    "late": (
        """
        @pytest.mark.limit(0.1)
        async def test():
            await Deferred()
        """,
        ("TimeoutError",),
    ),
}

HEAD = """
import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of all of them."""
    directory = tmp_path_factory.mktemp("hygiene")
    conftest = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
    assert "\nCLOSING = 10.0\n" in conftest
    hasty = conftest.replace("\nCLOSING = 10.0\n", "\nCLOSING = 0.5\n")
    (directory / "conftest.py").write_text(hasty, encoding="utf-8")
    for name, (code, _) in TESTS.items():
        lines = [line.removeprefix(" " * 8) for line in code.splitlines()]
        file = directory / f"test_{name.replace(' ', '_')}.py"
        file.write_text(HEAD + "\n".join(lines), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", directory],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout


@pytest.mark.parametrize("name", sorted(TESTS))
def test_hygiene(report: str, name: str) -> None:
    """Each of them fails for its reason, or passes."""
    file = f"test_{name.replace(' ', '_')}.py::test"
    words = TESTS[name][1]
    outcomes = [
        line
        for line in report.splitlines()
        if line.startswith(("FAILED", "ERROR")) and file in line
    ]
    assert bool(outcomes) == bool(words), report
    if words:
        assert all(word in report for word in words), report


def test_exact(report: str) -> None:
    """One test's offence is not charged to another."""
    bad = sum(bool(words) for _, words in TESTS.values())
    assert sum(line.startswith(("FAILED", "ERROR")) for line in report.splitlines()) == bad, report
