"""The plan of a cloud on this machine."""

from __future__ import annotations

import dataclasses
import os

import pytest

from nova_tx.flags import (
    BusFlags,
    ComputeFlags,
    Ec2Flags,
    Flags,
    LibvirtFlags,
    NetworkFlags,
    S3Flags,
    SqlFlags,
    sections,
)
from nova_tx.local.plan import Plan, choose_network, flag_file, problems

PLAN = Plan("/tmp/cloud", "memory", "qemu", "", 0, "10.100.0.0/24")


def flags_of(plan: Plan, tmp_path: object) -> Flags:
    """What daemons read of a plan's flag file."""
    path = f"{tmp_path}/nova.conf"
    # for its owner alone, as the cloud writes it
    with open(path, "w", opener=lambda name, how: os.open(name, how, 0o600)) as file:
        file.write(flag_file(plan, ("nova", "secret"), "qemu+unix:///system?socket=/x", "/bridge"))
    return Flags.load([f"--flagfile={path}"], sections())


def test_every_flag_of_the_file_is_known(tmp_path: object) -> None:
    """Daemons know each flag that is written for them."""
    for bus in ("memory", "rabbitmq"):
        for virt in ("fake", "qemu", "kvm"):
            plan = dataclasses.replace(PLAN, bus=bus, virt=virt)
            assert list(flags_of(plan, tmp_path).warnings) == []


def test_everything_is_on_loopback_and_moved_by_the_port_base(tmp_path: object) -> None:
    """A cloud listens on loopback only, on its own ports."""
    flags = flags_of(dataclasses.replace(PLAN, port_base=7, bus="rabbitmq"), tmp_path)
    ec2, s3, bus = flags.section(Ec2Flags), flags.section(S3Flags), flags.section(BusFlags)
    assert (ec2.ec2_listen, ec2.ec2_listen_port, ec2.ec2_port) == ("127.0.0.1", 8780, 8780)
    assert (ec2.metadata_listen, ec2.metadata_port) == ("127.0.0.1", 8782)
    assert (s3.s3_listen_host, s3.s3_port) == ("127.0.0.1", 3340)
    assert (bus.rabbit_host, bus.rabbit_port) == ("127.0.0.1", 5689)
    assert (bus.rabbit_userid, bus.rabbit_password) == ("nova", "secret")


def test_a_fake_cloud_touches_no_device(tmp_path: object) -> None:
    """With fake guests neither libvirt nor the host's network is used, and no root is needed."""
    plan = dataclasses.replace(PLAN, virt="fake")
    flags = flags_of(plan, tmp_path)
    assert flags.section(ComputeFlags).connection_type == "fake"
    assert flags.section(NetworkFlags).fake_network
    assert not plan.real


def test_a_real_cloud_uses_its_own_libvirt_and_bridge(tmp_path: object) -> None:
    """Real guests run under the private libvirtd, on a bridge that no other cloud has."""
    flags = flags_of(dataclasses.replace(PLAN, port_base=7), tmp_path)
    libvirt, network = flags.section(LibvirtFlags), flags.section(NetworkFlags)
    assert (libvirt.libvirt_type, libvirt.libvirt_uri) == ("qemu", "qemu+unix:///system?socket=/x")
    assert network.flat_network_bridge == "brnova7"
    assert (network.fixed_range, network.dhcpbridge) == ("10.100.0.0/24", "/bridge")


def test_the_bus_decides_on_one_process_or_five() -> None:
    """In memory there is one process; over RabbitMQ each service has its own."""
    assert PLAN.daemons == ("nova-all",)
    assert len(dataclasses.replace(PLAN, bus="rabbitmq").daemons) == 5


def test_the_database_is_ones_own_unless_another_is_given(tmp_path: object) -> None:
    """Without a URL the database is a file in the cloud's directory."""
    own = flags_of(PLAN, tmp_path).section(SqlFlags).sql_connection
    other = dataclasses.replace(PLAN, database="postgresql://nova@db/nova")
    given = flags_of(other, tmp_path).section(SqlFlags).sql_connection
    assert (own, given) == ("sqlite:////tmp/cloud/nova.sqlite", "postgresql://nova@db/nova")


def test_a_plan_survives_its_file() -> None:
    """What is read from the file is what was written."""
    assert Plan.from_json(PLAN.to_json()) == PLAN


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"port_base": -1}, "--port-base"),
        ({"port_base": 60000}, "--port-base"),
        ({"bus": "carrier pigeon"}, "--bus"),
        ({"virt": "xen"}, "--virt"),
        ({"directory": "/tmp/my cloud"}, "directory"),
        ({"directory": "/tmp/a?b"}, "directory"),
    ],
)
def test_nonsense_is_refused(change: dict[str, object], word: str) -> None:
    """What can't work is told before anything is started."""
    [sentence] = problems(dataclasses.replace(PLAN, **change))  # type: ignore[arg-type]
    assert word in sentence


def test_a_good_plan_has_no_problem() -> None:
    """A plan that works is let through."""
    assert problems(PLAN) == []


def test_clouds_side_by_side_have_different_networks() -> None:
    """Two port bases get two networks."""
    assert choose_network(0, []) == "10.100.0.0/24"
    assert len({choose_network(base, []) for base in range(600)}) == 600


def test_networks_that_the_host_knows_are_avoided() -> None:
    """A network that this host has a route to is not taken; wide routes do not count."""
    routes = ["default", "10.0.0.0/8", "10.100.0.5", "10.100.1.0/25", "0.0.0.0/0"]
    assert choose_network(0, routes) == "10.100.2.0/24"


def test_no_network_left_is_an_error() -> None:
    """If the host has a route into every network, that is said."""
    with pytest.raises(ValueError, match="route into every network"):
        choose_network(0, [f"10.{second}.0.0/16" for second in range(100, 200)])
