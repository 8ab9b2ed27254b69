"""Images as clients of every generation see and change them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, select

from nova_tx.context import RequestContext
from nova_tx.db.schema import instances
from nova_tx.model.users import User
from nova_tx.testing.ec2 import NEW, OLD, Door, an_image, inline
from nova_tx.testing.rows import an_instance

JOE = RequestContext("joe", "joe")
IMAGES = (
    an_image(
        id="ami-a",
        owner="joe",
        is_public=False,
        display_name="golden",
        description="a * is born",
        created_at=datetime(2011, 2, 11, 6, 58, 46, 123456),
        kernel_id="aki-1",
        ramdisk_id="ari-1",
        location="joe/golden",
        instance_id=10,
    ),
    an_image(id="aki-1", owner="joe", type="kernel", architecture="i386"),
    an_image(id="ami-f", owner="joe", is_public=False, state="failed", state_reason="wrong digest"),
    an_image(id="ami-p", owner="joe", is_public=False, state="untarring"),
)


@pytest.fixture
def shelf(door: Door) -> Door:
    """The door with images of joe's, beside the public one."""
    door.images.put(*IMAGES)
    return door


def found(client: Any, **wanted: Any) -> list[str]:
    return [image["ImageId"] for image in client.describe_images(**wanted)["Images"]]


def code_of(answer: Any) -> tuple[str, int]:
    return answer.code, answer.status


# Lists.


def test_new_elements(shelf: Door, joe: User) -> None:
    """A client of today is told when an image was made, of what, by whom, and its name."""
    (image,) = shelf.client(joe).describe_images(ImageIds=["ami-a"])["Images"]
    assert image["CreationDate"] == "2011-02-11T06:58:46.123Z"
    assert (image["Name"], image["Description"]) == ("golden", "a * is born")
    assert (image["OwnerId"], image["SourceInstanceId"]) == ("joe", "i-0000000a")
    assert (image["KernelId"], image["RamdiskId"]) == ("aki-1", "ari-1")


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("architecture", "i386", "aki-1"),
        ("creation-date", "2011-02-11T*", "ami-a"),
        ("description", r"a \* is*", "ami-a"),
        ("hypervisor", "kvm", "aki-1 ami-a ami-f ami-p ami-tiny"),
        ("image-id", "ami-?", "ami-a ami-f ami-p"),
        ("image-type", "kernel", "aki-1"),
        ("is-public", "true", "aki-1 ami-tiny"),
        ("kernel-id", "aki-*", "ami-a"),
        ("manifest-location", "joe/*", "ami-a"),
        ("name", "g?lden", "ami-a"),
        ("owner-id", "admin", "ami-tiny"),
        ("ramdisk-id", "ari-1", "ami-a"),
        ("root-device-type", "instance-store", "aki-1 ami-a ami-f ami-p ami-tiny"),
        ("root-device-type", "ebs", ""),
        ("source-instance-id", "i-0000000a", "ami-a"),
        ("state", "pending", "ami-p"),
        ("state-reason-code", "Server.InternalError", "ami-f"),
        ("state-reason-message", "*digest", "ami-f"),
        ("virtualization-type", "hvm", "aki-1 ami-a ami-f ami-p ami-tiny"),
        ("platform", "*", ""),
        ("block-device-mapping.volume-size", "8", ""),
    ],
)
def test_filters(shelf: Door, joe: User, name: str, value: str, expected: str) -> None:
    """Each filter that AWS documents looks at its field; at none where images here have none."""
    chosen = found(shelf.client(joe), Filters=[{"Name": name, "Values": [value]}])
    assert chosen == expected.split()


def test_pages(shelf: Door, joe: User) -> None:
    """Pages of a list have each image once; there are none of images that were named."""
    shelf.images.put(*(an_image(id=f"ami-x{number}") for number in range(10)))
    pages = (
        shelf.client(joe)
        .get_paginator("describe_images")
        .paginate(PaginationConfig={"PageSize": 6})
    )
    shown = [[image["ImageId"] for image in page["Images"]] for page in pages]
    assert [len(page) for page in shown] == [6, 6, 3]
    assert [each for page in shown for each in page] == found(shelf.client(joe))
    named = {"ImageId.1": "ami-a", "MaxResults": "5"}
    answer = shelf.ask(joe, "DescribeImages", named)
    assert answer.code == "InvalidParameterCombination"


