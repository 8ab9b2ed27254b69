"""Actions on availability zones and regions."""

from __future__ import annotations

import pytest

from nova_tx.db import services
from nova_tx.model.users import User
from nova_tx.testing.ec2 import OLD, Door, inline

SPACE = "{http://ec2.amazonaws.com/doc/2009-11-30/}"


@pytest.fixture
def zones(door: Door) -> Door:
    """A zone that is there and one whose workers are all disabled."""
    for host, zone, enabled in (("HostA", "nova", True), ("HostC", "south", False)):
        inline(door.database.run(services.report, host, "nova-compute", "compute", zone, enabled))
    return door


def test_zones(zones: Door, joe: User) -> None:
    """Everybody sees the zones; one whose workers are all disabled is not available.  [C12]"""
    found = zones.client(joe).describe_availability_zones()["AvailabilityZones"]
    assert found[0] == {
        "ZoneName": "nova",
        "ZoneId": "nova",
        "State": "available",
        "RegionName": "nova",
        "ZoneType": "availability-zone",
        "GroupName": "nova",
        "NetworkBorderGroup": "nova",
        "OptInStatus": "opt-in-not-required",
        "Messages": [],
    }
    assert [(zone["ZoneName"], zone["State"]) for zone in found[1:]] == [("south", "unavailable")]


def test_zones_of_2011(zones: Door, joe: User) -> None:
    """Old clients get the members and words of their time; no hosts, unless administrators."""
    plain = zones.ask(joe, "DescribeAvailabilityZones", {"ZoneName.1": "verbose"}, OLD)
    assert [[each.text for each in item] for item in plain.xml.iter(f"{SPACE}item")] == [
        ["nova", "available", "nova"],
        ["south", "not available", "nova"],
    ]


def test_zones_verbose(door: Door, admin: User) -> None:
    """An administrator sees the hosts, their workers, and who is silent."""
    for binary in ("nova-compute", "nova-network"):
        inline(door.database.run(services.report, "HostA", binary, "t", "nova", True))
    said = door.ask(admin, "DescribeAvailabilityZones", {"ZoneName.1": "verbose"}, OLD).xml
    names = [each.text for each in said.iter(f"{SPACE}zoneName")]
    assert names == ["nova", "|- HostA", "| |- nova-compute", "| |- nova-network"]
    state = [each.text for each in said.iter(f"{SPACE}zoneState")][2] or ""
    assert state.startswith("enabled :-) 2")


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("zone-name", "n*", ["nova"]),
        ("zone-id", "south", ["south"]),
        ("state", "available", ["nova"]),
        ("state", "unavailable", ["south"]),
        ("state", "not available", ["south"]),
        ("region-name", "nova", ["nova", "south"]),
        ("group-name", "mars", []),
        ("zone-type", "availability-zone", ["nova", "south"]),
        ("opt-in-status", "opt-in-not-required", ["nova", "south"]),
        ("message", "*", []),
    ],
)
def test_zone_filters(zones: Door, joe: User, name: str, value: str, found: list[str]) -> None:
    """Zones are filtered by what AWS documents and this cloud has."""
    given = {"Filter.1.Name": name, "Filter.1.Value.1": value}
    answer = zones.ask(joe, "DescribeAvailabilityZones", given)
    assert [each.text for each in answer.xml.iterfind(".//{*}zoneName")] == found


def test_regions(door: Door, joe: User) -> None:
    """Without a list there is one region; with one, each has its host's URL."""
    (only,) = door.client(joe).describe_regions()["Regions"]
    assert only == {
        "RegionName": "nova",
        "Endpoint": "http://127.0.0.1:8773/services/Cloud",
        "OptInStatus": "opt-in-not-required",
    }
    two = Door(door.database, "--region_list=north=n.example,south=s.example")
    client = two.client(two.add_user("joe"))
    found = client.describe_regions()["Regions"]
    assert {each["RegionName"]: each["Endpoint"] for each in found} == {
        "north": "http://n.example:8773/services/Cloud",
        "south": "http://s.example:8773/services/Cloud",
    }
    for name, value in (("region-name", "s*"), ("endpoint", "http://s.example*")):
        (one,) = client.describe_regions(Filters=[{"Name": name, "Values": [value]}])["Regions"]
        assert one["RegionName"] == "south"


def test_regions_of_2011(door: Door, joe: User) -> None:
    """Old clients get a region's name and endpoint, no more."""
    (item,) = door.ask(joe, "DescribeRegions", {}, OLD).xml.iter(f"{SPACE}item")
    assert [each.tag.removeprefix(SPACE) for each in item] == ["regionName", "regionEndpoint"]
