"""DescribeInstances and DescribeInstanceStatus: filters, pages, and what each says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from nova_tx import states
from nova_tx.api.ec2.instance_filters import INSTANCES
from nova_tx.db import instances, services
from nova_tx.db.schema import fixed_ips, floating_ips, networks
from nova_tx.model.users import User
from nova_tx.testing.ec2 import Door, an_image, inline

NOW = datetime(2011, 2, 15)
ONE, TWO, THREE = "i-00000001", "i-00000002", "i-00000003"


def addresses(txn: Connection) -> None:
    """Instance 1 has an address, and a floating one."""
    txn.execute(
        insert(networks).values(
            id=1,
            cidr="10.0.0.0/24",
            netmask="255.255.255.0",
            bridge="br100",
            gateway="10.0.0.1",
            broadcast="10.0.0.255",
            dhcp_start="10.0.0.2",
            created_at=NOW,
        )
    )
    values = {"id": 1, "network_id": 1, "instance_id": 1, "allocated": True, "created_at": NOW}
    txn.execute(insert(fixed_ips).values(address="10.0.0.3", **values))
    txn.execute(insert(floating_ips).values(address="4.4.4.1", fixed_ip_id=1, created_at=NOW))


@pytest.fixture
def full(door: Door, joe: User) -> Door:
    """Instance 1 runs, with all there is; 2, of its reservation, has ended; 3 is plain."""
    door.images.put(
        an_image(kernel_id="aki-1", ramdisk_id="ari-1"),
        an_image(id="aki-1", type="kernel"),
        an_image(id="ari-1", type="ramdisk"),
        an_image(id="ami-b"),
    )
    inline(door.database.run(services.report, "HostB", "nova-compute", "compute", "nova", True))
    door.ask(joe, "CreateKeyPair", {"KeyName": "k"})
    given = {
        "ImageId": "ami-tiny",
        "MaxCount": "2",
        "KeyName": "k",
        "ClientToken": "t",
        "InstanceType": "m1.tiny",
    }
    door.ask(joe, "RunInstances", given)
    door.ask(joe, "RunInstances", {"ImageId": "ami-b"})
    for move in (states.BUILD, states.RUN):
        inline(door.database.run(instances.move, 1, move, host="HostB"))
    inline(door.database.run(addresses))
    door.ask(joe, "TerminateInstances", {"InstanceId.1": TWO})
    return door


def ids(answer: dict[str, Any]) -> list[str]:
    return [each["InstanceId"] for one in answer["Reservations"] for each in one["Instances"]]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("architecture", "x86_64", [ONE, TWO, THREE]),
        ("architecture", "i386", []),
        ("availability-zone", "nova", [ONE]),
        ("client-token", "t", [ONE, TWO]),
        ("dns-name", "4.4.4.1", [ONE]),
        ("group-id", "default", [ONE, TWO, THREE]),
        ("group-name", "web", []),
        ("hypervisor", "kvm", [ONE, TWO, THREE]),
        ("image-id", "ami-b", [THREE]),
        ("instance-id", "i-*3", [THREE]),
        ("instance-state-code", "0", [THREE]),
        ("instance-state-name", "running", [ONE]),
        ("instance-state-name", "*ing", [ONE, THREE]),
        ("instance-type", "m1.tiny", [ONE, TWO]),
        ("instance.group-id", "default", [ONE, TWO, THREE]),
        ("instance.group-name", "default", [ONE, TWO, THREE]),
        ("ip-address", "4.4.4.1", [ONE]),
        ("kernel-id", "aki-1", [ONE, TWO]),
        ("key-name", "k", [ONE, TWO]),
        ("launch-index", "1", [TWO]),
        ("launch-time", "20*T*Z", [ONE, TWO, THREE]),
        ("launch-time", "2011-*", []),
        ("monitoring-state", "disabled", [ONE, TWO, THREE]),
        ("monitoring-state", "enabled", []),
        ("network-interface.mac-address", "02:16:3e:*", [ONE, TWO, THREE]),
        ("owner-id", "joe", [ONE, TWO, THREE]),
        ("owner-id", "eve", []),
        ("private-dns-name", "10.0.0.3", [ONE]),
        ("private-ip-address", "10.0.0.*", [ONE]),
        ("ramdisk-id", "ari-1", [ONE, TWO]),
        ("reason", "*User initiated*", [TWO]),
        ("requester-id", "*", []),
        ("reservation-id", "r-*", [ONE, TWO, THREE]),
        ("root-device-name", "/dev/sda1", [ONE, TWO, THREE]),
        ("root-device-type", "ebs", []),
        ("root-device-type", "instance-store", [ONE, TWO, THREE]),
        ("state-reason-code", "Client.UserInitiatedShutdown", [TWO]),
        ("state-reason-message", "Client.*", [TWO]),
        ("tag:Name", "*", []),
        ("tenancy", "default", [ONE, TWO, THREE]),
        ("virtualization-type", "hvm", [ONE, TWO, THREE]),
        ("virtualization-type", "paravirtual", []),
        ("vpc-id", "*", []),
    ],
)
def test_filters(full: Door, joe: User, name: str, value: str, found: list[str]) -> None:
    """Instances are found by what AWS documents; what none here has finds none."""
    wanted = [{"Name": name, "Values": [value]}]
    assert ids(full.client(joe).describe_instances(Filters=wanted)) == found


def test_every_filter_can_look(full: Door, joe: User) -> None:
    """No filter fails on any instance, with or without address, host, key and reason."""
    for name in INSTANCES.filters:
        wanted = {"Filter.1.Name": name, "Filter.1.Value.1": "*"}
        assert full.ask(joe, "DescribeInstances", wanted).status == 200


def test_all_must_pass(full: Door, joe: User) -> None:
    """Filters and ids are all to be fulfilled; a reservation has those of it that are."""
    client = full.client(joe)
    wanted = [
        {"Name": "client-token", "Values": ["t"]},
        {"Name": "instance-state-name", "Values": ["running", "pending"]},
    ]
    (reservation,) = client.describe_instances(Filters=wanted)["Reservations"]
    assert [each["InstanceId"] for each in reservation["Instances"]] == [ONE]
    assert ids(client.describe_instances(Filters=wanted, InstanceIds=[THREE])) == []


def test_members(full: Door, joe: User) -> None:
    """A new client is told what an instance is made of."""
    (shown,) = full.client(joe).describe_instances(InstanceIds=[ONE])["Reservations"][0][
        "Instances"
    ]
    assert {
        name: shown[name]
        for name in (
            *("Architecture", "ClientToken", "Hypervisor", "RootDeviceName"),
            *("RootDeviceType", "VirtualizationType"),
        )
    } == {
        "Architecture": "x86_64",
        "ClientToken": "t",
        "Hypervisor": "kvm",
        "RootDeviceName": "/dev/sda1",
        "RootDeviceType": "instance-store",
        "VirtualizationType": "hvm",
    }


def test_pages(door: Door, joe: User) -> None:
    """Pages have every instance once, in order; a reservation may be on two of them."""
    for _ in range(3):
        door.ask(joe, "RunInstances", {"ImageId": "ami-tiny", "MaxCount": "3"})
    client = door.client(joe)
    pages = list(client.get_paginator("describe_instances").paginate(MaxResults=5))
    assert [len(ids(page)) for page in pages] == [5, 4]
    assert [each for page in pages for each in ids(page)] == [f"i-{n:08x}" for n in range(1, 10)]
    both = {"MaxResults": "5", "InstanceId.1": ONE}
    for action in ("DescribeInstances", "DescribeInstanceStatus"):
        assert door.ask(joe, action, both).code == "InvalidParameterCombination"


def test_status(full: Door, joe: User) -> None:
    """What runs is well; of the rest nothing is said unless it is asked for."""
    client = full.client(joe)
    (one,) = client.describe_instance_status()["InstanceStatuses"]
    well = {"Status": "ok", "Details": [{"Name": "reachability", "Status": "passed"}]}
    assert one == {
        "InstanceId": ONE,
        "AvailabilityZone": "nova",
        "InstanceState": {"Code": 16, "Name": "running"},
        "InstanceStatus": well,
        "SystemStatus": well,
    }
    everyone = client.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]
    assert [each["InstanceId"] for each in everyone] == [ONE, TWO, THREE]
    assert everyone[1]["InstanceStatus"] == {"Status": "not-applicable"}
    assert client.describe_instance_status(InstanceIds=[THREE])["InstanceStatuses"] == []
    gone = full.ask(joe, "DescribeInstanceStatus", {"InstanceId.1": "i-0fffffff"})
    assert gone.code == "InvalidInstanceID.NotFound"


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("availability-zone", "nova", [ONE]),
        ("instance-state-code", "48", [TWO]),
        ("instance-state-name", "pending", [THREE]),
        ("instance-status.status", "ok", [ONE]),
        ("instance-status.reachability", "passed", [ONE]),
        ("system-status.status", "not-applicable", [TWO, THREE]),
        ("system-status.reachability", "failed", []),
        ("event.code", "*", []),
    ],
)
def test_filters_of_status(full: Door, joe: User, name: str, value: str, found: list[str]) -> None:
    """Statuses are found by what AWS documents."""
    answer = full.client(joe).describe_instance_status(
        IncludeAllInstances=True, Filters=[{"Name": name, "Values": [value]}]
    )
    assert [each["InstanceId"] for each in answer["InstanceStatuses"]] == found


def test_pages_of_status(door: Door, joe: User) -> None:
    """Statuses come in pages, each once."""
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny", "MaxCount": "7"})
    pages = (
        door.client(joe)
        .get_paginator("describe_instance_status")
        .paginate(IncludeAllInstances=True, MaxResults=5)
    )
    assert [len(page["InstanceStatuses"]) for page in pages] == [5, 2]
