"""What a network takes on a Linux host, as texts and argument lists. Pure.  [spec/06 5 to 7]"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from nova_tx.errors import FabricError
from nova_tx.model.networks import DhcpHost, NetworkPlan

#: Marks the bridges that we made, and may remove.
ALIAS = "nova_tx"
#: Where guests look for their metadata.
METADATA = "169.254.169.254/32"

_BRIDGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}\Z")
_HOSTNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}\Z")

#: One chain of ours each: (table, chain of the kernel, end of our chain's name).
_CHAINS = (
    ("nat", "PREROUTING", "pre"),
    ("nat", "POSTROUTING", "post"),
    ("filter", "FORWARD", "fwd"),
    ("filter", "INPUT", "in"),
)


@dataclass(frozen=True)
class Files:
    """Where the DHCP server of a bridge keeps its files."""

    directory: str
    bridge: str

    @property
    def pid(self) -> str:
        """Its process id."""
        return f"{self.directory}/nova-{self.bridge}.pid"

    @property
    def hosts(self) -> str:
        """The guests it answers."""
        return f"{self.directory}/nova-{self.bridge}.conf"


@dataclass(frozen=True)
class DhcpOptions:
    """
    What DHCP servers of all networks have in common.

    @ivar script: the program that they report leases to.
    @ivar lease_seconds: at least 120; dnsmasq takes less as 120.
    @ivar user: whom the server and its script run as: its files are his.
    """

    script: str
    lease_seconds: int
    domain: str
    user: str


def check_bridge(bridge: str) -> str:
    """
    A bridge's name, fit for files, rules and devices.

    @raise FabricError: it is not.
    """
    if _BRIDGE.match(bridge) is None:
        raise FabricError(f"{bridge!r} is no name for a bridge")
    return bridge


# Bridges.


def bridge_commands(
    links: Iterable[Mapping[str, Any]],
    bridge: str,
    interface: str | None,
    address: tuple[str, str, str] | None = None,
) -> list[list[str]]:
    """
    The commands that are missing for a bridge to be there; none if it is.

    @param links: what C{ip -json address show} prints.
    @param address: (address, network in CIDR, broadcast) for the bridge.
    @raise FabricError: the interface is not there, or is in another bridge.
    """
    there = {link["ifname"]: link for link in links}
    commands = []
    if bridge not in there:
        commands.append(
            ["ip", "link", "add", bridge, "type", "bridge", "forward_delay", "0", "stp_state", "0"]
        )
        commands.append(["ip", "link", "set", bridge, "alias", ALIAS])
    its = there.get(bridge, {})
    if address is not None:
        local, cidr, broadcast = address
        if local not in [each.get("local") for each in its.get("addr_info", ())]:
            local = f"{local}/{IPv4Network(cidr).prefixlen}"
            commands.append(["ip", "address", "add", local, "broadcast", broadcast, "dev", bridge])
    if "UP" not in its.get("flags", ()):
        commands.append(["ip", "link", "set", bridge, "up"])
    if interface:
        if interface not in there:
            raise FabricError(f"there is no interface {interface} to put into {bridge}")
        master = there[interface].get("master")
        if master is None:
            commands.append(["ip", "link", "set", interface, "master", bridge, "up"])
        elif master != bridge:
            raise FabricError(f"interface {interface} is in {master}, not in {bridge}")
    return commands


def kernel_settings(plan: NetworkPlan) -> list[str]:
    """What to tell C{sysctl}: pass packets on; lead guests to a metadata service on loopback."""
    settings = ["net/ipv4/ip_forward=1"]
    if IPv4Address(plan.metadata[0]).is_loopback:
        settings.append(f"net/ipv4/conf/{plan.bridge}/route_localnet=1")
    return settings


# Rules.


def chain(bridge: str, end: str) -> str:
    """Our chain; named after the bridge, so that two clouds never touch each other's."""
    return f"nova-{check_bridge(bridge)}-{end}"


