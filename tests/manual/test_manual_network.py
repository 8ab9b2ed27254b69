"""The manual's flags of networks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from nova_tx.context import RequestContext
from nova_tx.db.engine import now
from nova_tx.db.schema import fixed_ips
from nova_tx.errors import StartupError
from nova_tx.network.fabric.linux import LinuxFabric
from nova_tx.network.fabric.memory import MemoryFabric
from nova_tx.network.managers.flat_dhcp import FlatDHCPManager
from nova_tx.network.worker import NetworkWorker
from nova_tx.operations.instances import Wanted
from nova_tx.taps.parts import Parts
from nova_tx.testing.manage import add_instance

JOHN = RequestContext(user="john", project="physics")
MakeParts = Callable[..., Parts]
Manage = Callable[..., str]


@pytest.fixture
def created(manage: Manage, tmp_path: Path) -> Callable[..., list[Any]]:
    """Makes networks by nova-manage with flags; returns one column of their rows."""

    def created(column: str, *flags: str) -> list[Any]:
        manage((), "db", "sync")
        manage(flags, "network", "create")
        with sqlite3.connect(tmp_path / "nova.sqlite") as database:
            found = database.execute(f"SELECT {column} FROM networks ORDER BY id").fetchall()
        return [each for (each,) in found]

    return created


Created = Callable[..., list[Any]]


def test_j27_fixed_range(created: Created) -> None:
    """Networks are made in that block."""
    assert created("cidr", "--fixed_range=10.7.0.0/24") == ["10.7.0.0/24"]


def test_j34_floating_range(manage: Manage) -> None:
    """Floating addresses are made of it, where no other range is given."""
    manage((), "db", "sync")
    manage(("--floating_range=4.4.4.0/30",), "floating", "create", "HostA")
    lines = manage((), "floating", "list").splitlines()
    assert lines == [f"HostA\t4.4.4.{each}\tNone" for each in range(4)]


def test_j91_vlan_start(created: Created) -> None:
    """The first network of VlanManager has that VLAN, the next the next."""
    vlans = ("--network_manager=nova.network.manager.VlanManager", "--num_networks=2")
    assert created("vlan", "--fixed_range=10.7.0.0/16", "--vlan_start=7", *vlans) == [7, 8]


def test_j92_vpn_image_id(manage: Manage, tmp_path: Path) -> None:
    """An instance of that image is its project's VPN server."""
    manage((), "db", "sync")
    manage((), "user", "create", "john")
    manage((), "project", "create", "physics", "john")
    add_instance(tmp_path, project_id="physics", image_id="ami-vpn")
    assert "HostB" not in manage((), "vpn", "list")
    assert "HostB i-00000001 running" in manage(("--vpn_image_id=ami-vpn",), "vpn", "list")


def test_j57_network_size(created: Created) -> None:
    """A network has so many addresses."""
    assert created("cidr", "--fixed_range=10.7.0.0/24", "--network_size=64") == ["10.7.0.0/26"]


def test_j58_num_networks(created: Created) -> None:
    """So many networks are made."""
    flags = ("--fixed_range=10.7.0.0/16", "--network_size=64", "--num_networks=3")
    assert len(created("cidr", *flags)) == 3


def test_j31_flat_network_bridge(created: Created) -> None:
    """Networks are on that bridge."""
    assert created("bridge", "--flat_network_bridge=br7") == ["br7"]


def test_j32_flat_network_dhcp_start(created: Created) -> None:
    """Guests have addresses from that one on."""
    assert created("dhcp_start", "--flat_network_dhcp_start=10.0.0.9") == ["10.0.0.9"]


def test_j33_flat_network_dns(created: Created) -> None:
    """Guests are told of that DNS server."""
    assert created("dns", "--flat_network_dns=9.9.9.9") == ["9.9.9.9"]


async def test_j30_flat_interface(cloud: Callable[..., Any]) -> None:
    """That interface is put into the bridge."""
    made = await cloud("--flat_interface=eth7")
    assert made.parts.fabric.bridges == {"br100": "eth7"}


async def test_j76_routing_source_ip(cloud: Callable[..., Any]) -> None:
    """What guests send to the outside comes from that address."""
    made = await cloud("--routing_source_ip=203.0.113.7")
    assert made.parts.fabric.networks["br100"].source_address == "203.0.113.7"


async def test_j26_fixed_ip_disassociate_timeout(cloud: Callable[..., Any]) -> None:
    """An address that was given back, and whose lease's end nobody saw, is free so much later."""
    made = await cloud("--fixed_ip_disassociate_timeout=3000")
    operations, database = made.parts.operations, made.parts.database
    [reserved] = await operations.instances.run(JOHN, Wanted("ami-tiny"))
    await made.bus.idle()
    made.parts.fabric.ask("br100", reserved.instance.mac_address)
    made.parts.fabric.leases.clear()
    await operations.power.terminate(JOHN, [reserved.instance.id])
    await made.bus.idle()

    def aged(txn: Connection, seconds: int) -> None:
        txn.execute(update(fixed_ips).values(updated_at=now() - timedelta(seconds=seconds)))

    async def taken_after(seconds: int) -> bool:
        await database.run(aged, seconds)
        await made.parts.make(NetworkWorker).periodic()
        query = select(fixed_ips.c.address).where(fixed_ips.c.instance_id.is_not(None))
        return bool(await database.read(lambda txn: txn.execute(query).all()))

    assert await taken_after(2900)
    assert not await taken_after(3100)


def test_j35_fake_network(parts: MakeParts) -> None:
    """Networks are remembered, or real."""
    assert isinstance(parts("--fake_network").fabric, MemoryFabric)
    assert isinstance(parts("--nofake_network").fabric, LinuxFabric)


def test_j54_network_manager(parts: MakeParts) -> None:
    """Networks are of that kind; one that is not there yet is refused."""
    name = "nova.network.manager.FlatDHCPManager"
    assert isinstance(parts(f"--network_manager={name}").manager, FlatDHCPManager)
    with pytest.raises(StartupError, match=f"VlanManager'; there are: flat_dhcp, {name}"):
        _ = parts("--network_manager=nova.network.manager.VlanManager").manager


def test_j55_network_driver(parts: MakeParts) -> None:
    """Networks are made by that driver."""
    made = parts("--nofake_network", "--network_driver=nova.network.linux_net")
    assert isinstance(made.fabric, LinuxFabric)
    assert isinstance(parts("--nofake_network", "--network_driver=memory").fabric, MemoryFabric)
    with pytest.raises(StartupError, match="unknown --network_driver 'bsd'; there are: linux, mem"):
        _ = parts("--nofake_network", "--network_driver=bsd").fabric


class Asked:
    """A bus that writes down whom it asks."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    async def call(self, context: object, topic: str, *_: object) -> None:
        self.topics.append(topic)


async def test_j56_network_host(parts: MakeParts) -> None:
    """That host is asked for an address, unless another carries the network."""
    bus = Asked()
    for words in ((), ("--network_host=HostN",)):
        made = parts(*words)
        vars(made)["rpc"] = bus
        for carrier in (None, "HostC"):
            await made.network.deallocate_fixed_ip(JOHN, carrier, 1)
    assert bus.topics == ["network", "network.HostC", "network.HostN", "network.HostC"]