def test_selection(shelf: Door, joe: User, eve: User) -> None:
    """New clients select by owner, and by who was given leave to launch; old ones see all."""
    joes, eves = shelf.client(joe), shelf.client(eve)
    assert found(joes, Owners=["self"]) == ["aki-1", "ami-a", "ami-f", "ami-p"]
    assert found(joes, Owners=["admin", "self"])[-1] == "ami-tiny"
    assert found(joes, ExecutableUsers=["all"]) == ["aki-1", "ami-tiny"]
    assert found(joes, ExecutableUsers=["self"]) == []
    joes.modify_image_attribute(ImageId="ami-a", LaunchPermission={"Add": [{"UserId": "eve"}]})
    assert found(eves) == ["aki-1", "ami-a", "ami-tiny"]
    assert found(eves, ExecutableUsers=["self"]) == ["ami-a"]
    assert found(joes, ExecutableUsers=["eve"]) == ["ami-a"]
    assert found(eves, ExecutableUsers=["joe"]) == []
    old = shelf.ask(eve, "DescribeImages", {"Owner.1": "self", "ExecutableBy.1": "self"}, OLD)
    assert [each.text for each in old.xml.iter() if each.tag.endswith("}imageId")] == [
        *("aki-1", "ami-a", "ami-tiny")
    ]


# Launch permissions.


def launchers(door: Door, user: User) -> list[dict[str, str]]:
    client = door.client(user)
    said = client.describe_image_attribute(ImageId="ami-a", Attribute="launchPermission")
    assert said["ImageId"] == "ami-a"
    permissions: list[dict[str, str]] = said["LaunchPermissions"]
    return permissions


FLAT = {"Attribute": "launchPermission", "OperationType": "add"}


@pytest.mark.parametrize(
    "given, version",
    [
        ({**FLAT, "UserGroup.1": "all", "UserId.1": "eve", "UserId.2": "bob"}, OLD),
        ({**FLAT, "UserGroup": "all", "UserId": "eve", "UserId.7": "bob"}, NEW),
        ({"OperationType": "add", "UserGroup.1": "all", "UserId.2": "bob", "UserId.1": "eve"}, NEW),
        (
            {
                "LaunchPermission.Add.1.Group": "all",
                "LaunchPermission.Add.2.UserId": "eve",
                "LaunchPermission.Add.10.UserId": "bob",
                "LaunchPermission.Remove.1.UserId": "ann",
            },
            NEW,
        ),
        (
            {
                "Attribute": "launchPermission",
                "LaunchPermission.Add.1.Group": "all",
                "LaunchPermission.Add.2.UserId": "eve",
                "LaunchPermission.Add.3.UserId": "bob",
            },
            NEW,
        ),
    ],
)
def test_forms_of_permissions(shelf: Door, joe: User, given: dict[str, str], version: str) -> None:
    """However a client says it, the image is opened to whom it names, and closed again."""
    answer = shelf.ask(joe, "ModifyImageAttribute", {"ImageId": "ami-a", **given}, version)
    assert (answer.status, answer.xml[1].text) == (200, "true")
    expected = [{"Group": "all"}, {"UserId": "bob"}, {"UserId": "eve"}]
    assert launchers(shelf, joe) == expected
    closing = {
        name.replace("Add", "Remove"): "remove" if value == "add" else value
        for name, value in given.items()
        if "Remove" not in name
    }
    shelf.ask(joe, "ModifyImageAttribute", {"ImageId": "ami-a", **closing}, version)
    assert launchers(shelf, joe) == []


def test_reset(shelf: Door, joe: User) -> None:
    """A reset leaves nobody but the owner."""
    client = shelf.client(joe)
    add = [{"Group": "all"}, {"UserId": "eve"}]
    client.modify_image_attribute(ImageId="ami-a", LaunchPermission={"Add": add})
    client.reset_image_attribute(ImageId="ami-a", Attribute="launchPermission")
    assert launchers(shelf, joe) == []
    (image,) = client.describe_images(ImageIds=["ami-a"])["Images"]
    assert image["Public"] is False