def rules(plan: NetworkPlan) -> dict[str, list[str]]:
    """The rules of each of our chains, by the end of its name."""
    bridge, (address, port) = plan.bridge, plan.metadata
    source = f"SNAT --to-source {plan.source_address}" if plan.source_address else "MASQUERADE"
    inside = [plan.cidr] + ([plan.dmz_cidr] if plan.dmz_cidr else [])
    return {
        "pre": [
            f"-i {bridge} -d {METADATA} -p tcp -m tcp --dport 80"
            f" -j DNAT --to-destination {address}:{port}"
        ],
        "post": [
            *(f"-s {plan.cidr} -d {each} -j ACCEPT" for each in inside),
            f"-s {plan.cidr} -j {source}",
        ],
        "fwd": [f"-i {bridge} -j ACCEPT", f"-o {bridge} -j ACCEPT"],
        # whatever the host's own rules say, guests need these
        "in": [
            # opened by route_localnet, for what was led there and nothing else
            f"-i {bridge} -d 127.0.0.0/8 -m conntrack ! --ctstate DNAT -j DROP",
            f"-i {bridge} -p udp -m udp --dport 67 -j ACCEPT",
            f"-i {bridge} -p udp -m udp --dport 53 -j ACCEPT",
            f"-i {bridge} -p tcp -m tcp --dport 53 -j ACCEPT",
            f"-i {bridge} -p tcp -m tcp -d {address}/32 --dport {port} -j ACCEPT",
        ],
    }


def rules_text(plan: NetworkPlan, saved: str) -> str:
    """
    Input for C{iptables-restore --noflush}: our chains as they should be, in one piece.

    @param saved: what C{iptables-save} prints; a jump that is there is not made again.
    """
    wanted = rules(plan)
    there = dict(_tables(saved))
    lines = []
    for table in ("nat", "filter"):
        ours = [each for each in _CHAINS if each[0] == table]
        lines.append(f"*{table}")
        lines += [f":{chain(plan.bridge, end)} - [0:0]" for _, _, end in ours]
        for _, builtin, end in ours:
            name = chain(plan.bridge, end)
            lines += [f"-A {name} {rule}" for rule in wanted[end]]
            if f"-A {builtin} -j {name}" not in there.get(table, ()):
                lines.append(f"-I {builtin} 1 -j {name}")
        lines.append("COMMIT")
    return "\n".join(lines) + "\n"


def removal_text(bridge: str, saved: str) -> str:
    """Input for C{iptables-restore --noflush} that removes our chains; empty if there are none."""
    ours = {chain(bridge, end) for _, _, end in _CHAINS}
    lines = []
    for table, text in _tables(saved):
        words = [line.split() for line in text]
        chains = [first[1:] for first, *_ in filter(None, words) if first[1:] in ours]
        if chains:
            lines.append(f"*{table}")
            lines += [
                " ".join(["-D", *each[1:]])
                for each in words
                if each[:1] == ["-A"] and each[1] not in ours and each[-1] in ours
            ]
            lines += [f"-F {name}" for name in chains] + [f"-X {name}" for name in chains]
            lines.append("COMMIT")
    return "".join(line + "\n" for line in lines)


def _tables(saved: str) -> Iterator[tuple[str, list[str]]]:
    for part in re.split(r"^\*", saved, flags=re.MULTILINE)[1:]:
        name, *lines = part.splitlines()
        yield name, lines


# DHCP.


def hosts_text(hosts: Sequence[DhcpHost], domain: str) -> str:
    """The hosts file: C{mac,hostname.domain,address} each; no name if it is no DNS label."""
    end = f".{domain}," if domain else ","
    lines = []
    for host in hosts:
        name = host.hostname + end if _HOSTNAME.match(host.hostname) else ""
        lines.append(f"{host.mac},{name}{host.address}\n")
    return "".join(lines)


def dnsmasq_argv(plan: NetworkPlan, files: Files, options: DhcpOptions) -> list[str]:
    """
    The DHCP server of a network.

    It knows no address but those of its hosts file; leases are kept in memory.
    """
    network = IPv4Network(plan.cidr)
    argv = [
        "dnsmasq",
        "--strict-order",
        "--bind-interfaces",
        "--conf-file=",
        f"--user={options.user}",
        f"--dhcp-scriptuser={options.user}",
        f"--pid-file={files.pid}",
        f"--listen-address={plan.gateway}",
        "--except-interface=lo",
        f"--dhcp-range={plan.dhcp_start},static,{plan.netmask},{options.lease_seconds}s",
        f"--dhcp-lease-max={network.num_addresses}",
        f"--dhcp-option=option:router,{plan.gateway}",
        # a guest that renews after a restart of the server gets yes or no, not silence
        "--dhcp-authoritative",
        f"--dhcp-hostsfile={files.hosts}",
        f"--dhcp-script={options.script}",
        "--leasefile-ro",
    ]
    if options.domain:
        argv.append(f"--domain={options.domain}")
    if plan.dns_server:
        argv += ["--no-hosts", "--no-resolv", f"--server={plan.dns_server}"]
    return argv
