"""nova-manage network, floating, vpn: rows of addresses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from nova_tx.db.engine import now
from nova_tx.db.schema import fixed_ips, floating_ips, networks
from nova_tx.testing.manage import Manage, Told, add_instance, write

VLAN = "--network_manager=nova.network.manager.VlanManager"


def test_flat(manage: Manage) -> None:
    """A label, a range of IPv6 and empty words for what the flags say are taken."""
    words = ("10.0.0.0/24", "2", "16", "", "", "fd00::/48", "private")
    assert manage("network", "create", *words) == Told(0, "", "")
    one, two = json.loads(manage("network", "list", "--json").out)
    assert (one["label"], one["bridge"], one["vlan"]) == ("private", "br100", None)
    assert (one["cidr"], two["cidr"]) == ("10.0.0.0/28", "10.0.0.16/28")


def test_vlans(manage: Manage) -> None:
    """With VlanManager each network has a VLAN, a bridge and a VPN server's address and port."""
    assert manage(VLAN, "network", "create", "10.0.0.0/24", "2", "16", "200").code == 0
    one, two = json.loads(manage("network", "list", "--json").out)
    assert (one["vlan"], one["bridge"], one["dhcp_start"]) == (200, "br200", "10.0.0.3")
    assert (two["vlan"], two["bridge"], two["dhcp_start"]) == (201, "br201", "10.0.0.19")
    told = manage(VLAN, "network", "create", "10.1.0.0/24", "1", "16", "201")
    assert told == Told(1, "", "VLAN 201 is another network's already\n")
    told = manage(VLAN, "network", "create", "10.1.0.0/24", "2", "16", "4094")
    assert told.err == "2 networks from VLAN 4094 on: VLANs are numbered from 1 to 4094\n"
    for first in ("-1", "0", "65535"):
        told = manage(VLAN, "network", "create", "10.1.0.0/24", "2", "16", "300", first)
        assert told.err.endswith(f"port {first} on: ports are numbered from 1 to 65535\n")


@pytest.mark.parametrize("range_v6", ["10.0.0.0/8", "fd00::/65", "fd00::/64"])
def test_bad_v6(manage: Manage, range_v6: str) -> None:
    """A range of IPv6 that is none, or has not a /64 for each network, is refused."""
    told = manage("network", "create", "10.0.0.0/24", "2", "16", "", "", range_v6)
    assert (told.code, told.out, len(told.err.splitlines())) == (1, "", 1)
    assert json.loads(manage("network", "list", "--json").out) == []


def test_delete(manage: Manage, tmp_path: Path) -> None:
    """A network goes with its addresses, but not floating ones, unless someone has it."""
    manage("network", "create", "10.0.0.0/29", "1", "8")
    write(tmp_path, update(networks).values(project_id="physics"))
    assert manage("network", "delete", "10.0.0.0/29") == Told(
        1, "", "Network must be disassociated from project physics before delete\n"
    )
    write(tmp_path, update(networks).values(project_id=None))
    add_instance(tmp_path)
    its = fixed_ips.c.address == "10.0.0.3"
    write(tmp_path, update(fixed_ips).where(its).values(instance_id=1))
    told = manage("network", "delete", "10.0.0.0/29")
    assert told.err.endswith("instance i-00000001 has an address of it\n")
    manage("floating", "create", "HostA", "10.5.0.1")
    write(
        tmp_path,
        update(fixed_ips).values(instance_id=None),
        update(floating_ips).values(fixed_ip_id=4),
    )
    assert manage("network", "delete", "10.0.0.0/29") == Told(0, "", "")
    assert len(manage("fixed", "list").out.splitlines()) == 1
    assert manage("floating", "list").out == "HostA\t10.5.0.1\tNone\n"
    assert manage("network", "delete", "10.0.0.0/29").err == "there is no network 10.0.0.0/29\n"


def test_floating(manage: Manage, tmp_path: Path) -> None:
    """Every address of a range is made, listed with its instance, and deleted."""
    assert manage("floating", "create", "HostA", "10.5.0.0/30") == Told(0, "", "")
    manage("network", "create", "10.0.0.0/29", "1", "8")
    add_instance(tmp_path)
    write(
        tmp_path,
        update(fixed_ips).where(fixed_ips.c.address == "10.0.0.3").values(instance_id=1),
        update(floating_ips)
        .where(floating_ips.c.address == "10.5.0.1")
        .values(fixed_ip_id=4, project_id="physics"),
    )
    lines = manage("floating", "list", "HostA").out.splitlines()
    assert lines[:2] == ["HostA\t10.5.0.0\tNone", "HostA\t10.5.0.1\ti-00000001"]
    assert len(lines) == 4 and manage("floating", "list", "HostB").out == ""
    told = manage("floating", "delete", "10.5.0.0/30")
    assert told.err == ("floating address 10.5.0.1 can't be deleted: instance i-00000001 has it\n")
    write(tmp_path, update(floating_ips).values(fixed_ip_id=None))
    told = manage("floating", "delete", "10.5.0.0/30")
    assert told.err == ("floating address 10.5.0.1 can't be deleted: project physics has it\n")
    assert manage("floating", "delete", "10.5.0.2/31") == Told(0, "", "")
    assert len(manage("floating", "list").out.splitlines()) == 2
    assert manage("floating", "delete", "10.5.0.2").err == (
        "there is no floating address of 10.5.0.2\n"
    )


