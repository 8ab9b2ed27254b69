"""
Facts of networks and addresses.

Facts are what rooms hand to each other: frozen, without behaviour.  Times are naive UTC
C{datetime}s; sizes say their unit in the name; an address or a network is text
(C{10.0.0.3}, C{10.0.0.0/24}).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """A row of C{networks}."""

    id: int
    cidr: str
    netmask: str
    bridge: str
    gateway: str
    broadcast: str
    dns: str | None
    dhcp_start: str
    vlan: int | None
    label: str | None
    project_id: str | None
    host: str | None
    injected: bool


@dataclass(frozen=True)
class FixedIp:
    """A row of C{fixed_ips}."""

    id: int
    address: str
    network_id: int
    instance_id: int | None
    allocated: bool
    leased: bool
    reserved: bool


@dataclass(frozen=True)
class Nic:
    """
    An instance's place in a network: the answer of C{allocate_fixed_ip}.

    Travels as JSON (C{dataclasses.asdict} there, C{Nic(**value)} here).
    """

    mac: str
    address: str
    bridge: str
    cidr: str
    netmask: str
    gateway: str
    broadcast: str
    dns: str | None


@dataclass(frozen=True)
class DhcpHost:
    """One guest that a DHCP server knows."""

    mac: str
    hostname: str
    address: str


@dataclass(frozen=True)
class NetworkPlan:
    """
    All that a network host needs to know to carry a network: the fabric never asks.

    @ivar interface: the host's interface to put into the bridge, or None.
    @ivar metadata: (address, port) that 169.254.169.254:80 leads to.
    @ivar source_address: address that guests' traffic to the outside leaves
        with; None lets the kernel choose (masquerade).
    @ivar dmz_cidr: a range that guests reach with their own address.
    @ivar dns_server: upstream of the DHCP server's DNS; None uses the host's.
    """

    bridge: str
    cidr: str
    gateway: str
    netmask: str
    broadcast: str
    dhcp_start: str
    interface: str | None
    metadata: tuple[str, int]
    source_address: str | None
    dmz_cidr: str | None
    dns_server: str | None
    hosts: tuple[DhcpHost, ...]