def test_launch_of_another_projects_image(shelf: Door, joe: User, eve: User) -> None:
    """Who was given leave launches an image, and sees of the permissions only that."""
    run = {"ImageId": "ami-a"}
    shelf.images.put(an_image(id="ami-a", owner="joe", is_public=False))
    assert shelf.ask(eve, "RunInstances", run).code == "InvalidAMIID.NotFound"
    add = [{"UserId": "eve"}, {"UserId": "bob"}]
    shelf.client(joe).modify_image_attribute(ImageId="ami-a", LaunchPermission={"Add": add})
    assert shelf.ask(eve, "RunInstances", run).status == 200
    assert launchers(shelf, eve) == [{"UserId": "eve"}]
    remove = [{"UserId": "eve"}]
    shelf.client(joe).modify_image_attribute(ImageId="ami-a", LaunchPermission={"Remove": remove})
    assert shelf.ask(eve, "RunInstances", run).code == "InvalidAMIID.NotFound"


# Other attributes.


def test_attributes(shelf: Door, joe: User) -> None:
    """An attribute is a value, an empty element, or a list that is empty."""
    client = shelf.client(joe)

    def said(image_id: str, attribute: str, member: str) -> Any:
        return client.describe_image_attribute(ImageId=image_id, Attribute=attribute)[member]

    assert said("ami-a", "description", "Description") == {"Value": "a * is born"}
    assert said("ami-a", "kernel", "KernelId") == {"Value": "aki-1"}
    assert said("ami-a", "ramdisk", "RamdiskId") == {"Value": "ari-1"}
    assert said("ami-tiny", "kernel", "KernelId") == {}
    assert said("ami-a", "blockDeviceMapping", "BlockDeviceMappings") == []
    assert said("ami-a", "productCodes", "ProductCodes") == []


def test_old_permission_elements(door: Door, joe: User) -> None:
    """A client of 2011 is told who may launch a public image in the words of the time."""
    given = {"ImageId": "ami-tiny", "Attribute": "launchPermission"}
    answer = door.ask(joe, "DescribeImageAttribute", given, OLD)
    text = answer.body.decode()
    assert "<imageId>ami-tiny</imageId><launchPermission><item><group>all</group></item>" in text


@pytest.mark.parametrize(
    "given",
    [
        {"Description.Value": "new"},
        {"Attribute": "description", "Value": "new"},
        {"Attribute": "description", "Description.Value": "new"},
    ],
)
def test_forms_of_descriptions(shelf: Door, joe: User, given: dict[str, str]) -> None:
    """However a client says it, the description is changed."""
    assert shelf.ask(joe, "ModifyImageAttribute", {"ImageId": "ami-a", **given}).status == 200
    (image,) = shelf.client(joe).describe_images(ImageIds=["ami-a"])["Images"]
    assert image["Description"] == "new"


def test_update(shelf: Door, joe: User) -> None:
    """Nova's own UpdateImage changes what is given, to nothing if that is given."""
    for given in ({"DisplayName": "other"}, {"Description": ""}, {}):
        answer = shelf.ask(joe, "UpdateImage", {"ImageId": "ami-a", **given}, OLD)
        assert (answer.status, answer.xml[1].text) == (200, "true")
    image = inline(shelf.images.show(JOE, "ami-a"))
    assert (image.display_name, image.description) == ("other", "")