def test_floating_refused(manage: Manage) -> None:
    """Without a range the flag's is made; twice, nonsense and very large ones are refused whole."""
    assert manage("--floating_range=10.6.0.0/31", "floating", "create", "HostA").code == 0
    told = manage("floating", "create", "HostA", "10.6.0.0/24")
    assert told == Told(1, "", "floating address 10.6.0.0 is there already\n")
    for nonsense in ("ten", "10.0.0.1/8", "10.0.0.0/8"):
        told = manage("floating", "create", "HostA", nonsense)
        assert (told.code, len(told.err.splitlines())) == (1, 1)
    for host in ("", "a\tb", "a\nb", "a b"):
        told = manage("floating", "create", host, "10.7.0.1")
        assert told == Told(1, "", f"{host!r} is no host's name\n")
    assert len(manage("floating", "list").out.splitlines()) == 2


def test_vpn(john: Manage, tmp_path: Path) -> None:
    """Each project is listed with where its VPN server is reached, and whether it answers."""
    header, line = john("vpn", "list").out.splitlines()
    assert header == "project     \t ip:port             \t private_ip          \t state"
    assert line == "john_project\t None:None           \t None"
    assert john("vpn", "change", "none", "9.8.7.6", "1").err == "No project none\n"
    for nonsense in ("", "gateway", "::1", "9.8.7.6.5"):
        told = john("vpn", "change", "john_project", nonsense, "1000")
        assert told == Told(1, "", f"IP must be an IPv4 address, not {nonsense!r}\n")
    told = john("vpn", "change", "john_project", "9.8.7.6", "1000")
    assert told.err == "project john_project has no network\n"
    john("network", "create", "10.0.0.0/29", "1", "8")
    write(tmp_path, update(networks).values(project_id="john_project"))
    assert john("vpn", "change", "john_project", "127.0.0.1", "1").code == 0
    assert john("vpn", "list", "john_project").out.splitlines()[1] == (
        "john_project\t 127.0.0.1:1         \t None"
    )
    add_instance(tmp_path, image_id="ami-cloudpipe")
    write(tmp_path, update(fixed_ips).where(fixed_ips.c.id == 3).values(instance_id=1))
    assert john("vpn", "list").out.splitlines()[1] == (
        "john_project\t 127.0.0.1:1         \t 10.0.0.2 HostB i-00000001 running down"
    )
    assert john("vpn", "change", "john_project", "9.8.7.6", "70000").err == (
        "PORT must be from 1 to 65535, not 70000\n"
    )


def test_vpn_twice(john: Manage, tmp_path: Path) -> None:
    """Two projects' VPN servers are not at the same place."""
    john("project", "create", "other", "john")
    john("network", "create", "10.0.0.0/28", "2", "8")
    for number, project in ((1, "john_project"), (2, "other")):
        write(tmp_path, update(networks).where(networks.c.id == number).values(project_id=project))
    assert john("vpn", "change", "other", "9.8.7.6", "1000").code == 0
    told = john("vpn", "change", "john_project", "9.8.7.6", "1000")
    assert told == Told(1, "", "9.8.7.6:1000 is another project's already\n")


def test_unused_rows_are_listed(manage: Manage, tmp_path: Path) -> None:
    """A floating address without a host, as an old database may have one, is listed."""
    row = {"address": "10.9.9.9", "created_at": now(), "deleted": False}
    write(tmp_path, insert(floating_ips).values(**row))
    assert manage("floating", "list").out == "None\t10.9.9.9\tNone\n"


def test_network(manage: Manage) -> None:
    """Networks are made by flags and arguments, and listed in Nova's columns."""
    assert manage("network", "create", "10.0.0.0/24", "2", "16") == Told(0, "", "")
    assert manage("network", "list").out.splitlines() == [
        "network           \tnetmask        \tstart address  \tDNS            ",
        "10.0.0.0/28       \t255.255.255.240\t10.0.0.2       \t8.8.4.4        ",
        "10.0.0.16/28      \t255.255.255.240\t10.0.0.18      \t8.8.4.4        ",
    ]
    flags = ("--fixed_range=192.168.0.0/28", "--network_size=8")
    assert manage(*flags, "network", "create") == Told(0, "", "")
    assert "192.168.0.0/29" in manage("network", "list").out


def test_network_refused(manage: Manage) -> None:
    """A range that is none, too small, or taken is one sentence, and leaves nothing."""
    for words in (["ten"], ["10.0.0.0/30", "2", "256"], ["10.0.0.0/24", "one"]):
        told = manage("network", "create", *words)
        assert (told.code, told.out, len(told.err.splitlines())) == (1, "", 1)
    assert len(manage("network", "list").out.splitlines()) == 1


def test_fixed_list(manage: Manage, tmp_path: Path) -> None:
    """Addresses are listed with their instance, or None; a host selects its own."""
    manage("network", "create", "10.0.0.0/30", "1", "4")
    add_instance(tmp_path)
    write(
        tmp_path,
        update(fixed_ips).where(fixed_ips.c.address == "10.0.0.2").values(instance_id=1),
    )
    header = "network           \tIP address     \tMAC address      \thostname       \thost"
    its = "10.0.0.0/30       \t10.0.0.2       \t02:16:3e:00:00:01\ti-00000001     \tHostB"
    free = "10.0.0.0/30       \t10.0.0.1       \tNone             \tNone           \tNone"
    lines = manage("fixed", "list").out.splitlines()
    assert lines[0] == header
    assert len(lines) == 5 and its in lines and free in lines
    assert manage("fixed", "list", "HostB").out.splitlines() == [header, its]
    assert manage("fixed", "list", "HostX") == Told(2, "", "error: no host HostX is known\n")
