"""One network for all instances, on one bridge, with DHCP.             [spec/06 sections 1, 3]"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv4Network

from sqlalchemy import Connection
from zope.interface import implementer

from nova_tx.db import addresses, networks
from nova_tx.errors import StartupError, WrongState
from nova_tx.flags import Ec2Flags, NetworkFlags
from nova_tx.model.networks import FixedIp, Network, NetworkPlan
from nova_tx.network.managers.interfaces import INetworkManager


@implementer(INetworkManager)
class FlatDHCPManager:
    """The first network of a bridge is used, and no other."""

    names = ("nova.network.manager.FlatDHCPManager", "flat_dhcp")

    def __init__(self, flags: NetworkFlags, ec2: Ec2Flags) -> None:
        """
        @raise StartupError: a flag that must be an address is none.
        """
        everywhere = ec2.metadata_listen in ("", "0.0.0.0")
        self._metadata = (
            _address("ec2_dmz_host", ec2.ec2_dmz_host)
            if everywhere
            else _address("metadata_listen", ec2.metadata_listen),
            ec2.metadata_port,
        )
        source = flags.routing_source_ip
        # nothing that leaves this host may come from a loopback address: the kernel chooses
        outside = source and not IPv4Address(_address("routing_source_ip", source)).is_loopback
        self._source_address = source if outside else None
        self._dmz_cidr = _range("dmz_cidr", flags.dmz_cidr)
        self._interface = flags.flat_interface or None
        self._dns_server = flags.dns_server or None

    def carried(self, txn: Connection, host: str) -> tuple[Network, ...]:
        first: dict[str, Network] = {}
        for network in networks.claim(txn, host):
            first.setdefault(network.bridge, network)
        return tuple(first.values())

    def allocate(self, txn: Connection, host: str, instance_id: int) -> tuple[Network, FixedIp]:
        network = networks.for_instance(txn, instance_id)
        if network.host is None:
            networks.claim(txn, host)
            network = networks.get(txn, network.id)
        if network.host != host:
            raise WrongState(f"network {network.cidr} is carried by {network.host}, not by {host}")
        return network, addresses.allocate(txn, network.id, instance_id)

    def plan(self, txn: Connection, network: Network) -> NetworkPlan:
        return NetworkPlan(
            bridge=network.bridge,
            cidr=network.cidr,
            gateway=network.gateway,
            netmask=network.netmask,
            broadcast=network.broadcast,
            dhcp_start=network.dhcp_start,
            interface=self._interface,
            metadata=self._metadata,
            source_address=self._source_address,
            dmz_cidr=self._dmz_cidr,
            dns_server=self._dns_server,
            hosts=addresses.dhcp_hosts(txn, network.id),
        )


def _address(flag: str, value: str) -> str:
    try:
        return str(IPv4Address(value))
    except AddressValueError:
        raise StartupError(f"--{flag} must be an IPv4 address, not {value!r}") from None


def _range(flag: str, value: str) -> str | None:
    try:
        return str(IPv4Network(value)) if value else None
    except ValueError:
        raise StartupError(f"--{flag} must be a range like 10.0.0.0/24, not {value!r}") from None
