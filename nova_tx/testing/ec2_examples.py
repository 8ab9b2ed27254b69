"""
Requests of each action that succeed on a furnished door: L{EXAMPLES}, to be tried and to be spoilt.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import cast

from sqlalchemy import Connection

import nova_tx.api.ec2.actions
import nova_tx.api.ec2.admin
from nova_tx import states
from nova_tx.api.ec2.action import Action, actions
from nova_tx.api.ec2.actions.absent import ABSENT
from nova_tx.db import instances, services
from nova_tx.model.users import User
from nova_tx.operations import Operations
from nova_tx.testing.ec2 import NEW, OLD, PATH, Door, an_image, inline

Requests = Sequence[Mapping[str, str]]

#: Instance 1 runs, instance 2 is stopped, instance 3 is rescued; all are joe's.
RUNS, STOPPED, RESCUED = "i-00000001", "i-00000002", "i-00000003"


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_TAGGED = {"Filter.1.Name": "tag:role", "Filter.1.Value.1": "web*"}
_IMAGE_TAGS = {
    "TagSpecification.1.ResourceType": "image",
    "TagSpecification.1.Tag.1.Key": "role",
    "TagSpecification.1.Tag.1.Value": "golden",
}
_FILTER = {**_TAGGED, "MaxResults": "5"}

#: By action, requests of joe, an administrator; each finds a door just furnished.
EXAMPLES: Mapping[str, Requests] = {
    # instances
    "DescribeInstancesV6": ({}, {"InstanceId.1": RUNS}),
    "DescribeInstanceAttribute": tuple(
        {"InstanceId": STOPPED, "Attribute": attribute}
        for attribute in (
            *("instanceType", "userData", "groupSet", "enclaveOptions", "productCodes"),
            *("disableApiTermination", "instanceInitiatedShutdownBehavior", "rootDeviceName"),
            *("blockDeviceMapping", "kernel", "ramdisk"),
        )
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
            "UserData": _coded("hello"),
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
    # power
    "StartInstances": ({"InstanceId.1": STOPPED, "InstanceId.2": RUNS},),
    "StopInstances": (
        {"InstanceId.1": RUNS, "InstanceId.2": STOPPED},
        {"InstanceId.1": RESCUED, "Force": "true", "Hibernate": "false"},
    ),
    "RescueInstance": ({"InstanceId": RUNS},),
    "UnrescueInstance": ({"InstanceId": RESCUED},),
    "TerminateInstances": ({"InstanceId.1": RUNS, "InstanceId.2": STOPPED},),
    # images
    "DeregisterImage": ({"ImageId": "ami-mine"},),
    "DescribeImages": ({}, {"ImageId.1": "ami-mine"}, {"Owner.1": "self"}),
    "RegisterImage": (
        {"ImageLocation": "bucket/image.manifest.xml"},
        {"ImageLocation": "bucket/image.manifest.xml", "Name": "named", **_IMAGE_TAGS},
        {
            "ImageLocation": "bucket/image.manifest.xml",
            "Name": "an example",
            "Architecture": "i386",
            "KernelId": "true",
        },
    ),
    "CreateImage": (
        {"InstanceId": RUNS, "Name": "made"},
        {"InstanceId": RUNS, "Name": "made", "NoReboot": "true", **_IMAGE_TAGS},
    ),
    "DescribeImageAttribute": tuple(
        {"ImageId": "ami-mine", "Attribute": each} for each in ("launchPermission", "description")
    ),
    "ModifyImageAttribute": (
        {
            "ImageId": "ami-mine",
            "Attribute": "launchPermission",
            "OperationType": "add",
            "UserGroup.1": "all",
        },
        {"ImageId": "ami-mine", "LaunchPermission.Add.1.UserId": "eve"},
        {"ImageId": "ami-mine", "Description.Value": "of joe"},
    ),
    "ResetImageAttribute": ({"ImageId": "ami-mine", "Attribute": "launchPermission"},),
    "UpdateImage": ({"ImageId": "ami-mine", "DisplayName": "mine"},),
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

#: Those of the administrators' door.
ADMIN_EXAMPLES: Mapping[str, Requests] = {
    "DescribeHost": ({"Name": "HostB"},),
    "DescribeHosts": ({},),
    "DescribeInstanceTypes": ({},),
    # projects
    "DeregisterProject": ({"Name": "shop"},),
    "DescribeProject": ({"Name": "joe"},),
    "DescribeProjectMembers": ({"Name": "shop"},),
    "DescribeProjects": ({}, {"User": "eve"}),
    "ModifyProject": ({"Name": "shop", "ManagerUser": "joe", "Description": "of joe"},),
    "ModifyProjectMember": ({"User": "joe", "Project": "shop", "Operation": "add"},),
    "RegisterProject": ({"Name": "new", "ManagerUser": "joe", "MemberUsers.1": "eve"},),
    # users and roles
    "DescribeRoles": ({}, {"ProjectRoles": "True"}),
    "DescribeUserRoles": ({"User": "eve"}, {"User": "eve", "Project": "shop"}),
    "ModifyUserRole": ({"User": "eve", "Role": "sysadmin", "Operation": "add"},),
    "DeregisterUser": ({"Name": "zoe"},),
    "DescribeUser": ({"Name": "eve"},),
    "DescribeUsers": ({},),
    "GenerateX509ForUser": ({"Name": "eve", "Project": "shop"},),
    "RegisterUser": ({"Name": "new"},),
}


@dataclass(frozen=True)
class Entrance:
    """
    One of the two doors.

    @ivar versions: what its clients say as Version.
    """

    path: str
    actions: Mapping[str, type[Action]]
    examples: Mapping[str, Requests]
    versions: tuple[str, ...]


def _actions(package: ModuleType) -> dict[str, type[Action]]:
    found = actions(cast(Operations, None), package)
    return {name: type(action) for name, action in found.items()}


CLOUD = Entrance(PATH, _actions(nova_tx.api.ec2.actions), EXAMPLES, (NEW, OLD))
ADMIN = Entrance("/services/Admin", _actions(nova_tx.api.ec2.admin), ADMIN_EXAMPLES, ("nova",))
ENTRANCES = (CLOUD, ADMIN)


def furnish(door: Door) -> User:
    """Give a new door what the examples speak of; returns joe."""
    joe = door.add_user("joe", is_admin=True)
    for name in ("eve", "zoe"):
        inline(door.users.create_user(name, name, f"secret-of-{name}", False))
    inline(door.users.create_project("shop", "eve", None))
    door.images.put(an_image(), an_image(id="ami-mine", owner="joe"))
    door.images.bundles["bucket/image.manifest.xml"] = ("joe", b"a disk")
    door.bus.answers["get_console_output"] = "login: "
    inline(door.database.run(services.report, "HostB", "nova-compute", "compute", "nova", True))
    key = {"KeyName": "there", "KeyType": "ed25519"}  # that is quickly made
    assert door.ask(joe, "CreateKeyPair", key).status == 200
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
