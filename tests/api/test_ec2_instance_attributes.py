"""Attributes of instances: told, set, set back."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sqlalchemy import update

from nova_tx import states
from nova_tx.context import RequestContext
from nova_tx.db import instances, quotas
from nova_tx.db.schema import instances as table
from nova_tx.model.instances import Instance
from nova_tx.model.users import User
from nova_tx.testing.ec2 import OLD, Door, an_image, inline

ID = "i-00000001"
WHO = {"InstanceId": ID}


@pytest.fixture
def stopped(door: Door, joe: User) -> Door:
    """A door behind which joe's instance 1 is stopped."""
    door.images.put(
        an_image(kernel_id="aki-own", ramdisk_id="ari-own"),
        an_image(id="aki-own", type="kernel"),
        an_image(id="ari-own", type="ramdisk"),
        an_image(id="aki-new", type="kernel"),
        an_image(id="ari-new", type="ramdisk"),
    )
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny", "UserData": "aGVsbG8="})
    for move in (states.BUILD, states.RUN, states.STOP):
        inline(door.database.run(instances.move, 1, move, host="HostB"))
    return door


def row(door: Door) -> Instance:
    found: Instance = inline(door.database.read(instances.get, 1))
    return found


@pytest.mark.parametrize(
    ("attribute", "member", "value"),
    [
        ("instanceType", "InstanceType", {"Value": "m1.small"}),
        ("kernel", "KernelId", {"Value": "aki-own"}),
        ("ramdisk", "RamdiskId", {"Value": "ari-own"}),
        ("userData", "UserData", {"Value": "aGVsbG8="}),
        ("disableApiTermination", "DisableApiTermination", {"Value": False}),
        (
            "instanceInitiatedShutdownBehavior",
            "InstanceInitiatedShutdownBehavior",
            {"Value": "stop"},
        ),
        ("rootDeviceName", "RootDeviceName", {"Value": "/dev/sda1"}),
        ("blockDeviceMapping", "BlockDeviceMappings", []),
        ("productCodes", "ProductCodes", []),
        ("groupSet", "Groups", [{"GroupId": "default", "GroupName": "default"}]),
        ("ebsOptimized", "EbsOptimized", {"Value": False}),
        ("enaSupport", "EnaSupport", {"Value": False}),
        ("enclaveOptions", "EnclaveOptions", {"Enabled": False}),
        ("disableApiStop", "DisableApiStop", {"Value": False}),
        ("sriovNetSupport", "SriovNetSupport", {}),
    ],
)
def test_told(stopped: Door, joe: User, attribute: str, member: str, value: Any) -> None:
    """Every attribute that AWS documents is told, and nothing else with it."""
    client = stopped.client(joe)
    answer = client.describe_instance_attribute(InstanceId=ID, Attribute=attribute)
    del answer["ResponseMetadata"]
    assert answer == {"InstanceId": ID, member: value}


SETTINGS = [
    ("instanceType", "InstanceType", "m1.medium", "instance_type", "m1.medium"),
    ("kernel", "Kernel", "aki-new", "kernel_id", "aki-new"),
    ("ramdisk", "Ramdisk", "ari-new", "ramdisk_id", "ari-new"),
    ("userData", "UserData", "bmV3", "user_data", "bmV3"),
    ("disableApiTermination", "DisableApiTermination", "true", "disable_api_termination", True),
    (
        "instanceInitiatedShutdownBehavior",
        "InstanceInitiatedShutdownBehavior",
        "terminate",
        "shutdown_behavior",
        "terminate",
    ),
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: each[0])
@pytest.mark.parametrize("own", [False, True])
def test_set(
    stopped: Door, joe: User, setting: tuple[str, str, str, str, object], own: bool
) -> None:
    """An attribute is set by Attribute and Value, and by its own name."""
    attribute, name, value, column, kept = setting
    given = {f"{name}.Value": value} if own else {"Attribute": attribute, "Value": value}
    answer = stopped.ask(joe, "ModifyInstanceAttribute", {**WHO, **given})
    assert answer.xml.findtext("{*}return") == "true"
    assert getattr(row(stopped), column) == kept


def test_set_by_boto3(stopped: Door, joe: User) -> None:
    """What botocore sends is understood: user data arrives as it was given."""
    client = stopped.client(joe)
    client.modify_instance_attribute(InstanceId=ID, UserData={"Value": b"new\0"})
    assert base64.b64decode(row(stopped).user_data or "") == b"new\0"
    client.modify_instance_attribute(InstanceId=ID, UserData={"Value": b""})
    assert row(stopped).user_data is None
    client.modify_instance_attribute(InstanceId=ID, DisableApiTermination={"Value": True})
    assert row(stopped).disable_api_termination
    client.modify_instance_attribute(
        InstanceId=ID, Attribute="disableApiTermination", Value="false"
    )
    assert not row(stopped).disable_api_termination


