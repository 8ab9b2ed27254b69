"""Actions on instance types and the account."""

from __future__ import annotations

from xml.sax import parseString

import pytest
from boto.ec2.instancetype import InstanceType
from boto.handler import XmlHandler
from boto.resultset import ResultSet

from nova_tx.db import quotas, services
from nova_tx.model.instances import INSTANCE_TYPES
from nova_tx.model.users import User
from nova_tx.testing.ec2 import Door, inline

BOTO_2 = "2014-10-01"


def test_types(door: Door, joe: User) -> None:
    """Every type is told with its processors, memory and disk."""
    found = door.client(joe).describe_instance_types()["InstanceTypes"]
    assert {
        each["InstanceType"]: (
            each["VCpuInfo"]["DefaultVCpus"],
            each["MemoryInfo"]["SizeInMiB"],
            each.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0),
        )
        for each in found
    } == {
        name: (kind.vcpus, kind.memory_mb, kind.local_gb) for name, kind in INSTANCE_TYPES.items()
    }
    tiny = next(each for each in found if each["InstanceType"] == "m1.tiny")
    assert (tiny["InstanceStorageSupported"], tiny["BurstablePerformanceSupported"]) == (
        False,
        False,
    )


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("instance-type", "m1.?mall", ["small"]),
        ("vcpu-info.default-vcpus", "8", ["xlarge"]),
        ("vcpu-info.valid-cores", "4", ["large"]),
        ("memory-info.size-in-mib", "512", ["tiny"]),
        ("instance-storage-supported", "false", ["tiny"]),
        ("instance-storage-info.total-size-in-gb", "20", ["small"]),
        ("instance-storage-info.disk.size-in-gb", "40", ["medium"]),
        ("instance-storage-info.disk.type", "*", []),
        ("current-generation", "false", []),
        (
            "processor-info.supported-architecture",
            "x86_64",
            ["large", "medium", "small", "tiny", "xlarge"],
        ),
        ("hypervisor", "*", []),
        ("network-info.ipv6-supported", "true", []),
    ],
)
def test_type_filters(door: Door, joe: User, name: str, value: str, found: list[str]) -> None:
    """A filter looks at its place in the answer, numbers and truth values being texts."""
    answer = door.ask(
        joe, "DescribeInstanceTypes", {"Filter.1.Name": name, "Filter.1.Value.1": value}
    )
    assert [each.text for each in answer.xml.iterfind(".//{*}instanceType")] == [
        f"m1.{each}" for each in found
    ]


def test_pages_of_types(door: Door, joe: User) -> None:
    """Offerings come in pages, each once."""
    zones = ("nova", "south")
    for zone in zones:
        inline(door.database.run(services.report, zone, "nova-compute", "compute", zone, True))
    pages = list(
        door.client(joe)
        .get_paginator("describe_instance_type_offerings")
        .paginate(LocationType="availability-zone", PaginationConfig={"PageSize": 6})
    )
    found = [
        (each["InstanceType"], each["Location"])
        for page in pages
        for each in page["InstanceTypeOfferings"]
    ]
    assert len(pages) == 2
    assert sorted(found) == sorted((name, zone) for name in INSTANCE_TYPES for zone in zones)


@pytest.mark.parametrize(
    ("location_type", "locations"),
    [(None, {"nova"}), ("region", {"nova"}), ("outpost", set())],
)
def test_offerings(door: Door, joe: User, location_type: str | None, locations: set[str]) -> None:
    """Types are offered in the region, and in no outpost."""
    given = {"LocationType": location_type} if location_type else {}
    answer = door.client(joe).describe_instance_type_offerings(**given)
    found = answer["InstanceTypeOfferings"]
    assert {each["Location"] for each in found} == locations
    assert len(found) == len(INSTANCE_TYPES) * len(locations)
    for name, value in (("instance-type", "m1.tiny"), ("location", "nova")):
        few = door.client(joe).describe_instance_type_offerings(
            Filters=[{"Name": name, "Values": [value]}], **given
        )
        assert len(few["InstanceTypeOfferings"]) == len(locations) * (
            1 if name == "instance-type" else len(INSTANCE_TYPES)
        )


def test_types_as_of_eucalyptus(door: Door, joe: User) -> None:
    """boto 2 and euca2ools, whose API versions know no such action of AWS's, get Eucalyptus'."""
    answer = door.ask(joe, "DescribeInstanceTypes", {"InstanceType.1": "m1.small"}, BOTO_2)
    found = ResultSet([("item", InstanceType)])
    parseString(answer.body, XmlHandler(found, None))
    (small,) = found
    assert (small.name, small.cores, small.memory, small.disk) == ("m1.small", "1", "2048", "20")


def test_attributes(door: Door, joe: User) -> None:
    """The account has the classic network, and as many instances as its project's quota says."""
    inline(door.database.run(quotas.set, "joe", "instances", 7))
    client = door.client(joe)
    found = {
        each["AttributeName"]: [value["AttributeValue"] for value in each["AttributeValues"]]
        for each in client.describe_account_attributes()["AccountAttributes"]
    }
    assert found == {
        "supported-platforms": ["EC2"],
        "default-vpc": ["none"],
        "max-instances": ["7"],
    }
    some = client.describe_account_attributes(AttributeNames=["default-vpc"])
    assert len(some["AccountAttributes"]) == 1


@pytest.mark.parametrize(
    ("action", "parameters", "code"),
    [
        ("DescribeInstanceTypes", {"InstanceType.1": "m9.huge"}, "InvalidInstanceType"),
        (
            "DescribeInstanceTypes",
            {"InstanceType.1": "m1.tiny", "MaxResults": "5"},
            "InvalidParameterCombination",
        ),
        ("DescribeInstanceTypes", {"NextToken": "x"}, "InvalidNextToken"),
        ("DescribeInstanceTypeOfferings", {"LocationType": "moon"}, "InvalidParameterValue"),
        ("DescribeAccountAttributes", {"AttributeName.1": "shoe-size"}, "InvalidParameterValue"),
    ],
)
def test_refused(door: Door, joe: User, action: str, parameters: dict[str, str], code: str) -> None:
    """What there is not is refused with its AWS code."""
    answer = door.ask(joe, action, parameters)
    assert (answer.status, answer.code) == (400, code)
