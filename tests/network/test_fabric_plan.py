"""What a network takes, as texts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nova_tx.errors import FabricError
from nova_tx.model.networks import DhcpHost
from nova_tx.network.fabric.plan import (
    DhcpOptions,
    Files,
    bridge_commands,
    chain,
    dnsmasq_argv,
    hosts_text,
    kernel_settings,
    removal_text,
    rules_text,
)
from nova_tx.testing.conformance.fabric import ONE, PLAN, TWO

ADDRESS = ("10.0.0.1", "10.0.0.0/24", "10.0.0.255")
LO = {"ifname": "lo", "flags": ["UP"]}
ETH1 = {"ifname": "eth1", "flags": ["UP"]}
BRIDGE = {"ifname": "br100", "flags": ["UP"], "addr_info": [{"local": "10.0.0.1"}]}

SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
:nova-br100-pre - [0:0]
:nova-br100-post - [0:0]
:nova-br1000-pre - [0:0]
-A PREROUTING -j nova-br100-pre
-A PREROUTING -j nova-br1000-pre
-A POSTROUTING -j nova-br100-post
COMMIT
*filter
:INPUT ACCEPT [0:0]
:nova-br100-fwd - [0:0]
:nova-br100-in - [0:0]
-A INPUT -j nova-br100-in
-A FORWARD -j nova-br100-fwd
-A INPUT -s 192.0.2.1/32 -j nova-br100-in
COMMIT
"""


def test_new_bridge() -> None:
    """A bridge that is not there is made, marked as ours, given its address and switched on."""
    commands = bridge_commands([LO, ETH1], "br100", "eth1", ADDRESS)
    assert [" ".join(each) for each in commands] == [
        "ip link add br100 type bridge forward_delay 0 stp_state 0",
        "ip link set br100 alias nova_tx",
        "ip address add 10.0.0.1/24 broadcast 10.0.0.255 dev br100",
        "ip link set br100 up",
        "ip link set eth1 master br100 up",
    ]


def test_bridge_is_there() -> None:
    """Nothing is done to a bridge that is as it should be."""
    there = [LO, BRIDGE, {**ETH1, "master": "br100"}]
    assert bridge_commands(there, "br100", "eth1", ADDRESS) == []
    assert bridge_commands(there, "br100", None) == []


@pytest.mark.parametrize(
    ("links", "text"),
    [
        ([LO], "there is no interface eth1 to put into br100"),
        ([LO, {**ETH1, "master": "br7"}], "interface eth1 is in br7, not in br100"),
    ],
)
def test_bad_interface(links: list[dict[str, object]], text: str) -> None:
    """An interface that can't be put into the bridge is a FabricError."""
    with pytest.raises(FabricError, match=text):
        bridge_commands(links, "br100", "eth1")


def test_kernel_settings() -> None:
    """Loopback is opened to guests only if the metadata service listens there."""
    assert kernel_settings(PLAN) == ["net/ipv4/ip_forward=1"]
    assert kernel_settings(replace(PLAN, metadata=("127.0.0.1", 8775))) == [
        "net/ipv4/ip_forward=1",
        "net/ipv4/conf/br100/route_localnet=1",
    ]


def test_rules() -> None:
    """The rules of a network, in chains named after its bridge."""
    plan = replace(PLAN, source_address="192.0.2.1", dmz_cidr="10.128.0.0/24")
    assert rules_text(plan, "") == (
        "*nat\n"
        ":nova-br100-pre - [0:0]\n"
        ":nova-br100-post - [0:0]\n"
        "-A nova-br100-pre -i br100 -d 169.254.169.254/32 -p tcp -m tcp --dport 80"
        " -j DNAT --to-destination 10.0.0.1:8775\n"
        "-I PREROUTING 1 -j nova-br100-pre\n"
        "-A nova-br100-post -s 10.0.0.0/24 -d 10.0.0.0/24 -j ACCEPT\n"
        "-A nova-br100-post -s 10.0.0.0/24 -d 10.128.0.0/24 -j ACCEPT\n"
        "-A nova-br100-post -s 10.0.0.0/24 -j SNAT --to-source 192.0.2.1\n"
        "-I POSTROUTING 1 -j nova-br100-post\n"
        "COMMIT\n"
        "*filter\n"
        ":nova-br100-fwd - [0:0]\n"
        ":nova-br100-in - [0:0]\n"
        "-A nova-br100-fwd -i br100 -j ACCEPT\n"
        "-A nova-br100-fwd -o br100 -j ACCEPT\n"
        "-I FORWARD 1 -j nova-br100-fwd\n"
        "-A nova-br100-in -i br100 -d 127.0.0.0/8 -m conntrack ! --ctstate DNAT -j DROP\n"
        "-A nova-br100-in -i br100 -p udp -m udp --dport 67 -j ACCEPT\n"
        "-A nova-br100-in -i br100 -p udp -m udp --dport 53 -j ACCEPT\n"
        "-A nova-br100-in -i br100 -p tcp -m tcp --dport 53 -j ACCEPT\n"
        "-A nova-br100-in -i br100 -p tcp -m tcp -d 10.0.0.1/32 --dport 8775 -j ACCEPT\n"
        "-I INPUT 1 -j nova-br100-in\n"
        "COMMIT\n"
    )


