"""RunInstances: client tokens, devices, protection, and what clients of today say besides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nova_tx.context import RequestContext
from nova_tx.db.client_tokens import LIFE
from nova_tx.model.instances import Instance
from nova_tx.model.users import User
from nova_tx.testing.ec2 import Door, an_image, inline

RUN = {"ImageId": "ami-tiny"}


def rows(door: Door) -> list[Instance]:
    found = inline(door.operations.instances.listed(RequestContext("joe", "joe")))
    return [each.instance for each in found]


def run(door: Door, user: User, **given: str) -> tuple[str | None, list[str | None]]:
    """The reservation, or the error, and the instances of what was launched."""
    answer = door.ask(user, "RunInstances", {**RUN, **given})
    found = [each.text for each in answer.xml.iterfind(".//{*}instanceId")]
    return answer.xml.findtext("{*}reservationId") or answer.code, found


def test_a_token_launches_once(door: Door, joe: User) -> None:
    """The same request with the same token is answered with the same reservation."""
    first = run(door, joe, ClientToken="t", MaxCount="2")
    assert first[1] == ["i-00000001", "i-00000002"]
    again = run(door, joe, ClientToken="t", MaxCount="2")
    assert again == first
    assert len(rows(door)) == 2
    assert run(door, joe, ClientToken="u", MaxCount="2")[0] != first[0]
    (shown, *_) = door.client(joe).describe_instances()["Reservations"][0]["Instances"]
    assert shown["ClientToken"] == "t"


def test_a_token_holds_on_another_process(door: Door, joe: User) -> None:
    """Another API over the same database knows the token."""
    first = run(door, joe, ClientToken="t")
    twin = Door(door.database)
    twin.images.put(an_image())
    assert run(twin, twin.add_user("joe"), ClientToken="t") == first


def test_a_second_request_tells_the_scheduler_again(door: Door, joe: User) -> None:
    """The first request's message may be lost with its process: what has no host is told again."""
    run(door, joe, ClientToken="t")
    door.bus.casts.clear()
    run(door, joe, ClientToken="t")
    assert [cast[1] for cast in door.bus.casts] == ["run_instance"]


def test_a_token_outlives_the_image(door: Door, joe: User) -> None:
    """A second request is answered though the image is gone; another one is not made of it."""
    first = run(door, joe, ClientToken="t")
    inline(door.operations.images.deregister(RequestContext("admin", "admin"), "ami-tiny"))
    door.bus.casts.clear()
    assert run(door, joe, ClientToken="t") == first
    assert [cast[1] for cast in door.bus.casts] == ["run_instance"]
    assert run(door, joe, ClientToken="u")[0] == run(door, joe)[0] == "InvalidAMIID.NotFound"
    assert run(door, joe, ClientToken="t", MaxCount="2")[0] == "IdempotentParameterMismatch"
    door.ask(joe, "TerminateInstances", {"InstanceId.1": "i-00000001"})
    assert run(door, joe, ClientToken="t")[0] == "IdempotentInstanceTerminated"
    assert len(rows(door)) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"MaxCount": "2"},
        {"InstanceType": "m1.tiny"},
        {"TagSpecification.1.ResourceType": "instance", "TagSpecification.1.Tag.1.Key": "a"},
        {"DisableApiTermination": "true"},
    ],
)
def test_a_token_of_another_request(door: Door, joe: User, other: dict[str, str]) -> None:
    """The same token with other parameters is IdempotentParameterMismatch, and nothing is made."""
    run(door, joe, ClientToken="t")
    assert run(door, joe, ClientToken="t", **other)[0] == "IdempotentParameterMismatch"
    assert len(rows(door)) == 1


def test_tokens_are_a_projects(door: Door, joe: User, eve: User) -> None:
    """Two projects may use the same token."""
    assert run(door, joe, ClientToken="t")[1] == ["i-00000001"]
    assert run(door, eve, ClientToken="t")[1] == ["i-00000002"]


def test_a_refused_request_keeps_no_token(door: Door, joe: User) -> None:
    """What was refused for lack of room may be asked for again with the same token."""
    assert run(door, joe, ClientToken="t", MinCount="11")[0] == "InstanceLimitExceeded"
    assert run(door, joe, ClientToken="t", MinCount="1")[1] == ["i-00000001"]


