"""Actions on instances, as boto3's core and tools of 2011 use them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from nova_tx import states
from nova_tx.db import instances, services
from nova_tx.model.users import User
from nova_tx.testing.ec2 import NEW, OLD, Door, an_image, inline


def move(door: Door, instance_id: int, *moves: states.Move, **columns: object) -> None:
    for each in moves:
        inline(door.database.run(instances.move, instance_id, each, **columns))


def test_life_of_an_instance(door: Door, joe: User) -> None:
    """Run, describe, console, reboot, terminate: what botocore parses is what AWS would say."""
    client = door.client(joe)
    door.images.put(
        an_image(kernel_id="aki-1", ramdisk_id="ari-1"),
        an_image(id="aki-1", type="kernel"),
        an_image(id="ari-1", type="ramdisk"),
    )
    client.create_key_pair(KeyName="0123")
    made = client.run_instances(
        ImageId="ami-tiny",
        MinCount=1,
        MaxCount=2,
        InstanceType="m1.tiny",
        KeyName="0123",
        SecurityGroups=["default"],
        UserData="hello",
    )
    assert made["OwnerId"] == "joe"
    first, second = made["Instances"]
    assert first["State"] == {"Code": 0, "Name": "pending"}
    assert (first["KeyName"], first["KernelId"], first["RamdiskId"]) == ("0123", "aki-1", "ari-1")
    assert (first["AmiLaunchIndex"], second["AmiLaunchIndex"]) == (0, 1)
    assert abs((first["LaunchTime"] - datetime.now(UTC)).total_seconds()) < 60
    assert door.bus.casts == [
        ("scheduler", "run_instance", {"topic": "compute", "instance_id": number})
        for number in (1, 2)
    ]
    inline(door.database.run(services.report, "HostB", "nova-compute", "compute", "nova", True))
    move(door, 1, states.BUILD, states.RUN, host="HostB")
    (reservation,) = client.describe_instances(InstanceIds=["i-00000001"])["Reservations"]
    assert reservation["ReservationId"] == made["ReservationId"]
    (shown,) = reservation["Instances"]
    assert shown["State"] == {"Code": 16, "Name": "running"}
    assert shown["Placement"] == {"AvailabilityZone": "nova"}

    door.bus.answers["get_console_output"] = "\x1b[0mlogin: \xff"
    console = client.get_console_output(InstanceId="i-00000001")
    assert console["InstanceId"] == "i-00000001"
    assert console["Output"].startswith("\x1b[0mlogin: ")

    client.reboot_instances(InstanceIds=["i-00000001"])
    assert door.bus.casts[-1] == ("compute.HostB", "reboot_instance", {"instance_id": 1})
    ended = client.terminate_instances(InstanceIds=["i-00000001", "i-00000002"])
    assert [each["CurrentState"]["Name"] for each in ended["TerminatingInstances"]] == [
        "shutting-down",
        "terminated",
    ]
    assert door.bus.casts[-1] == ("compute.HostB", "terminate_instance", {"instance_id": 1})
    states_now = [
        instance["State"]["Name"]
        for each in client.describe_instances()["Reservations"]
        for instance in each["Instances"]
    ]
    assert states_now == ["shutting-down", "terminated"]


def test_terminated_are_listed_for_an_hour(door: Door, joe: User) -> None:
    """A terminated instance is listed for an hour, and then unknown.  [C9]"""
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny"})
    door.ask(joe, "TerminateInstances", {"InstanceId.1": "i-00000001"})
    wanted = {"InstanceId.1": "i-00000001"}
    door.clock.advance(3590)
    assert door.ask(joe, "DescribeInstances", wanted).status == 200
    door.clock.advance(20)
    assert door.ask(joe, "DescribeInstances", wanted).code == "InvalidInstanceID.NotFound"


def test_old_formats(door: Door, admin: User) -> None:
    """A client of 2009-11-30 gets the literal formats of the time."""
    door.ask(admin, "CreateKeyPair", {"KeyName": "testkey"}, OLD)
    made = door.ask(
        admin, "RunInstances", {"ImageId": "ami-tiny", "KeyName": "testkey"}, OLD, method="POST"
    ).xml
    space = "{http://ec2.amazonaws.com/doc/2009-11-30/}"
    item = made.find(f"{space}instancesSet/{space}item")
    assert item is not None

    def said(path: str) -> str | None:
        assert item is not None
        return item.findtext("/".join(space + part for part in path.split("/")))

    assert made.tag == f"{space}RunInstancesResponse"
    assert made[0].tag == f"{space}requestId"
    assert (said("instanceState/code"), said("instanceState/name")) == ("0", "scheduling")
    assert said("keyName") == "testkey (admin, None)"
    assert said("placement/availabilityZone") == "unknown zone"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", said("launchTime") or "")
    assert {each.tag.removeprefix(space) for each in item} == {
        *("displayDescription", "displayName", "keyName", "instanceId", "instanceState"),
        *("publicDnsName", "imageId", "productCodesSet", "privateDnsName", "dnsName"),
        *("launchTime", "placement", "amiLaunchIndex", "instanceType"),
    }
    move(door, 1, states.BUILD, states.RUN, host="HostB")
    listed = door.ask(admin, "DescribeInstances", {}, OLD).xml
    assert listed.findtext(f".//{space}keyName") == "testkey (admin, HostB)"
    assert listed.findtext(f".//{space}instanceState/{space}name") == "running"
    assert listed.findtext(f".//{space}instanceState/{space}code") == "1"
    ended = door.ask(admin, "TerminateInstances", {"InstanceId.1": "i-00000001"}, OLD).xml
    assert ended.findtext(f"{space}return") == "true"
    assert ended.findtext(f".//{space}currentState/{space}name") == "terminating"


def test_error_is_explained(door: Door, joe: User) -> None:
    """An instance that failed is terminated to new clients, with the reason, and error to old."""
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny"})
    inline(door.database.run(instances.fail, 1, "No hosts found"))
    (shown,) = door.client(joe).describe_instances()["Reservations"][0]["Instances"]
    assert shown["State"]["Name"] == "terminated"
    assert shown["StateReason"] == {"Code": "Server.InternalError", "Message": "No hosts found"}
    assert b"<name>error</name>" in door.ask(joe, "DescribeInstances", {}, OLD).body


def test_reservations_stay_together(door: Door, joe: User) -> None:
    """One reservation is one entry, whatever the order of its rows."""
    for _ in range(2):
        door.ask(joe, "RunInstances", {"ImageId": "ami-tiny", "MinCount": "2", "MaxCount": "2"})
    listed = door.client(joe).describe_instances()["Reservations"]
    assert [len(each["Instances"]) for each in listed] == [2, 2]


def test_console_takes_both_forms(door: Door, joe: User) -> None:
    """InstanceId and InstanceId.1 mean the same; without a host there is no output.  [C14]"""
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny"})
    for name in ("InstanceId", "InstanceId.1"):
        answer = door.ask(joe, "GetConsoleOutput", {name: "i-00000001"}, NEW)
        assert answer.status == 200
        assert b"<output></output>" in answer.body


def test_other_projects_instances(door: Door, joe: User, eve: User, admin: User) -> None:
    """Another project's instance is as good as none, but not for administrators."""
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny"})
    wanted = {"InstanceId.1": "i-00000001"}
    for action in (
        *("DescribeInstances", "TerminateInstances"),
        *("RebootInstances", "GetConsoleOutput"),
    ):
        assert door.ask(eve, action, wanted).code == "InvalidInstanceID.NotFound"
    assert b"<item>" not in door.ask(eve, "DescribeInstances").body
    assert door.ask(admin, "DescribeInstances", wanted).status == 200