@pytest.mark.parametrize(
    "action, given, code",
    [
        ("DescribeImageAttribute", {"Attribute": "colour"}, "InvalidParameterValue"),
        ("DescribeImageAttribute", {}, "MissingParameter"),
        (
            "DescribeImageAttribute",
            {"ImageId": "x", "Attribute": "kernel"},
            "InvalidAMIID.Malformed",
        ),
        (
            "DescribeImageAttribute",
            {"ImageId": "ami-none", "Attribute": "kernel"},
            "InvalidAMIID.NotFound",
        ),
        ("ModifyImageAttribute", {}, "InvalidParameterCombination"),
        ("ModifyImageAttribute", {"Attribute": "kernel", "Value": "x"}, "InvalidParameterValue"),
        ("ModifyImageAttribute", {"Attribute": "launchPermission"}, "InvalidParameterCombination"),
        ("ModifyImageAttribute", FLAT, "InvalidParameterCombination"),
        ("ModifyImageAttribute", {**FLAT, "UserGroup.1": "some"}, "InvalidAMIAttributeItemValue"),
        ("ModifyImageAttribute", {**FLAT, "UserId.1": "nobody"}, "InvalidAMIAttributeItemValue"),
        (
            "ModifyImageAttribute",
            {**FLAT, "OperationType": "give", "UserId.1": "eve"},
            "InvalidParameterValue",
        ),
        ("ModifyImageAttribute", {"UserId.1": "eve"}, "InvalidParameterValue"),
        (
            "ModifyImageAttribute",
            {**FLAT, "UserId.1": "eve", "LaunchPermission.Add.1.UserId": "eve"},
            "InvalidParameterCombination",
        ),
        (
            "ModifyImageAttribute",
            {"LaunchPermission.Add.1.UserId": "eve", "LaunchPermission.Add.1.Group": "all"},
            "InvalidParameterCombination",
        ),
        (
            "ModifyImageAttribute",
            {"LaunchPermission.Add.1.OrganizationArn": "arn"},
            "UnknownParameter",
        ),
        (
            "ModifyImageAttribute",
            {"Description.Value": "x", "LaunchPermission.Add.1.UserId": "eve"},
            "InvalidParameterCombination",
        ),
        ("ModifyImageAttribute", {"Description.Value": "x" * 256}, "InvalidParameterValue"),
        ("ModifyImageAttribute", {"Attribute": "description"}, "InvalidParameterCombination"),
        ("ResetImageAttribute", {"Attribute": "description"}, "InvalidParameterValue"),
        ("ResetImageAttribute", {}, "MissingParameter"),
        ("DeregisterImage", {"ImageId": "ami-none"}, "InvalidAMIID.NotFound"),
        ("DeregisterImage", {"ImageId": "none"}, "InvalidAMIID.Malformed"),
    ],
)
def test_bad_input(shelf: Door, joe: User, action: str, given: dict[str, str], code: str) -> None:
    """What can't be done is refused with AWS's code, and changes nothing."""
    shelf.images.projects = frozenset(("joe", "eve"))
    before = inline(shelf.images.list(JOE))
    answer = shelf.ask(joe, action, {"ImageId": "ami-a", **given})
    assert code_of(answer) == (code, 400)
    assert inline(shelf.images.list(JOE)) == before


@pytest.mark.parametrize(
    "action, given",
    [
        ("ModifyImageAttribute", {**FLAT, "UserId.1": "eve"}),
        ("ResetImageAttribute", {"Attribute": "launchPermission"}),
        ("UpdateImage", {"DisplayName": "mine"}),
        ("DeregisterImage", {}),
    ],
)
def test_not_the_owner(
    shelf: Door, joe: User, eve: User, admin: User, action: str, given: dict[str, str]
) -> None:
    """Another's image is not there or not one's own to change; an administrator may."""
    hidden = shelf.ask(eve, action, {"ImageId": "ami-a", **given})
    assert code_of(hidden) == ("InvalidAMIID.NotFound", 400)
    seen = shelf.ask(eve, action, {"ImageId": "ami-tiny", **given})
    assert code_of(seen) == ("AuthFailure", 403)
    assert shelf.ask(admin, action, {"ImageId": "ami-a", **given}).status == 200


# New images.


@pytest.fixture
def instance(door: Door) -> str:
    """An instance of joe's that runs."""
    return _boot(door, 7, "running")


