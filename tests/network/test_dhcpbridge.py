"""The program that dnsmasq runs for each lease event, and the socket it talks to."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred

from nova_tx.errors import FabricError
from nova_tx.flags import Flags, NetworkFlags, NodeFlags
from nova_tx.network.fabric.leases import listen
from nova_tx.process import Result, Runner

SCRIPT = Flags.load([], [NodeFlags, NetworkFlags]).section(NetworkFlags).dhcpbridge
EVENT = ("add", "02:16:3e:00:00:01", "10.0.0.2")


async def run(socket: str | None, *argv: str) -> Result:
    """Run the program as dnsmasq does."""
    environment = [f"NOVA_DHCPBRIDGE_SOCKET={socket}"] if socket else []
    return await Runner(reactor, ()).run(["env", "-i", *environment, SCRIPT, *argv], check=False)


@asynccontextmanager
async def listening(path: str, seen: list[tuple[str, str, str]]) -> AsyncIterator[None]:
    """Lease events at a path are put into a list."""
    port = listen(reactor, path, lambda *event: seen.append(event))
    try:
        yield
    finally:
        await maybeDeferred(port.stopListening)


@pytest.mark.parametrize("event", ["add", "old", "del"])
async def test_event(tmp_path: Path, event: str) -> None:
    """A lease event arrives whole, with or without the guest's name, and is acknowledged."""
    seen: list[tuple[str, str, str]] = []
    async with listening(f"{tmp_path}/socket", seen):
        for name in ((), ("i-00000001",)):
            result = await run(f"{tmp_path}/socket", event, *EVENT[1:], *name)
            assert result == Result(0, b"", b"")
    assert seen == [(event, *EVENT[1:])] * 2


@pytest.mark.parametrize("argv", [["init"], [], ["tftp", "9", "10.0.0.2", "/file"]])
async def test_no_event(argv: list[str]) -> None:
    """What is no lease event is passed over; the list of old leases is empty."""
    assert await run(None, *argv) == Result(0, b"", b"")


async def test_nobody_listens(tmp_path: Path) -> None:
    """Without a daemon it ends at once, with a sentence."""
    result = await run(f"{tmp_path}/socket", *EVENT)
    assert result.exit_code == 1
    assert b"can't reach nova-network" in result.stderr
    assert b"Traceback" not in result.stderr


async def test_no_socket() -> None:
    """Without the name of the socket it says so."""
    result = await run(None, *EVENT)
    assert result.exit_code == 1
    assert b"NOVA_DHCPBRIDGE_SOCKET is not set" in result.stderr


async def test_not_an_event(tmp_path: Path) -> None:
    """What is no lease event is refused by the daemon too."""
    seen: list[tuple[str, str, str]] = []
    async with listening(f"{tmp_path}/socket", seen):
        result = await run(f"{tmp_path}/socket", "add", "a mac", "10.0.0.2")
    assert result.exit_code == 1
    assert seen == []


async def test_private(tmp_path: Path) -> None:
    """Nobody but this user may report leases; what a killed daemon left is replaced."""
    for _ in range(2):
        (tmp_path / "socket").touch()
        async with listening(f"{tmp_path}/socket", []):
            mode = os.stat(tmp_path / "socket").st_mode
            assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_path_too_long(tmp_path: Path) -> None:
    """A path that no socket can have is a FabricError that names it."""
    with pytest.raises(FabricError, match=r"can't listen for leases at .*xxxx"):
        listen(reactor, f"{tmp_path}/{'x' * 120}", lambda *event: None)


def test_alone() -> None:
    """It needs nothing but the standard library, and not even Twisted's interpreter."""
    text = Path(SCRIPT).read_text()
    assert text.startswith("#!/usr/bin/python3 -IS\n")
    imported = {line.split()[1] for line in text.splitlines() if line.startswith("import ")}
    assert imported <= sys.stdlib_module_names
