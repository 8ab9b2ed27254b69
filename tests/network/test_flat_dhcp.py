"""What flags make of a network's plan."""

from __future__ import annotations

import pytest

import nova_tx.network.managers
from nova_tx.db import networks
from nova_tx.db.engine import Database
from nova_tx.errors import StartupError
from nova_tx.flags import Ec2Flags, Flags, NetworkFlags, NodeFlags
from nova_tx.model.networks import NetworkPlan
from nova_tx.network.managers.flat_dhcp import FlatDHCPManager
from nova_tx.network.managers.interfaces import INetworkManager
from nova_tx.registry import choose
from nova_tx.taps.parts import drivers


def manager(*argv: str) -> FlatDHCPManager:
    """The manager with these flags."""
    flags = Flags.load(["--my_ip=192.0.2.1", *argv], [NodeFlags, NetworkFlags, Ec2Flags])
    return FlatDHCPManager(flags.section(NetworkFlags), flags.section(Ec2Flags))


async def plan(database: Database, *argv: str) -> NetworkPlan:
    """The plan of a network with these flags."""
    [network] = await database.run(networks.create, "10.0.0.0/24", 1, 256, "br100")
    return await database.read(manager(*argv).plan, network)


async def test_defaults(database: Database) -> None:
    """Guests leave with the host's address, and find the metadata service on it."""
    made = await plan(database)
    assert made.metadata == ("192.0.2.1", 8775)
    assert (made.source_address, made.dmz_cidr) == ("192.0.2.1", "10.128.0.0/24")
    assert (made.interface, made.dns_server, made.hosts) == (None, None, ())


async def test_flags(database: Database) -> None:
    """Each flag is in the plan."""
    made = await plan(
        database,
        "--metadata_listen=10.0.0.1",
        "--metadata_port=80",
        "--flat_interface=eth1",
        "--routing_source_ip=192.0.2.9",
        "--dmz_cidr=",
        "--dns_server=192.0.2.53",
    )
    assert made.metadata == ("10.0.0.1", 80)
    assert (made.source_address, made.dmz_cidr) == ("192.0.2.9", None)
    assert (made.interface, made.dns_server) == ("eth1", "192.0.2.53")


async def test_everywhere(database: Database) -> None:
    """A metadata service that listens everywhere is found at the API's address."""
    made = await plan(database, "--metadata_listen=0.0.0.0", "--ec2_dmz_host=192.0.2.8")
    assert made.metadata == ("192.0.2.8", 8775)


@pytest.mark.parametrize("source", ["127.0.0.1", ""])
async def test_no_source(database: Database, source: str) -> None:
    """Without an address that can be seen outside, the kernel chooses one."""
    made = await plan(database, f"--routing_source_ip={source}")
    assert made.source_address is None


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("--metadata_listen=example", "--metadata_listen must be an IPv4 address, not 'example'"),
        ("--routing_source_ip=eth0", "--routing_source_ip must be an IPv4 address, not 'eth0'"),
        ("--dmz_cidr=10.0.0.1/8", "--dmz_cidr must be a range like"),
    ],
)
def test_nonsense(flag: str, text: str) -> None:
    """A flag that makes no rule is refused at start, in one sentence."""
    with pytest.raises(StartupError, match=text):
        manager(flag)


def test_names() -> None:
    """The manager is found by its names; others are refused with the names there are."""
    found = drivers(INetworkManager, nova_tx.network.managers)
    for name in ("nova.network.manager.FlatDHCPManager", "flat_dhcp"):
        assert choose(found, name, "--network_manager") is FlatDHCPManager
    with pytest.raises(StartupError, match="there are: flat_dhcp, "):
        choose(found, "nova.network.manager.VlanManager", "--network_manager")