def _boot(door: Door, instance_id: int, state: str, **changes: object) -> str:
    row = an_instance(
        id=instance_id,
        user_id="joe",
        project_id="joe",
        kernel_id="aki-1",
        host="HostB",
        state_description=state,
        **changes,
    )
    inline(door.database.run(lambda txn: txn.execute(insert(instances).values(**vars(row)))))
    return f"i-{instance_id:08x}"


def _state(door: Door, instance_id: int) -> str:
    query = select(instances.c.state_description).where(instances.c.id == instance_id)
    return str(inline(door.database.read(lambda txn: txn.scalar(query))))


def test_create(door: Door, joe: User, instance: str) -> None:
    """A new image is there at once, pending; the instance's host is told, once it is to be off."""
    door.images.put(an_image(architecture="i386"))
    client = door.client(joe)
    made = client.create_image(InstanceId=instance, Name="golden (1)", Description="all set")
    (image,) = client.describe_images(Owners=["self"])["Images"]
    assert (image["ImageId"], image["State"]) == (made["ImageId"], "pending")
    assert (image["Name"], image["Description"]) == ("golden (1)", "all set")
    assert (image["Architecture"], image["KernelId"]) == ("i386", "aki-1")
    assert (image["Public"], image["SourceInstanceId"]) == (False, instance)
    arguments = {"instance_id": 7, "image_id": made["ImageId"]}
    assert door.bus.casts == [("compute.HostB", "create_image", arguments)]
    assert _state(door, 7) == "imaging"


def test_create_without_reboot(door: Door, joe: User, instance: str) -> None:
    """With NoReboot the guest goes on; a stopped one is not started."""
    client = door.client(joe)
    client.create_image(InstanceId=instance, Name="one", NoReboot=True)
    client.create_image(InstanceId=_boot(door, 8, "shutdown"), Name="two")
    assert (_state(door, 7), _state(door, 8)) == ("running", "shutdown")
    assert len(door.bus.casts) == 2


@pytest.mark.parametrize(
    "given, code",
    [
        ({"Name": "taken"}, "InvalidAMIName.Duplicate"),
        ({"Name": "ab"}, "InvalidAMIName.Malformed"),
        ({"Name": "a" * 129}, "InvalidAMIName.Malformed"),
        ({"Name": "a&b;c"}, "InvalidAMIName.Malformed"),
        ({}, "MissingParameter"),
        ({"Name": "new", "InstanceId": "i-99"}, "InvalidInstanceID.NotFound"),
        ({"Name": "new", "InstanceId": "x"}, "InvalidInstanceID.Malformed"),
        ({"Name": "new", "InstanceId": "i-8"}, "IncorrectInstanceState"),
        (
            {
                "Name": "new",
                "BlockDeviceMapping.1.DeviceName": "/dev/sdb",
                "BlockDeviceMapping.1.Ebs.VolumeSize": "10",
            },
            "InvalidBlockDeviceMapping",
        ),
        ({"Name": "new", "BlockDeviceMapping.1.VirtualName": "ephemeral0"}, "MissingParameter"),
        (
            {
                "Name": "new",
                "TagSpecification.1.ResourceType": "instance",
                "TagSpecification.1.Tag.1.Key": "a",
            },
            "InvalidParameterValue",
        ),
        (
            {
                "Name": "new",
                "TagSpecification.1.ResourceType": "image",
                "TagSpecification.1.Tag.1.Key": "aws:a",
            },
            "InvalidParameterValue",
        ),
        ({"Name": "new", "Colour": "blue"}, "UnknownParameter"),
    ],
)
def test_create_refused(
    door: Door, joe: User, instance: str, given: dict[str, str], code: str
) -> None:
    """An image that can't be made is refused with AWS's code; no guest is switched off for it."""
    door.images.put(an_image(id="ami-a", owner="joe", is_public=False, display_name="taken"))
    _boot(door, 8, "networking")
    answer = door.ask(joe, "CreateImage", {"InstanceId": instance, **given})
    assert code_of(answer) == (code, 400)
    assert (_state(door, 7), _state(door, 8)) == ("running", "networking")
    assert door.bus.casts == []
    assert len(inline(door.images.list(JOE))) == 2