def test_a_new_size(stopped: Door, joe: User) -> None:
    """A new type brings its sizes, within the project's quota of processors."""
    set_type = {**WHO, "Attribute": "instanceType"}
    inline(stopped.database.run(quotas.set, "joe", "cores", 2))
    refused = stopped.ask(joe, "ModifyInstanceAttribute", {**set_type, "Value": "m1.large"})
    assert refused.code == "InstanceLimitExceeded"
    assert row(stopped).instance_type == "m1.small"
    stopped.ask(joe, "ModifyInstanceAttribute", {**set_type, "Value": "m1.medium"})
    found = row(stopped)
    assert (found.memory_mb, found.vcpus, found.local_gb) == (4096, 2, 40)
    inline(stopped.database.run(quotas.set, "joe", "cores", 1))
    smaller = stopped.ask(joe, "ModifyInstanceAttribute", {**set_type, "Value": "m1.tiny"})
    assert smaller.status == 200


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: each[0])
def test_while_it_runs(
    stopped: Door, joe: User, setting: tuple[str, str, str, str, object]
) -> None:
    """What a guest is made of is set while it is stopped; the rest while it runs, too."""
    attribute, _, value, column, kept = setting
    inline(stopped.database.run(instances.move, 1, states.RUN))
    before = row(stopped)
    given = {**WHO, "Attribute": attribute, "Value": value}
    answer = stopped.ask(joe, "ModifyInstanceAttribute", given)
    if column in ("disable_api_termination", "shutdown_behavior"):
        assert getattr(row(stopped), column) == kept
    else:
        assert answer.code == "IncorrectInstanceState"
        assert b"stopped" in answer.body
        assert row(stopped) == before


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: each[0])
def test_after_its_end(
    stopped: Door, joe: User, setting: tuple[str, str, str, str, object]
) -> None:
    """Nothing of an instance that has ended is set; an hour later it is not there."""
    stopped.ask(joe, "TerminateInstances", {"InstanceId.1": ID})
    given = {**WHO, "Attribute": setting[0], "Value": setting[2]}
    answer = stopped.ask(joe, "ModifyInstanceAttribute", given)
    assert answer.code == "IncorrectInstanceState"
    inline(stopped.database.run(instances.move, 1, states.BURY))
    stopped.clock.advance(3700)
    for action in ("ModifyInstanceAttribute", "DescribeInstanceAttribute"):
        wanted = given if action.startswith("M") else {**WHO, "Attribute": setting[0]}
        assert stopped.ask(joe, action, wanted).code == "InvalidInstanceID.NotFound"
    gone = stopped.ask(joe, "UpdateInstance", {"Ec2Id": ID, "DisplayName": "x"})
    assert gone.code == "InvalidInstanceID.NotFound"


def test_reset(stopped: Door, joe: User) -> None:
    """Kernel and ramdisk are set back to the image's."""
    client = stopped.client(joe)
    for name in ("Kernel", "Ramdisk"):
        client.modify_instance_attribute(
            InstanceId=ID, **{name: {"Value": f"a{name[0].lower()}i-new"}}
        )
    assert (row(stopped).kernel_id, row(stopped).ramdisk_id) == ("aki-new", "ari-new")
    client.reset_instance_attribute(InstanceId=ID, Attribute="kernel")
    assert (row(stopped).kernel_id, row(stopped).ramdisk_id) == ("aki-own", "ari-new")
    client.reset_instance_attribute(InstanceId=ID, Attribute="ramdisk")
    assert row(stopped).ramdisk_id == "ari-own"
    inline(stopped.database.run(instances.move, 1, states.RUN))
    running = stopped.ask(joe, "ResetInstanceAttribute", {**WHO, "Attribute": "kernel"})
    assert running.code == "IncorrectInstanceState"


def test_the_null_kernel(stopped: Door, joe: User) -> None:
    """The null kernel is none: the disk boots by itself."""
    given = {**WHO, "Kernel.Value": "nokernel"}
    assert stopped.ask(joe, "ModifyInstanceAttribute", given).status == 200
    assert row(stopped).kernel_id is None


def test_update(stopped: Door, joe: User) -> None:
    """Name and description change, each alone, and nothing else can be changed so.  [A19]"""

    def update_to(**given: str) -> str | None:
        return stopped.ask(joe, "UpdateInstance", {"Ec2Id": ID, **given}, OLD).code

    before = row(stopped)
    update_to(DisplayName="web", DisplayDescription="a")
    assert (row(stopped).display_name, row(stopped).display_description) == ("web", "a")
    update_to(DisplayDescription="")
    assert (row(stopped).display_name, row(stopped).display_description) == ("web", "")
    for name in ("State", "ProjectId", "Host", "project_id"):
        assert update_to(DisplayName="x", **{name: "eve"}) == "UnknownParameter"
    assert row(stopped).display_name == "web"
    assert row(stopped).project_id == before.project_id


MODIFY, DESCRIBE, RESET = (f"{verb}InstanceAttribute" for verb in ("Modify", "Describe", "Reset"))