def test_a_token_after_the_end(door: Door, joe: User) -> None:
    """What was terminated is not launched again by its token; a day later the token is free."""
    run(door, joe, ClientToken="t")
    door.ask(joe, "TerminateInstances", {"InstanceId.1": "i-00000001"})
    assert run(door, joe, ClientToken="t")[0] == "IdempotentInstanceTerminated"
    door.clock.advance(LIFE.total_seconds())
    assert run(door, joe, ClientToken="t")[1] == ["i-00000002"]


def test_options(door: Door, joe: User) -> None:
    """Protection, shutdown behaviour and the image's architecture are in the row."""
    run(door, joe)
    run(door, joe, DisableApiTermination="true", InstanceInitiatedShutdownBehavior="terminate")
    plain, given = rows(door)
    assert (plain.disable_api_termination, plain.shutdown_behavior) == (False, "stop")
    assert (given.disable_api_termination, given.shutdown_behavior) == (True, "terminate")
    assert given.architecture == "x86_64"


def test_devices(door: Door, joe: User) -> None:
    """The mapping of the second disk is kept with the instance."""
    client = door.client(joe)

    def kept(**entry: str) -> Any:
        mapping = [{"DeviceName": "/dev/sdc", **entry}]
        client.run_instances(
            ImageId="ami-tiny", MinCount=1, MaxCount=1, BlockDeviceMappings=mapping
        )
        return json.loads(rows(door)[-1].block_devices or "{}")

    assert kept(VirtualName="ephemeral0") == {"ephemeral0": "/dev/sdc"}
    assert kept(DeviceName="/dev/sdb", NoDevice="") == {"ephemeral0": None}
    run(door, joe)
    assert rows(door)[-1].block_devices is None


def test_unasked(door: Door, joe: User) -> None:
    """What clients of today say besides is accepted where it is so anyway."""
    door.client(joe).run_instances(
        ImageId="ami-tiny",
        MinCount=1,
        MaxCount=1,
        Placement={"Tenancy": "default", "GroupName": ""},
        DisableApiStop=False,
        EbsOptimized=False,
        Monitoring={"Enabled": False},
        HibernationOptions={"Configured": False},
        EnclaveOptions={"Enabled": False},
        MaintenanceOptions={"AutoRecovery": "default"},
        CapacityReservationSpecification={"CapacityReservationPreference": "open"},
        MetadataOptions={
            "HttpEndpoint": "enabled",
            "HttpTokens": "optional",
            "HttpPutResponseHopLimit": 1,
            "InstanceMetadataTags": "disabled",
        },
    )
    assert len(rows(door)) == 1


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"Placement.Tenancy": "dedicated"}, "UnsupportedOperation"),
        ({"Placement.GroupName": "close"}, "InvalidPlacementGroup.Unknown"),
        ({"Placement.HostId": "h-1"}, "UnknownParameter"),
        ({"DisableApiStop": "true"}, "UnsupportedOperation"),
        ({"HibernationOptions.Configured": "true"}, "UnsupportedOperation"),
        ({"MetadataOptions.HttpTokens": "required"}, "UnsupportedOperation"),
        ({"MetadataOptions.HttpEndpoint": "disabled"}, "UnsupportedOperation"),
        ({"MetadataOptions.Unheard": "of"}, "UnknownParameter"),
        ({"InstanceInitiatedShutdownBehavior": "sleep"}, "InvalidParameterValue"),
        ({"DisableApiTermination": "maybe"}, "InvalidParameterValue"),
        ({"ClientToken": "x" * 65}, "InvalidParameterValue"),
        ({"BlockDeviceMapping.1.VirtualName": "ephemeral0"}, "MissingParameter"),
        (
            {
                "BlockDeviceMapping.1.DeviceName": "/dev/sdb",
                "BlockDeviceMapping.1.Ebs.VolumeSize": "8",
            },
            "InvalidBlockDeviceMapping",
        ),
        (
            {
                "BlockDeviceMapping.1.DeviceName": "/dev/sda1",
                "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
            },
            "InvalidBlockDeviceMapping",
        ),
        (
            {
                "BlockDeviceMapping.1.DeviceName": "/dev/sdb",
                "BlockDeviceMapping.1.VirtualName": "ephemeral0",
                "InstanceType": "m1.tiny",
            },
            "InvalidBlockDeviceMapping",
        ),
    ],
)
def test_refused(door: Door, joe: User, given: dict[str, str], code: str) -> None:
    """What this cloud does not do is refused, not passed over, and nothing is launched."""
    answer = door.ask(joe, "RunInstances", {**RUN, **given})
    assert (answer.status, answer.code) == (400, code)
    assert rows(door) == []