def test_create_of_anothers(door: Door, eve: User, instance: str) -> None:
    """To another project the instance is not there."""
    answer = door.ask(eve, "CreateImage", {"InstanceId": instance, "Name": "stolen"})
    assert code_of(answer) == ("InvalidInstanceID.NotFound", 400)


def test_register_with_a_name(door: Door, joe: User) -> None:
    """A client of today names what it registers, once; for one of 2011 Name is a location."""
    client = door.client(joe)
    location = "bucket/x.manifest.xml"
    door.images.bundles[location] = ("joe", b"")
    made = client.register_image(Name="golden", ImageLocation=location, Description="all set")
    (image,) = client.describe_images(ImageIds=[made["ImageId"]])["Images"]
    assert (image["Name"], image["Description"]) == ("golden", "all set")
    assert image["ImageLocation"] == location
    for name, code in (("golden", "InvalidAMIName.Duplicate"), ("x", "InvalidAMIName.Malformed")):
        answer = door.ask(joe, "RegisterImage", {"Name": name, "ImageLocation": location})
        assert code_of(answer) == (code, 400)
    assert door.ask(joe, "RegisterImage", {"Name": "golden2"}).code == "MissingParameter"
    nameless = door.ask(joe, "RegisterImage", {"ImageLocation": location})
    assert nameless.status == 200
    for given in (
        {"Name": location},
        {"Name": "golden", "Description": "x", "ImageLocation": location},
    ):
        assert door.ask(joe, "RegisterImage", given, OLD).status == 200


def test_register_what_it_boots_with(door: Door, joe: User) -> None:
    """Architecture, kernel and ramdisk may be said; what is none is refused with AWS's codes."""
    client = door.client(joe)
    location = "bucket/x.img"
    door.images.bundles[location] = ("joe", b"")
    door.images.put(an_image(id="aki-1", type="kernel"))
    said = {"ImageLocation": location, "Architecture": "i386", "KernelId": "aki-1"}
    made = client.register_image(Name="said", **said)
    (image,) = client.describe_images(ImageIds=[made["ImageId"]])["Images"]
    assert (image["Architecture"], image["KernelId"]) == ("i386", "aki-1")
    for spoilt, code in (
        ({"Architecture": "vax"}, "InvalidParameterValue"),
        ({"KernelId": "aki-2"}, "InvalidAMIID.NotFound"),
        ({"RamdiskId": "../../x"}, "InvalidAMIID.Malformed"),
        ({"KernelId": "true", "RamdiskId": "true"}, "InvalidParameterValue"),
    ):
        answer = door.ask(joe, "RegisterImage", {**said, **spoilt})
        assert code_of(answer) == (code, 400)
    itself = client.register_image(Name="itself", ImageLocation=location, KernelId="true")[
        "ImageId"
    ]
    (image,) = client.describe_images(ImageIds=[itself])["Images"]
    assert image["ImageType"] == "kernel"


def test_progress(door: Door, joe: User) -> None:
    """How far an image is, today's clients read in its reason, those of 2011 as progress."""
    door.images.put(an_image(id="ami-1", state="converting", progress=42))
    (image,) = door.client(joe).describe_images(ImageIds=["ami-1"])["Images"]
    assert image["State"] == "pending"
    assert image["StateReason"] == {"Code": "pending", "Message": "converting: 42%"}
    old = door.ask(joe, "DescribeImages", {"ImageId.1": "ami-1"}, OLD)
    assert b"<imageState>converting</imageState>" in old.body
    assert b"<progress>42%</progress>" in old.body
    door.images.put(an_image(id="ami-1"))
    old = door.ask(joe, "DescribeImages", {"ImageId.1": "ami-1"}, OLD)
    assert b"progress" not in old.body


def test_deregister(shelf: Door, joe: User) -> None:
    """An image that was deregistered is gone for clients of every age."""
    assert shelf.client(joe).deregister_image(ImageId="ami-a")["Return"] is True
    old = shelf.ask(joe, "DeregisterImage", {"ImageId": "ami-f"}, OLD)
    assert [each.text for each in old.xml][1:] == ["ami-f", "true"]
    assert "ami-a" not in found(shelf.client(joe))
