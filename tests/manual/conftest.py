"""Programs as an operator starts them: from flags alone."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.abstract import isIPAddress
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from nova_tx.db import networks
from nova_tx.manage.main import main
from nova_tx.taps.parts import Parts
from nova_tx.testing.cloud import MemoryCloud

#: What keeps a program off this machine.
ALONE = ("--my_ip=127.0.0.1", "--connection_type=fake", "--fake_network")


@pytest.fixture
def started(tmp_path: Path) -> Callable[..., Any]:
    """The options of a daemon, after its command line was read."""

    def started(daemon: str, *words: str) -> Any:
        options = importlib.import_module(f"nova_tx.taps.{daemon}").Options()
        options.parseOptions([f"--state_path={tmp_path}", *words])
        return options

    return started


@pytest.fixture
def parts(started: Callable[..., Any]) -> Callable[..., Parts]:
    """The parts of nova-all, built from flags and not opened; the clock is the test's."""

    def parts(*words: str, reactor: Any = None) -> Parts:
        return Parts(started("all", *ALONE, *words).flags, reactor or Clock(), None)

    return parts


@pytest.fixture
def manage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs nova-manage with flags and a command; returns what it printed."""

    def manage(flags: tuple[str, ...], *command: str) -> str:
        words = [f"--state_path={tmp_path}", "--my_ip=192.0.2.1", *flags, *command]
        assert main(["nova-manage", *words]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return manage


@pytest.fixture
def novarc(
    manage: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, str]]:
    """What a user's novarc exports, by the flags of nova-manage."""
    monkeypatch.chdir(tmp_path)

    def novarc(*flags: str) -> dict[str, str]:
        manage((), "db", "sync")
        manage((), "user", "create", "john")
        manage((), "project", "create", "physics", "john")
        manage(flags, "project", "environment", "physics", "john")
        lines = (tmp_path / "novarc").read_text().splitlines()
        exports = [each.removeprefix("export ") for each in lines if each.startswith("export ")]
        pairs = (each.split("=", 1) for each in exports if "=" in each)
        return {name: value.strip('"') for name, value in pairs}

    return novarc


@implementer(IHostnameResolver)
class Names:
    """Every name but localhost is of the same address."""

    def resolveHostName(
        self, receiver: Any, hostName: str, portNumber: int = 0, *_: Any, **__: Any
    ) -> Any:
        receiver.resolutionBegan(None)
        address = {"localhost": "127.0.0.1"}.get(hostName, "192.0.2.9")
        address = hostName if isIPAddress(hostName) else address
        receiver.addressResolved(IPv4Address("TCP", address, portNumber))
        receiver.resolutionComplete()


class Refusing(MemoryReactorClock):
    """
    A network where nobody answers.

    @ivar times: of each attempt, in seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []
        self.installNameResolver(Names())

    def connectTCP(self, host: Any, port: Any, factory: Any, *args: Any, **kwargs: Any) -> Any:
        connector = super().connectTCP(host, port, factory, *args, **kwargs)
        self.times.append(self.seconds())
        failure = Failure(ConnectionRefusedError())
        self.callLater(0, factory.clientConnectionFailed, connector, failure)
        return connector


@pytest.fixture
def nowhere() -> type[Refusing]:
    """Makes networks where nobody answers."""
    return Refusing


@pytest_twisted.async_yield_fixture
async def cloud(tmp_path: Path):
    """Makes clouds in memory, each with a network and an image, from flags."""
    made: list[MemoryCloud] = []

    async def cloud(*flags: str) -> MemoryCloud:
        new = MemoryCloud(str(tmp_path), reactor, "--periodic_interval=3600", *flags)
        new.add_image()
        await new.parts.database.run(
            networks.create, cidr="10.0.0.0/24", count=1, size=256, bridge="br100", dns=None
        )
        await new.open()
        made.append(new)
        return new

    yield cloud
    for each in made:
        await each.close()
