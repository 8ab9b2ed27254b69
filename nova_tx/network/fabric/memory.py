"""A fabric that keeps what it is told: for C{--fake_network} and for tests."""

from __future__ import annotations

from collections.abc import Callable

from zope.interface import implementer

from nova_tx.model.networks import NetworkPlan
from nova_tx.network.fabric.interfaces import IFabric
from nova_tx.network.fabric.plan import check_bridge


@implementer(IFabric)
class MemoryFabric:
    """
    Networks that are remembered, and touch nothing.

    @ivar networks: the plan of each network that is up, by bridge.
    @ivar bridges: the interface of each bridge that is up, with or without a network.
    @ivar leases: the mac that holds each leased address, by (bridge, address).
    """

    names = ("memory",)

    def __init__(self) -> None:
        self.networks: dict[str, NetworkPlan] = {}
        self.bridges: dict[str, str | None] = {}
        self.leases: dict[tuple[str, str], str] = {}
        self._seen: Callable[[str, str, str], None] | None = None

    async def ensure_network(self, plan: NetworkPlan) -> None:
        self.bridges[check_bridge(plan.bridge)] = plan.interface
        self.networks[plan.bridge] = plan

    async def update_dhcp(self, plan: NetworkPlan) -> None:
        self.networks[plan.bridge] = plan

    async def release_lease(self, bridge: str, mac: str, address: str) -> None:
        if self.leases.get((bridge, address)) == mac:
            del self.leases[bridge, address]
            self._tell("del", mac, address)

    async def ensure_bridge(self, bridge: str, interface: str | None) -> None:
        self.bridges.setdefault(check_bridge(bridge), interface)

    async def remove_network(self, bridge: str) -> None:
        self.bridges.pop(bridge, None)
        self.networks.pop(bridge, None)
        for held in [each for each in self.leases if each[0] == bridge]:
            del self.leases[held]

    async def watch_leases(self, seen: Callable[[str, str, str], None]) -> None:
        self._seen = seen

    async def close(self) -> None:
        self._seen = None

    def ask(self, bridge: str, mac: str) -> str | None:
        """A guest asks for its address, as its DHCP client would; None: nobody answers."""
        plan = self.networks.get(bridge)
        for host in plan.hosts if plan else ():
            if host.mac == mac and self.leases.get((bridge, host.address), mac) == mac:
                event = "old" if (bridge, host.address) in self.leases else "add"
                self.leases[bridge, host.address] = mac
                self._tell(event, mac, host.address)
                return host.address
        return None

    def _tell(self, event: str, mac: str, address: str) -> None:
        if self._seen is not None:
            self._seen(event, mac, address)
