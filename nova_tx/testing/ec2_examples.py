"""
Requests of each action that succeed on a furnished door: L{EXAMPLES}, to be tried and to be spoilt.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from nova_tx import states
from nova_tx.api.ec2.actions.absent import ABSENT
from nova_tx.db import instances, services
from nova_tx.model import User
from nova_tx.testing.ec2 import Door, an_image, inline

Requests = Sequence[Mapping[str, str]]

#: Instance 1 runs, instance 2 is stopped, instance 3 is rescued; all are joe's.
RUNS, STOPPED, RESCUED = "i-00000001", "i-00000002", "i-00000003"

_TAGGED = {"Filter.1.Name": "tag:role", "Filter.1.Value.1": "web*"}
_FILTER = {**_TAGGED, "MaxResults": "5"}

#: By action, requests of joe, an administrator; each finds a door just furnished.
EXAMPLES: Mapping[str, Requests] = {
    # instances
    "DescribeInstancesV6": ({}, {"InstanceId.1": RUNS}),
    "DescribeInstanceAttribute": tuple(
        {"InstanceId": STOPPED, "Attribute": attribute}
        for attribute in ("instanceType", "userData", "groupSet", "enclaveOptions", "productCodes")
    ),
    "DescribeInstanceStatus": (
        {"InstanceId.1": STOPPED, "IncludeAllInstances": "true"},
        {"Filter.1.Name": "instance-status.status", "Filter.1.Value.1": "ok", "MaxResults": "5"},
    ),
    "DescribeInstances": (
        {},
        {"InstanceId.1": RUNS},
        _FILTER,
        {"Filter.1.Name": "instance-state-name", "Filter.1.Value.1": "r*"},
    ),
    "GetConsoleOutput": ({"InstanceId": RUNS},),
    "RebootInstances": ({"InstanceId.1": RUNS},),
    "RunInstances": (
        {"ImageId": "ami-tiny"},
        {
            "ImageId": "ami-tiny",
            "MinCount": "1",
            "MaxCount": "3",
            "InstanceType": "m1.small",
            "KeyName": "there",
            "SecurityGroup.1": "default",
            "UserData": base64.b64encode(b"hello").decode(),
            "Placement.AvailabilityZone": "nova",
            "Placement.Tenancy": "default",
            "DisplayName": "web",
            "ClientToken": "once",
            "DisableApiTermination": "true",
            "InstanceInitiatedShutdownBehavior": "terminate",
            "BlockDeviceMapping.1.DeviceName": "/dev/sdc",
            "BlockDeviceMapping.1.VirtualName": "ephemeral0",
            "BlockDeviceMapping.2.DeviceName": "/dev/sdd",
            "BlockDeviceMapping.2.NoDevice": "",
            "MetadataOptions.HttpTokens": "optional",
            "TagSpecification.1.ResourceType": "instance",
            "TagSpecification.1.Tag.1.Key": "role",
            "TagSpecification.1.Tag.1.Value": "web",
        },
    ),
    "ModifyInstanceAttribute": (
        {"InstanceId": STOPPED, "Attribute": "instanceType", "Value": "m1.medium"},
        {"InstanceId": STOPPED, "UserData.Value": "aGVsbG8="},
        {"InstanceId": RUNS, "DisableApiTermination.Value": "true"},
        {"InstanceId": RUNS, "InstanceInitiatedShutdownBehavior.Value": "terminate"},
    ),
    "ResetInstanceAttribute": ({"InstanceId": STOPPED, "Attribute": "kernel"},),
    "UpdateInstance": ({"Ec2Id": RUNS, "DisplayName": "web", "DisplayDescription": "mine"},),
    # tags
    "CreateTags": (
        {
            "ResourceId.1": RUNS,
            "ResourceId.2": "ami-mine",
            "Tag.1.Key": "role",
            "Tag.1.Value": "web",
            "Tag.2.Key": "bare",
        },
    ),
    "DeleteTags": ({"ResourceId.1": RUNS}, {"ResourceId.1": RUNS, "Tag.1.Key": "role"}),
    "DescribeTags": ({}, {**_FILTER, "Filter.2.Name": "resource-id", "Filter.2.Value.1": RUNS}),
    "RescueInstance": ({"InstanceId": RUNS},),
    "StartInstances": ({"InstanceId.1": STOPPED, "InstanceId.2": RUNS},),
    "StopInstances": (
        {"InstanceId.1": RUNS, "InstanceId.2": STOPPED},
        {"InstanceId.1": RESCUED, "Force": "true", "Hibernate": "false"},
    ),
    "UnrescueInstance": ({"InstanceId": RESCUED},),
    "TerminateInstances": ({"InstanceId.1": RUNS, "InstanceId.2": STOPPED},),
    # images
    "DeregisterImage": ({"ImageId": "ami-mine"},),
    "DescribeImages": ({}, {"ImageId.1": "ami-mine"}, {"Owner.1": "self"}),
    "RegisterImage": ({"ImageLocation": "bucket/image.manifest.xml"},),
    # key pairs
    "CreateKeyPair": ({"KeyName": "made", "KeyType": "ed25519", "KeyFormat": "pem"},),
    "DeleteKeyPair": ({"KeyName": "there"}, {"KeyPairId": "key-00000001"}),
    "DescribeKeyPairs": (
        {},
        {"KeyName.1": "there"},
        {"KeyPairId.1": "key-00000001", "IncludePublicKey": "true"},
        {"Filter.1.Name": "fingerprint", "Filter.1.Value.1": "*:*"},
    ),
    "ImportKeyPair": (
        {
            "KeyName": "taken",
            "PublicKeyMaterial": base64.b64encode(
                b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID6A/m5YjRRPtXw2GvHm79yEcn23iWIoi6UsJIk99Pex"
            ).decode(),
        },
    ),
    # security groups
    "DescribeSecurityGroups": ({}, {"GroupName.1": "default"}, _FILTER),
    # zones and regions
    "DescribeAvailabilityZones": (
        {},
        {"ZoneName.1": "nova"},
        {"ZoneName.1": "verbose"},
        {"Filter.1.Name": "state", "Filter.1.Value.1": "available"},
    ),
    "DescribeRegions": (
        {},
        {"RegionName.1": "nova"},
        {"Filter.1.Name": "region-name", "Filter.1.Value.1": "n*"},
    ),
    # types and the account
    "DescribeInstanceTypes": (
        {},
        {"InstanceType.1": "m1.tiny"},
        {"Filter.1.Name": "vcpu-info.default-vcpus", "Filter.1.Value.1": "1", "MaxResults": "5"},
    ),
    "DescribeInstanceTypeOfferings": (
        {"MaxResults": "5"},
        {"LocationType": "availability-zone", "Filter.1.Name": "location", "Filter.1.Value": "n*"},
    ),
    "DescribeAccountAttributes": ({}, {"AttributeName.1": "default-vpc"}),
    # what there is none of
    **{name: ({}, _FILTER if absent.pages else _TAGGED) for name, absent in ABSENT.items()},
    "DescribeInstanceCreditSpecifications": ({}, _FILTER),
    "DescribeVpcAttribute": (),
}


def furnish(door: Door) -> User:
    """Give a new door what the examples speak of; returns joe."""
    joe = door.add_user("joe", is_admin=True)
    door.images.put(an_image(), an_image(id="ami-mine", owner="joe"))
    door.images.bundles["bucket/image.manifest.xml"] = ("joe", b"a disk")
    door.bus.answers["get_console_output"] = "login: "
    inline(door.database.run(services.report, "HostB", "nova-compute", "compute", "nova", True))
    assert door.ask(joe, "CreateKeyPair", {"KeyName": "there"}).status == 200
    run = {"ImageId": "ami-mine", "MinCount": "3", "MaxCount": "3", "KeyName": "there"}
    assert door.ask(joe, "RunInstances", run).status == 200
    inline(door.database.run(_settle))
    return joe


def _settle(txn: Connection) -> None:
    """All have been built on HostB; the second has switched itself off, the third was rescued."""
    for number in (1, 2, 3):
        for way in (states.BUILD, states.RUN):
            instances.move(txn, number, way, host="HostB")
    instances.move(txn, 2, states.STOP)
    for way in (states.RESCUE, states.SHELTER):
        instances.move(txn, 3, way)