def test_jumps_once() -> None:
    """Jumps that are there are not made again; another bridge's are not taken for them."""
    assert "-I " not in rules_text(PLAN, SAVED)
    assert rules_text(replace(PLAN, bridge="br10"), SAVED).count("-I ") == 4


def test_removal() -> None:
    """Our chains go, with all that jumps to them; another bridge's stay."""
    assert removal_text("br100", SAVED) == (
        "*nat\n"
        "-D PREROUTING -j nova-br100-pre\n"
        "-D POSTROUTING -j nova-br100-post\n"
        "-F nova-br100-pre\n"
        "-F nova-br100-post\n"
        "-X nova-br100-pre\n"
        "-X nova-br100-post\n"
        "COMMIT\n"
        "*filter\n"
        "-D INPUT -j nova-br100-in\n"
        "-D FORWARD -j nova-br100-fwd\n"
        "-D INPUT -s 192.0.2.1/32 -j nova-br100-in\n"
        "-F nova-br100-fwd\n"
        "-F nova-br100-in\n"
        "-X nova-br100-fwd\n"
        "-X nova-br100-in\n"
        "COMMIT\n"
    )
    assert removal_text("br10", SAVED) == ""


def test_chain_names() -> None:
    """The longest bridge's name makes a chain's name that iptables takes: 28 characters."""
    assert len(chain("b" * 15, "post")) <= 28


def test_hosts() -> None:
    """A line for each guest; a name that is no name in DNS is left out."""
    odd = DhcpHost("02:16:3e:00:00:03", "a,b", "10.0.0.4")
    assert hosts_text([ONE, TWO, odd], "novalocal") == (
        "02:16:3e:00:00:01,i-00000001.novalocal,10.0.0.2\n"
        "02:16:3e:00:00:02,i-00000002.novalocal,10.0.0.3\n"
        "02:16:3e:00:00:03,10.0.0.4\n"
    )
    assert hosts_text([ONE], "") == "02:16:3e:00:00:01,i-00000001,10.0.0.2\n"


def test_dnsmasq() -> None:
    """The DHCP server's arguments, with room for a lease per address."""
    files = Files("/var/lib/nova/networks", "br100")
    options = DhcpOptions("/usr/bin/nova-dhcpbridge", 120, "novalocal", "nova")
    argv = dnsmasq_argv(PLAN, files, options)
    assert argv == [
        "dnsmasq",
        "--strict-order",
        "--bind-interfaces",
        "--conf-file=",
        "--user=nova",
        "--dhcp-scriptuser=nova",
        "--pid-file=/var/lib/nova/networks/nova-br100.pid",
        "--listen-address=10.0.0.1",
        "--except-interface=lo",
        "--dhcp-range=10.0.0.2,static,255.255.255.0,120s",
        "--dhcp-lease-max=256",
        "--dhcp-option=option:router,10.0.0.1",
        "--dhcp-authoritative",
        "--dhcp-hostsfile=/var/lib/nova/networks/nova-br100.conf",
        "--dhcp-script=/usr/bin/nova-dhcpbridge",
        "--leasefile-ro",
        "--domain=novalocal",
    ]
    other = dnsmasq_argv(replace(PLAN, dns_server="192.0.2.53"), files, options)
    assert other[len(argv) :] == ["--no-hosts", "--no-resolv", "--server=192.0.2.53"]
