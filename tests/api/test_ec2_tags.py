"""Actions on tags, and tags among the parameters of others."""

from __future__ import annotations

from typing import Any

import pytest

from nova_tx import states
from nova_tx.db import instances
from nova_tx.model.users import User
from nova_tx.testing.ec2 import OLD, Door, an_image, inline

ONE, TWO = "i-00000001", "i-00000002"
RUN = {"ImageId": "ami-tiny", "MinCount": "2", "MaxCount": "2"}


def pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def test_life_of_tags(door: Door, joe: User) -> None:
    """Tags are given at launch and later, shown with the instance, listed, and taken off."""
    client = door.client(joe)
    made = client.run_instances(
        ImageId="ami-tiny",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]},
        ],
    )
    assert pairs(made["Instances"][0]["Tags"]) == {"Name": "web"}
    client.create_tags(
        Resources=[ONE, "ami-tiny"],
        Tags=[{"Key": "Name", "Value": "db"}, {"Key": "bare"}],
    )
    (shown,) = client.describe_instances()["Reservations"][0]["Instances"]
    assert pairs(shown["Tags"]) == {"Name": "db", "bare": ""}
    assert client.describe_tags()["Tags"] == [
        {"Key": key, "ResourceId": resource, "ResourceType": kind, "Value": value}
        for resource, kind in (("ami-tiny", "image"), (ONE, "instance"))
        for key, value in (("Name", "db"), ("bare", ""))
    ]
    client.delete_tags(Resources=[ONE], Tags=[{"Key": "Name", "Value": "web"}, {"Key": "bare"}])
    assert pairs(client.describe_instances()["Reservations"][0]["Instances"][0]["Tags"]) == {
        "Name": "db"
    }
    client.delete_tags(Resources=[ONE, "ami-tiny"])
    assert client.describe_tags()["Tags"] == []


def test_each_project_has_its_own(door: Door, joe: User, eve: User) -> None:
    """Another's image may be tagged, and nobody else sees it; a private one is not there."""
    door.images.put(an_image(id="ami-eves", owner="eve", is_public=False))
    door.client(joe).create_tags(Resources=["ami-tiny"], Tags=[{"Key": "a", "Value": "1"}])
    assert door.client(eve).describe_tags()["Tags"] == []
    tagged = {"ResourceId.1": "ami-eves", "Tag.1.Key": "a"}
    assert door.ask(joe, "CreateTags", tagged).code == "InvalidAMIID.NotFound"
    assert door.ask(eve, "CreateTags", tagged).status == 200


def test_key_pairs_made_with_tags(door: Door, joe: User) -> None:
    """A key pair is made or imported with its tags, or not at all."""
    client = door.client(joe)
    given = [{"ResourceType": "key-pair", "Tags": [{"Key": "a", "Value": "1"}]}]
    made = client.create_key_pair(KeyName="k", TagSpecifications=given)
    kept = client.describe_key_pairs(IncludePublicKey=True)["KeyPairs"][0]
    material = kept["PublicKey"].encode()
    taken = client.import_key_pair(KeyName="l", PublicKeyMaterial=material, TagSpecifications=given)
    assert pairs(made["Tags"]) == pairs(taken["Tags"]) == {"a": "1"}
    assert {tag["ResourceId"] for tag in client.describe_tags()["Tags"]} == {
        made["KeyPairId"],
        taken["KeyPairId"],
    }
    for kind, key in (("key-pair", "aws:a"), ("instance", "a")):
        wrong = {"TagSpecification.1.ResourceType": kind, "TagSpecification.1.Tag.1.Key": key}
        refused = door.ask(joe, "CreateKeyPair", {"KeyName": "m", **wrong})
        assert refused.code == "InvalidParameterValue"
    assert len(client.describe_key_pairs()["KeyPairs"]) == 2


def test_images_made_with_tags(door: Door, joe: User) -> None:
    """An image is registered, or made of an instance, with its tags, and is found by them."""
    client = door.client(joe)
    door.ask(joe, "RunInstances", RUN)
    inline(door.database.run(instances.move, 1, states.BUILD, host="HostB"))
    inline(door.database.run(instances.move, 1, states.RUN))
    door.images.bundles["b/m.xml"] = ("joe", b"")
    given = [{"ResourceType": "image", "Tags": [{"Key": "a", "Value": "1"}]}]
    taken = client.register_image(Name="one", ImageLocation="b/m.xml", TagSpecifications=given)
    given.append({"ResourceType": "snapshot", "Tags": [{"Key": "b", "Value": "2"}]})
    made = client.create_image(InstanceId=ONE, Name="two", TagSpecifications=given)
    client.register_image(Name="three", ImageLocation="b/m.xml")
    found = client.describe_images(Filters=[{"Name": "tag:a", "Values": ["1"]}])["Images"]
    assert {image["ImageId"] for image in found} == {taken["ImageId"], made["ImageId"]}
    assert [pairs(image["Tags"]) for image in found] == [{"a": "1"}] * 2
    assert client.describe_images(Filters=[{"Name": "tag-key", "Values": ["b"]}])["Images"] == []
    shown = client.describe_tags(Filters=[{"Name": "resource-type", "Values": ["image"]}])["Tags"]
    assert len(shown) == 2
    wrong = {"TagSpecification.1.ResourceType": "snapshot", "TagSpecification.1.Tag.1.Key": "a"}
    refused = door.ask(joe, "RegisterImage", {"Name": "four", "ImageLocation": "b/m.xml", **wrong})
    assert refused.code == "InvalidParameterValue"
    assert len(client.describe_images(Owners=["self"])["Images"]) == 3


