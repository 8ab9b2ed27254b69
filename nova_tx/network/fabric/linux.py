"""The network of this host: bridges, rules and dnsmasq, through other programs."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort
from zope.interface import implementer

from nova_tx.errors import FabricError, ProcessFailed
from nova_tx.flags import NetworkFlags
from nova_tx.model.networks import NetworkPlan
from nova_tx.network.fabric.dnsmasq import Dnsmasq
from nova_tx.network.fabric.interfaces import IFabric
from nova_tx.network.fabric.leases import listen
from nova_tx.network.fabric.plan import (
    ALIAS,
    DhcpOptions,
    Files,
    bridge_commands,
    check_bridge,
    dnsmasq_argv,
    hosts_text,
    kernel_settings,
    removal_text,
    rules_text,
)
from nova_tx.process import IRunner, inherited

#: Waits up to 20 seconds for another program that changes rules.
RESTORE = ("iptables-restore", "--wait", "20", "--noflush")


@implementer(IFabric)
class LinuxFabric:
    """
    A fabric of real devices.

    A change of rules is one C{iptables-restore} of our own chains, named after
    the bridge: all of it or nothing, and nobody else's.       [spec/15 B21, D16]
    """

    names = ("nova.network.linux_net", "linux")

    def __init__(self, runner: IRunner, reactor: Any, flags: NetworkFlags) -> None:
        self._runner = runner
        self._reactor = reactor
        self._directory = os.path.abspath(flags.networks_path)
        self._socket = os.path.join(self._directory, "nova-dhcpbridge.socket")
        self._options = DhcpOptions(
            script=flags.dhcpbridge,
            lease_seconds=flags.dhcp_lease_time,
            domain=flags.dhcp_domain,
            user=_user(),
        )
        self._servers: dict[str, Dnsmasq] = {}
        self._port: IListeningPort | None = None

    async def ensure_network(self, plan: NetworkPlan) -> None:
        with _telling(f"the rules of {plan.bridge} can't be made"):
            await self._restore(rules_text(plan, await self._saved()))
        await self._make_bridge(
            plan.bridge, plan.interface, (plan.gateway, plan.cidr, plan.broadcast)
        )
        with _telling(f"packets of {plan.bridge} can't be passed on"):
            await self._runner.run(["sysctl", "-q", "-w", *kernel_settings(plan)])
        await self.update_dhcp(plan)

    async def update_dhcp(self, plan: NetworkPlan) -> None:
        with _telling(f"the DHCP server of {plan.bridge} can't be run"):
            await self._server(plan.bridge).ensure(
                dnsmasq_argv(plan, self._files(plan.bridge), self._options),
                hosts_text(plan.hosts, self._options.domain),
            )

    async def release_lease(self, bridge: str, mac: str, address: str) -> None:
        if self._server(bridge).pid() is not None:
            with _telling(f"the lease of {address} can't be ended"):
                await self._runner.run(["dhcp_release", bridge, address, mac])

    async def ensure_bridge(self, bridge: str, interface: str | None) -> None:
        await self._make_bridge(bridge, interface, None)

    async def remove_network(self, bridge: str) -> None:
        server = self._server(bridge)
        with _telling(f"{bridge} can't be removed"):
            await server.stop()
            await self._restore(removal_text(bridge, await self._saved()))
            link = await self._runner.run(
                ["ip", "-json", "link", "show", "dev", bridge], check=False
            )
            if link.exit_code == 0 and json.loads(link.stdout)[0].get("ifalias") == ALIAS:
                await self._runner.run(["ip", "link", "delete", bridge])
        server.remove_files()

    async def watch_leases(self, seen: Callable[[str, str, str], None]) -> None:
        await self.close()
        os.makedirs(self._directory, exist_ok=True)
        self._port = listen(self._reactor, self._socket, seen)

    async def close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)

    async def _make_bridge(
        self, bridge: str, interface: str | None, address: tuple[str, str, str] | None
    ) -> None:
        check_bridge(bridge)
        with _telling(f"bridge {bridge} can't be made"):
            try:
                await self._run_all(await self._missing(bridge, interface, address))
            except ProcessFailed:
                # another daemon of this host may have made it meanwhile: look again
                await self._run_all(await self._missing(bridge, interface, address))

    async def _missing(
        self, bridge: str, interface: str | None, address: tuple[str, str, str] | None
    ) -> list[list[str]]:
        shown = await self._runner.run(["ip", "-json", "address", "show"])
        return bridge_commands(json.loads(shown.stdout), bridge, interface, address)

    async def _run_all(self, commands: Sequence[Sequence[str]]) -> None:
        for argv in commands:
            await self._runner.run(argv)

    async def _saved(self) -> str:
        saved = ""
        for table in ("nat", "filter"):
            saved += (await self._runner.run(["iptables-save", "-t", table])).stdout.decode()
        return saved

    async def _restore(self, text: str) -> None:
        if text:
            await self._runner.run(RESTORE, stdin=text.encode())

    def _files(self, bridge: str) -> Files:
        return Files(self._directory, check_bridge(bridge))

    def _server(self, bridge: str) -> Dnsmasq:
        if bridge not in self._servers:
            self._servers[bridge] = Dnsmasq(
                self._runner, self._reactor, self._files(bridge), self._socket
            )
        return self._servers[bridge]


def _user() -> str:
    """
    Who dnsmasq becomes: us.

    With capabilities alone it may become nobody, and has to be told so: as
    C{root} it stays who it is.
    """
    return "root" if inherited() else pwd.getpwuid(os.geteuid()).pw_name


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Turn the failure of a program, or of a file, into a sentence about the network."""
    try:
        yield
    except (ProcessFailed, OSError) as error:
        raise FabricError(f"{what}: {error}") from error
