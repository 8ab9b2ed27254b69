"""Actions on images and groups."""

from __future__ import annotations

from nova_tx.model.users import User
from nova_tx.testing.ec2 import OLD, Door, an_image

SPACE = "{http://ec2.amazonaws.com/doc/2009-11-30/}"


def test_images(door: Door, joe: User) -> None:
    """Images are listed with their state, and why they failed."""
    door.images.put(
        an_image(id="ami-a", state="untarring", owner="joe", is_public=False),
        an_image(id="ami-b", state="failed", state_reason="part 1 has the wrong digest"),
    )
    client = door.client(joe)
    found = {image["ImageId"]: image for image in client.describe_images()["Images"]}
    assert {key: image["State"] for key, image in found.items()} == {
        "ami-a": "pending",
        "ami-b": "failed",
        "ami-tiny": "available",
    }
    assert found["ami-b"]["StateReason"]["Message"] == "part 1 has the wrong digest"
    assert (found["ami-a"]["Public"], found["ami-tiny"]["Public"]) == (False, True)
    (one,) = client.describe_images(ImageIds=["ami-tiny"])["Images"]
    assert one["ImageLocation"] == "lab/tiny.manifest.xml"


def test_old_image_elements(door: Door, joe: User) -> None:
    """An old client gets the elements of the time."""
    found = door.ask(joe, "DescribeImages", {}, OLD).xml.find(f"{SPACE}imagesSet/{SPACE}item")
    assert found is not None
    assert {each.tag.removeprefix(SPACE) for each in found} == {
        *("displayName", "imageOwnerId", "isPublic", "imageId", "imageState", "architecture"),
        *("imageLocation", "type", "id", "imageType"),
    }
    assert found.findtext(f"{SPACE}isPublic") == "true"


def test_register_and_deregister(door: Door, joe: User, eve: User) -> None:
    """An image is registered by its location, or its name, and goes when its project says so."""
    client = door.client(joe)
    for name in "xy":
        door.images.bundles[f"bucket/{name}.manifest.xml"] = ("joe", b"")
    made = client.register_image(Name="tiny", ImageLocation="bucket/x.manifest.xml")["ImageId"]
    assert made.startswith("ami-")
    assert door.ask(eve, "DeregisterImage", {"ImageId": made}).code == "InvalidAMIID.NotFound"
    assert door.ask(eve, "DeregisterImage", {"ImageId": "ami-tiny"}).status == 403
    client.deregister_image(ImageId=made)
    assert made not in [each["ImageId"] for each in client.describe_images()["Images"]]
    by_name = door.ask(joe, "RegisterImage", {"Name": "bucket/y.manifest.xml"}, OLD)
    assert by_name.status == 200


def test_security_groups(door: Door, joe: User, admin: User) -> None:
    """Every project has its default group; by name works too.  [C13]"""
    client = door.client(joe)
    for wanted in ({}, {"GroupNames": ["default"]}):
        (group,) = client.describe_security_groups(**wanted)["SecurityGroups"]
        assert (group["GroupName"], group["OwnerId"]) == ("default", "joe")
    owners = [
        group["OwnerId"]
        for group in door.client(admin).describe_security_groups()["SecurityGroups"]
    ]
    assert sorted(owners) == ["admin", "joe"]