@pytest.mark.parametrize(
    ("action", "given", "code"),
    [
        (MODIFY, {}, "InvalidParameterCombination"),
        (MODIFY, {"Attribute": "instanceType"}, "MissingParameter"),
        (MODIFY, {"Value": "m1.tiny"}, "InvalidParameterCombination"),
        (
            MODIFY,
            {"InstanceType.Value": "m1.tiny", "UserData.Value": ""},
            "InvalidParameterCombination",
        ),
        (
            MODIFY,
            {"InstanceType.Value": "m1.tiny", "Attribute": "userData", "Value": ""},
            "InvalidParameterCombination",
        ),
        (MODIFY, {"InstanceType.Value": "m9.huge"}, "InvalidParameterValue"),
        (MODIFY, {"UserData.Value": "%"}, "InvalidParameterValue"),
        (MODIFY, {"UserData.Value": "AAAA" * 5462}, "InvalidParameterValue"),
        (MODIFY, {"Kernel.Value": "../x"}, "InvalidAMIID.Malformed"),
        (MODIFY, {"Attribute": "kernel", "Value": "a\0"}, "InvalidAMIID.Malformed"),
        (MODIFY, {"Kernel.Value": "aki-none"}, "InvalidAMIID.NotFound"),
        (MODIFY, {"Kernel.Value": "ari-new"}, "InvalidParameterValue"),
        (MODIFY, {"Ramdisk.Value": "aki-new"}, "InvalidParameterValue"),
        (MODIFY, {"DisableApiTermination.Value": "x"}, "InvalidParameterValue"),
        (MODIFY, {"InstanceInitiatedShutdownBehavior.Value": "x"}, "InvalidParameterValue"),
        (MODIFY, {"SourceDestCheck.Value": "false"}, "InvalidParameterCombination"),
        (MODIFY, {"GroupId.1": "default"}, "InvalidParameterCombination"),
        (
            MODIFY,
            {"Attribute": "groupSet", "GroupId.1": "default"},
            "InvalidParameterCombination",
        ),
        (MODIFY, {"EbsOptimized.Value": "true"}, "UnsupportedOperation"),
        (MODIFY, {"EnaSupport.Value": "yes"}, "InvalidParameterValue"),
        (MODIFY, {"SriovNetSupport.Value": "simple"}, "UnsupportedOperation"),
        (
            MODIFY,
            {
                "BlockDeviceMapping.1.DeviceName": "/dev/sda1",
                "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
            },
            "InvalidBlockDeviceMapping",
        ),
        (MODIFY, {"Attribute": "rootDeviceName", "Value": "x"}, "InvalidParameterValue"),
        (MODIFY, {"Attribute": "state", "Value": "x"}, "InvalidParameterValue"),
        (MODIFY, {"Host.Value": "x"}, "UnknownParameter"),
        (DESCRIBE, {}, "MissingParameter"),
        (DESCRIBE, {"Attribute": "state"}, "InvalidParameterValue"),
        (DESCRIBE, {"Attribute": "sourceDestCheck"}, "InvalidParameterCombination"),
        (RESET, {}, "MissingParameter"),
        (RESET, {"Attribute": "userData"}, "InvalidParameterValue"),
        (RESET, {"Attribute": "state"}, "InvalidParameterValue"),
        (RESET, {"Attribute": "sourceDestCheck"}, "InvalidParameterCombination"),
    ],
)
def test_refused(stopped: Door, joe: User, action: str, given: dict[str, str], code: str) -> None:
    """What can't be asked so is refused with AWS's code, and the row stays as it was."""
    before = row(stopped)
    answer = stopped.ask(joe, action, {**WHO, **given}, method="POST")
    assert (answer.status, answer.code) == (400, code)
    assert row(stopped) == before


def test_off_is_off(stopped: Door, joe: User) -> None:
    """What is off may be switched off."""
    for name in ("EbsOptimized.Value", "EnaSupport.Value", "EnclaveOptions.Enabled"):
        answer = stopped.ask(joe, MODIFY, {**WHO, name: "false"})
        assert answer.status == 200


def test_others(stopped: Door, eve: User, admin: User) -> None:
    """Another project's instance is as good as none, but not for administrators."""
    asked: list[tuple[str, dict[str, str]]] = [
        (MODIFY, {**WHO, "DisableApiTermination.Value": "true"}),
        (MODIFY, {**WHO, "InstanceType.Value": "m1.medium"}),
        (RESET, {**WHO, "Attribute": "kernel"}),
        (DESCRIBE, {**WHO, "Attribute": "userData"}),
        ("UpdateInstance", {"Ec2Id": ID, "DisplayName": "eve's"}),
    ]
    for action, given in asked:
        assert stopped.ask(eve, action, given).code == "InvalidInstanceID.NotFound"
    for action, given in asked:
        assert stopped.ask(admin, action, given).status == 200
    assert row(stopped).project_id == "joe"


def test_locked(stopped: Door, joe: User) -> None:
    """An instance that an administrator has locked is left as it is."""
    inline(stopped.database.run(lambda txn: txn.execute(update(table).values(locked=True))))
    for name, value in (("InstanceType", "m1.tiny"), ("DisableApiTermination", "true")):
        answer = stopped.ask(joe, MODIFY, {**WHO, f"{name}.Value": value})
        assert answer.code == "IncorrectInstanceState"
    context = RequestContext("joe", "joe")
    (found,) = inline(stopped.operations.instances.listed(context))
    assert found.instance.instance_type == "m1.small"
