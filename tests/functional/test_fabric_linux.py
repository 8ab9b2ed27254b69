"""Real bridges, rules and DHCP servers, in namespaces of the test's own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nova_tx.flags import Flags, NetworkFlags, NodeFlags
from nova_tx.network.fabric.linux import LinuxFabric
from nova_tx.testing.conformance.fabric import make_fabric_tests
from nova_tx.testing.namespaces import Namespace, guest, namespace


class LinuxBench:
    """A namespace as the host; each guest is a namespace, and asks with a real DHCP client."""

    def __init__(self, host: Namespace, directory: Path) -> None:
        self.host = host
        self.directory = directory

    def fabric(self, networks: str = "networks") -> LinuxFabric:
        from twisted.internet import reactor

        flags = Flags.load(
            [f"--networks_path={self.directory / networks}"], [NetworkFlags, NodeFlags]
        )
        return LinuxFabric(self.host.runner, reactor, flags.section(NetworkFlags))

    async def ask(self, bridge: str, mac: str) -> str | None:
        from twisted.internet import reactor

        async with guest(reactor, self.host, bridge, mac, str(self.directory)) as found:
            answer = await found.ask(3)
        return answer[0] if answer else None

    async def bridges(self) -> list[str]:
        shown = await self.host.run("ip", "-brief", "link", "show", "type", "bridge")
        return sorted(line.split()[0] for line in shown.splitlines())


@asynccontextmanager
async def bench(directory: Path) -> AsyncIterator[LinuxBench]:
    """A new host; whatever network a test leaves on it is removed."""
    from twisted.internet import reactor

    async with namespace(reactor, f"ntx{secrets.token_hex(3)}") as host:
        found = LinuxBench(host, directory)
        try:
            yield found
        finally:
            for each in directory.glob("*/nova-*.pid"):
                fabric = found.fabric(each.parent.name)
                await fabric.remove_network(each.stem.removeprefix("nova-"))


class TestLinuxFabric(make_fabric_tests(bench)):  # type: ignore[misc]
    """The suite of IFabric on a real kernel with real dnsmasq and real guests' DHCP clients."""
