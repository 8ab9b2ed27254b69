"""The programs that a fabric runs, on a runner that only pretends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from zope.interface import implementer

from nova_tx.errors import FabricError, ProcessFailed
from nova_tx.flags import Flags, NetworkFlags, NodeFlags
from nova_tx.network.fabric.linux import LinuxFabric
from nova_tx.process import IRunner, Result
from nova_tx.testing.conformance.fabric import PLAN


@implementer(IRunner)
class PretendingRunner:
    """
    Programs that succeed, unless their first words are in C{failing}.

    @ivar ran: what was run, and what it was given.
    """

    def __init__(self) -> None:
        self.ran: list[tuple[str, bytes]] = []
        self.links: list[dict[str, Any]] = []
        self.failing: list[str] = []

    async def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        check: bool = True,
        timeout: float = 60.0,
    ) -> Result:
        command = " ".join(argv)
        self.ran.append((command, stdin))
        for start in self.failing:
            if command.startswith(start):
                self.failing.remove(start)
                self.links.append({"ifname": "br100", "flags": ["UP"]})
                raise ProcessFailed(tuple(argv), 2, "File exists")
        return Result(0, json.dumps(self.links).encode() if "-json" in argv else b"", b"")


@pytest.fixture
def runner() -> PretendingRunner:
    return PretendingRunner()


@pytest.fixture
def fabric(runner: PretendingRunner, tmp_path: Path) -> LinuxFabric:
    flags = Flags.load([f"--networks_path={tmp_path}"], [NodeFlags, NetworkFlags])
    return LinuxFabric(runner, Clock(), flags.section(NetworkFlags))


async def test_made_meanwhile(runner: PretendingRunner, fabric: LinuxFabric) -> None:
    """A bridge that another daemon makes at the same moment is taken as it is."""
    runner.failing = ["ip link add br100"]
    await fabric.ensure_bridge("br100", None)
    assert [command for command, _ in runner.ran][-1] == "ip -json address show"


async def test_says_what(runner: PretendingRunner, fabric: LinuxFabric) -> None:
    """A program that fails is a FabricError that says what could not be made, and why."""
    for failing, text in (
        (["ip -json"] * 2, "bridge br100 can't be made: ip ended with status 2: File"),
        (["iptables-restore"], "the rules of br100 can't be made: iptables-restore ended"),
        (["sysctl"], "packets of br100 can't be passed on: sysctl ended"),
        (["env"], "the DHCP server of br100 can't be run: env ended"),
    ):
        runner.failing, runner.links = list(failing), []
        with pytest.raises(FabricError, match=text):
            await fabric.ensure_network(PLAN)


async def test_one_change_of_rules(runner: PretendingRunner, fabric: LinuxFabric) -> None:
    """All rules are changed at once, waiting for others, leaving others' rules alone."""
    with pytest.raises(FabricError, match="dnsmasq ended as soon as it was started"):
        await fabric.ensure_network(PLAN)  # for nothing is really started here
    [(command, text)] = [each for each in runner.ran if each[0].startswith("iptables-restore")]
    assert command == "iptables-restore --wait 20 --noflush"
    assert text.count(b"COMMIT") == 2


async def test_files(runner: PretendingRunner, fabric: LinuxFabric, tmp_path: Path) -> None:
    """The DHCP server's file of guests is there before it is started, and readable."""
    with pytest.raises(FabricError):
        await fabric.update_dhcp(PLAN)
    hosts = tmp_path / "nova-br100.conf"
    assert hosts.stat().st_mode & 0o777 == 0o644
    assert hosts.read_text() == "02:16:3e:00:00:01,i-00000001.novalocal,10.0.0.2\n"
    [(command, _)] = runner.ran
    socket = f"NOVA_DHCPBRIDGE_SOCKET={tmp_path}/nova-dhcpbridge.socket"
    assert command.startswith(f"env {socket} dnsmasq ")
