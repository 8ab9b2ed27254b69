"""What every implementation of IFabric promises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from nova_tx.errors import FabricError
from nova_tx.model.networks import DhcpHost, NetworkPlan
from nova_tx.network.fabric.interfaces import IFabric

#: Seconds after which a lease that was not reported is a failure.
DEADLINE = 120.0

ONE = DhcpHost("02:16:3e:00:00:01", "i-00000001", "10.0.0.2")
TWO = DhcpHost("02:16:3e:00:00:02", "i-00000002", "10.0.0.3")
PLAN = NetworkPlan(
    bridge="br100",
    cidr="10.0.0.0/24",
    gateway="10.0.0.1",
    netmask="255.255.255.0",
    broadcast="10.0.0.255",
    dhcp_start="10.0.0.2",
    interface=None,
    metadata=("10.0.0.1", 8775),
    source_address=None,
    dmz_cidr=None,
    dns_server=None,
    hosts=(ONE,),
)


class Bench(Protocol):
    """A host to try a fabric on."""

    def fabric(self) -> Any:
        """A fabric; each one finds the same host."""

    def ask(self, bridge: str, mac: str) -> Awaitable[str | None]:
        """The address that a guest on a bridge is given when it asks."""

    def bridges(self) -> Awaitable[list[str]]:
        """The bridges that there are."""


class Leases:
    """What a fabric reports, to be waited for."""

    def __init__(self) -> None:
        self._events: list[tuple[str, str, str]] = []
        self._news: list[Deferred[None]] = []

    def seen(self, event: str, mac: str, address: str) -> None:
        """For L{IFabric.watch_leases}."""
        self._events.append((event, mac, address))
        news, self._news = self._news, []
        for each in news:
            each.callback(None)

    async def until(self, event: str, host: DhcpHost) -> None:
        """Wait for an event, and forget it and all before it."""
        from twisted.internet import reactor

        wanted = (event, host.mac, host.address)
        while wanted not in self._events:
            news: Deferred[None] = Deferred()
            self._news.append(news)
            await news.addTimeout(DEADLINE, reactor)
        while self._events.pop(0) != wanted:
            pass


def make_fabric_tests(
    factory: Callable[[Path], AbstractAsyncContextManager[Bench]],
) -> type:
    """
    The suite as a class to inherit from.

    @param factory: makes a bench whose files are in a directory.
    """

    class FabricTests:
        async def test_interface(self, tmp_path: Path) -> None:
            """It has the methods of IFabric, with their parameters."""
            async with factory(tmp_path) as bench:
                assert verifyObject(IFabric, bench.fabric())

        async def test_answers_its_guests(self, tmp_path: Path) -> None:
            """A guest of the plan is given its address; one that is not is given none."""
            async with factory(tmp_path) as bench:
                await bench.fabric().ensure_network(PLAN)
                assert await bench.ask("br100", ONE.mac) == ONE.address
                assert await bench.ask("br100", TWO.mac) is None

        async def test_ensure_again(self, tmp_path: Path) -> None:
            """Ensuring a network that is there changes nothing for its guests."""
            async with factory(tmp_path) as bench:
                fabric = bench.fabric()
                await fabric.ensure_network(PLAN)
                await fabric.ensure_network(PLAN)
                assert await bench.ask("br100", ONE.mac) == ONE.address

        async def test_knows_at_once(self, tmp_path: Path) -> None:
            """A guest that asks after update_dhcp is answered by the new plan."""
            async with factory(tmp_path) as bench:
                fabric = bench.fabric()
                await fabric.ensure_network(replace(PLAN, hosts=()))
                await fabric.update_dhcp(PLAN)
                assert await bench.ask("br100", ONE.mac) == ONE.address
                await fabric.update_dhcp(replace(PLAN, hosts=(TWO,)))
                assert await bench.ask("br100", TWO.mac) == TWO.address

        async def test_reports_leases(self, tmp_path: Path) -> None:
            """A lease is reported with mac and address when it begins and when it is released."""
            async with factory(tmp_path) as bench:
                fabric, leases = bench.fabric(), Leases()
                await fabric.watch_leases(leases.seen)
                await fabric.ensure_network(PLAN)
                await bench.ask("br100", ONE.mac)
                await leases.until("add", ONE)
                await fabric.release_lease("br100", ONE.mac, ONE.address)
                await leases.until("del", ONE)
                await fabric.close()

        async def test_release_frees(self, tmp_path: Path) -> None:
            """After release_lease the address can be given to another guest at once."""
            async with factory(tmp_path) as bench:
                fabric = bench.fabric()
                heir = replace(TWO, address=ONE.address)
                await fabric.ensure_network(PLAN)
                assert await bench.ask("br100", ONE.mac) == ONE.address
                await fabric.update_dhcp(replace(PLAN, hosts=(heir,)))
                await fabric.release_lease("br100", ONE.mac, ONE.address)
                assert await bench.ask("br100", heir.mac) == ONE.address

        async def test_release_nothing(self, tmp_path: Path) -> None:
            """Releasing what is not leased, or on a bridge that is not there, is nothing."""
            async with factory(tmp_path) as bench:
                fabric = bench.fabric()
                await fabric.release_lease("br100", ONE.mac, ONE.address)
                await fabric.ensure_network(PLAN)
                await fabric.release_lease("br100", ONE.mac, ONE.address)
                assert await bench.ask("br100", ONE.mac) == ONE.address

        async def test_outlives_the_daemon(self, tmp_path: Path) -> None:
            """A network stays up when its fabric is closed; the next one hears its leases."""
            async with factory(tmp_path) as bench:
                first, leases = bench.fabric(), Leases()
                await first.watch_leases(Leases().seen)
                await first.ensure_network(PLAN)
                await first.close()
                second = bench.fabric()
                await second.watch_leases(leases.seen)
                await second.ensure_network(PLAN)
                assert await bench.ask("br100", ONE.mac) == ONE.address
                await leases.until("add", ONE)
                await second.close()

        async def test_remove(self, tmp_path: Path) -> None:
            """Nothing is left of a network that was removed; removing it again is nothing."""
            async with factory(tmp_path) as bench:
                fabric = bench.fabric()
                await fabric.ensure_network(PLAN)
                await fabric.remove_network("br100")
                assert await bench.bridges() == []
                await bench.fabric().remove_network("br100")

        async def test_bridge(self, tmp_path: Path) -> None:
            """A bridge for a compute host is made once, and carries a network later."""
            async with factory(tmp_path) as bench:
                fabric = bench.fabric()
                await fabric.ensure_bridge("br100", None)
                await fabric.ensure_bridge("br100", None)
                assert await bench.bridges() == ["br100"]
                await fabric.ensure_network(PLAN)
                assert await bench.ask("br100", ONE.mac) == ONE.address

        async def test_bad_bridge(self, tmp_path: Path) -> None:
            """What can't be a bridge's name is a FabricError."""
            async with factory(tmp_path) as bench:
                for name in ("", "br 100", "../br", "a-much-too-long-name"):
                    with pytest.raises(FabricError):
                        await bench.fabric().ensure_bridge(name, None)

    return FabricTests