def test_images_and_key_pairs(door: Door, joe: User) -> None:
    """Images and key pairs show their tags, are found by them, and take them along."""
    client = door.client(joe)
    pair = client.create_key_pair(KeyName="k")["KeyPairId"]
    client.create_key_pair(KeyName="l")
    door.images.put(an_image(id="ami-b"))
    client.create_tags(Resources=[pair, "ami-b"], Tags=[{"Key": "a", "Value": "1"}])
    wanted = [{"Name": "tag:a", "Values": ["1"]}]
    (image,) = client.describe_images(Filters=wanted)["Images"]
    (key,) = client.describe_key_pairs(Filters=wanted)["KeyPairs"]
    assert (image["ImageId"], key["KeyPairId"]) == ("ami-b", pair)
    assert image["Tags"] == key["Tags"] == [{"Key": "a", "Value": "1"}]
    assert [each.get("Tags") for each in client.describe_key_pairs()["KeyPairs"]] == [
        key["Tags"],
        None,
    ]
    for name in "lk":
        client.delete_key_pair(KeyName=name)
    client.create_key_pair(KeyName="m")
    assert "Tags" not in client.describe_key_pairs()["KeyPairs"][0]
    assert [tag["ResourceId"] for tag in client.describe_tags()["Tags"]] == ["ami-b"]


@pytest.fixture
def tagged(door: Door, joe: User) -> Any:
    """A client of a project with two instances, tagged."""
    door.ask(joe, "RunInstances", RUN)
    client = door.client(joe)
    client.create_tags(Resources=[ONE, TWO], Tags=[{"Key": "Name", "Value": "web"}])
    client.create_tags(Resources=[TWO], Tags=[{"Key": "Role", "Value": "back*"}])
    client.create_tags(Resources=["ami-tiny"], Tags=[{"Key": "Role", "Value": "back"}])
    return client


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("key", "Role", ["ami-tiny Role", f"{TWO} Role"]),
        ("key", "R*", ["ami-tiny Role", f"{TWO} Role"]),
        ("value", "back", ["ami-tiny Role"]),
        ("value", r"back\*", [f"{TWO} Role"]),
        ("resource-id", ONE, [f"{ONE} Name"]),
        ("resource-id", "i-*1", [f"{ONE} Name"]),
        ("resource-id", "none", []),
        ("resource-type", "image", ["ami-tiny Role"]),
        ("tag:Role", "back", ["ami-tiny Role"]),
        ("tag:Name", "web", [f"{ONE} Name", f"{TWO} Name"]),
    ],
)
def test_filters_of_tags(tagged: Any, name: str, value: str, found: list[str]) -> None:
    """Tags are found by all that AWS documents."""
    listed = tagged.describe_tags(Filters=[{"Name": name, "Values": [value]}])["Tags"]
    assert [f"{tag['ResourceId']} {tag['Key']}" for tag in listed] == found


def test_filters_by_tags(tagged: Any) -> None:
    """Instances are found by their tags."""

    def ids(name: str, *values: str) -> list[str]:
        found = tagged.describe_instances(Filters=[{"Name": name, "Values": list(values)}])
        return [each["InstanceId"] for one in found["Reservations"] for each in one["Instances"]]

    assert ids("tag:Name", "web") == [ONE, TWO]
    assert ids("tag-key", "Role") == [TWO]
    assert ids("tag:Role", "front", "back*") == [TWO]
    assert ids("tag:Role", "front") == []


def test_pages_of_tags(tagged: Any) -> None:
    """Tags come in pages, each once."""
    tagged.create_tags(Resources=[ONE], Tags=[{"Key": f"k{n}", "Value": ""} for n in range(9)])
    pages = list(tagged.get_paginator("describe_tags").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Tags"]) for page in pages] == [5, 5, 3]
    listed = [tag for page in pages for tag in page["Tags"]]
    assert listed == tagged.describe_tags()["Tags"]


def test_ended_instances(door: Door, joe: User, tagged: Any) -> None:
    """The tags of a terminated instance go when it goes from lists."""
    tagged.terminate_instances(InstanceIds=[ONE])
    wanted = {"Filter.1.Name": "resource-id", "Filter.1.Value.1": ONE}
    door.clock.advance(3590)
    assert b"web" in door.ask(joe, "DescribeTags", wanted).body
    door.clock.advance(20)
    assert b"web" not in door.ask(joe, "DescribeTags", wanted).body
    again = {"ResourceId.1": ONE, "Tag.1.Key": "a"}
    assert door.ask(joe, "CreateTags", again).code == "InvalidInstanceID.NotFound"


def test_old_clients_see_none(door: Door, joe: User, tagged: Any) -> None:
    """An old client's instance has no element that its tools do not know."""
    assert b"tagSet" not in door.ask(joe, "DescribeInstances", {}, OLD).body


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Tag.1.Key": "a"}, "MissingParameter"),
        ({"ResourceId.1": ONE}, "MissingParameter"),
        ({"ResourceId.1": ONE, "Tag.1.Value": "a"}, "MissingParameter"),
        ({"ResourceId.1": ONE, "Tag.1.Key": ""}, "MissingParameter"),
        ({"ResourceId.1": ONE, "Tag.1.Key": "x" * 128}, "InvalidParameterValue"),
        (
            {"ResourceId.1": ONE, "Tag.1.Key": "x", "Tag.1.Value": "x" * 256},
            "InvalidParameterValue",
        ),
        ({"ResourceId.1": ONE, "Tag.1.Key": "aws:x"}, "InvalidParameterValue"),
        ({"ResourceId.1": ONE, "Tag.1.Key": "AWS:x"}, "InvalidParameterValue"),
        ({"ResourceId.1": ONE, "Tag.1.Key": "a", "Tag.2.Key": "a"}, "InvalidParameterValue"),
        ({"ResourceId.1": ONE, "Tag.1.Key": "a\0"}, "InvalidParameterValue"),
        ({"ResourceId.1": ONE, "Tag.1.Key": "a", "Tag.1.Name": "b"}, "UnknownParameter"),
        ({"ResourceId.1": "web", "Tag.1.Key": "a"}, "InvalidID"),
        ({"ResourceId.1": "i-0fffffff", "Tag.1.Key": "a"}, "InvalidInstanceID.NotFound"),
        ({"ResourceId.1": ONE, "ResourceId.2": "ami-none", "Tag.1.Key": "a"}, "InvalidAMIID.NotFo"),
        (
            {"ResourceId.1": ONE, **{f"Tag.{n}.Key": f"k{n}" for n in range(51)}},
            "TagLimitExceeded",
        ),
    ],
)
def test_refused(door: Door, joe: User, parameters: dict[str, str], code: str) -> None:
    """What can't be tagged is refused with AWS's code, and nothing is tagged."""
    door.ask(joe, "RunInstances", RUN)
    answer = door.ask(joe, "CreateTags", parameters, method="POST")
    assert answer.status == 400 and (answer.code or "").startswith(code)
    assert b"<item>" not in door.ask(joe, "DescribeTags").body


def test_longest(door: Door, joe: User) -> None:
    """A key of 127 characters and a value of 255 are kept whole, whatever they are."""
    door.ask(joe, "RunInstances", RUN)
    tag = {"Key": "ключ" + "x" * 123, "Value": "<&\U0001f511" + "y" * 252}
    door.client(joe).create_tags(Resources=[ONE], Tags=[tag])
    (found,) = door.client(joe).describe_tags()["Tags"]
    assert {name: found[name] for name in tag} == tag


@pytest.mark.parametrize(
    ("specification", "code"),
    [
        ({"ResourceType": "volume", "Tag.1.Key": "a"}, "InvalidParameterValue"),
        ({"ResourceType": "instances", "Tag.1.Key": "a"}, "InvalidParameterValue"),
        ({"Tag.1.Key": "a"}, "MissingParameter"),
        ({"ResourceType": "instance", "Tag.1.Key": "aws:a"}, "InvalidParameterValue"),
        (
            {"ResourceType": "instance", "Tag.1.Key": "a", "Tag.2.Key": "a"},
            "InvalidParameterValue",
        ),
        (
            {"ResourceType": "instance", **{f"Tag.{n}.Key": f"k{n}" for n in range(51)}},
            "TagLimitExceeded",
        ),
    ],
)
def test_refused_at_launch(door: Door, joe: User, specification: dict[str, str], code: str) -> None:
    """Tags that can't be given at launch are refused, and nothing is launched."""
    given = {f"TagSpecification.1.{name}": value for name, value in specification.items()}
    assert door.ask(joe, "RunInstances", {**RUN, **given}, method="POST").code == code
    assert b"<item>" not in door.ask(joe, "DescribeInstances").body
