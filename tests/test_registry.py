"""What is found where: a file that silently fails to register is a red test, not a riddle."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import nova_tx.api.ec2.admin
import nova_tx.auth
import nova_tx.image
import nova_tx.network.fabric
import nova_tx.network.managers
import nova_tx.scheduler.policies
import nova_tx.virt
import nova_tx.virt.libvirt
from nova_tx.api.ec2.action import actions
from nova_tx.api.ec2.actions.absent import ABSENT
from nova_tx.auth.interfaces import IUsers
from nova_tx.image.interfaces import IImages
from nova_tx.manage.catalogue import categories
from nova_tx.network.fabric.interfaces import IFabric
from nova_tx.network.managers.interfaces import INetworkManager
from nova_tx.objectstore.action import Actions
from nova_tx.objectstore.interfaces import IStore
from nova_tx.operations import Operations
from nova_tx.scheduler.policies.interfaces import IPolicy
from nova_tx.taps.parts import drivers
from nova_tx.virt.interfaces import IVirtDriver


def test_s3_actions() -> None:
    """The objectstore has these S3 calls, and no others."""
    assert set(Actions(cast(IStore, None), cast(IUsers, None)).named) == {
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateBucket",
        "CreateMultipartUpload",
        "DeleteBucket",
        "DeleteBucketCors",
        "DeleteBucketTagging",
        "DeleteObject",
        "DeleteObjectTagging",
        "DeleteObjects",
        "GetBucketAcl",
        "GetBucketCors",
        "GetBucketLocation",
        "GetBucketTagging",
        "GetObject",
        "GetObjectAcl",
        "GetObjectAttributes",
        "GetObjectTagging",
        "HeadBucket",
        "ListBuckets",
        "ListMultipartUploads",
        "ListObjects",
        "ListObjectsV2",
        "ListParts",
        "OptionsBucket",
        "OptionsObject",
        "PostObject",
        "PutBucketAcl",
        "PutBucketCors",
        "PutBucketTagging",
        "PutObject",
        "PutObjectAcl",
        "PutObjectTagging",
        "UploadPart",
        "UploadPartCopy",
    }


def test_actions() -> None:
    """The EC2 door has these actions, and no others."""
    found = actions(cast(Operations, SimpleNamespace()))
    assert set(found) == {
        "CreateImage",
        "CreateKeyPair",
        "CreateTags",
        "DeleteKeyPair",
        "DeleteTags",
        "DeregisterImage",
        "DescribeAvailabilityZones",
        "DescribeImageAttribute",
        "DescribeImages",
        "DescribeInstanceAttribute",
        "DescribeInstanceStatus",
        "DescribeInstances",
        "DescribeKeyPairs",
        "DescribeRegions",
        "DescribeSecurityGroups",
        "DescribeTags",
        "GetConsoleOutput",
        "ImportKeyPair",
        "ModifyImageAttribute",
        "ModifyInstanceAttribute",
        "RebootInstances",
        "RegisterImage",
        "RescueInstance",
        "ResetImageAttribute",
        "ResetInstanceAttribute",
        "RunInstances",
        "StartInstances",
        "StopInstances",
        "TerminateInstances",
        "UnrescueInstance",
        "UpdateImage",
        "UpdateInstance",
        "DescribeAccountAttributes",
        "DescribeInstanceCreditSpecifications",
        "DescribeInstanceTypeOfferings",
        "DescribeInstanceTypes",
        "DescribeInstancesV6",
        "DescribeVpcAttribute",
        *ABSENT,
    }


def test_admin_actions() -> None:
    """The administrators' door has these actions, and no others."""
    found = actions(cast(Operations, SimpleNamespace()), nova_tx.api.ec2.admin)
    assert set(found) == {
        "DeregisterProject",
        "DeregisterUser",
        "DescribeHost",
        "DescribeHosts",
        "DescribeInstanceTypes",
        "DescribeProject",
        "DescribeProjectMembers",
        "DescribeProjects",
        "DescribeRoles",
        "DescribeUser",
        "DescribeUserRoles",
        "DescribeUsers",
        "GenerateX509ForUser",
        "ModifyProject",
        "ModifyProjectMember",
        "ModifyUserRole",
        "RegisterProject",
        "RegisterUser",
    }


def test_drivers() -> None:
    """Each flag that chooses a driver can choose among these names."""
    found: dict[Any, set[str]] = {
        IVirtDriver: set(drivers(IVirtDriver, nova_tx.virt, nova_tx.virt.libvirt)),
        INetworkManager: set(drivers(INetworkManager, nova_tx.network.managers)),
        IFabric: set(drivers(IFabric, nova_tx.network.fabric)),
        IPolicy: set(drivers(IPolicy, nova_tx.scheduler.policies)),
        IImages: set(drivers(IImages, nova_tx.image)),
        IUsers: set(drivers(IUsers, nova_tx.auth)),
    }
    assert found == {
        IVirtDriver: {
            *("fake", "nova.virt.fake.get_connection"),
            *("libvirt", "nova.virt.libvirt_conn.get_connection"),
        },
        INetworkManager: {"nova.network.manager.FlatDHCPManager", "flat_dhcp"},
        IFabric: {"nova.network.linux_net", "linux", "memory"},
        IPolicy: {
            "nova.scheduler.chance.ChanceScheduler",
            "nova.scheduler.zone.ZoneScheduler",
            "chance",
            "nova.scheduler.simple.SimpleScheduler",
            "simple",
        },
        IImages: {
            *("nova.image.s3.S3ImageService", "s3", "memory"),
            *("nova.image.local.LocalImageService", "local"),
            *("nova.image.glance.GlanceImageService", "glance"),
        },
        IUsers: {
            *("nova.auth.dbdriver.DbDriver", "database"),
            *("nova.auth.ldapdriver.LdapDriver", "ldap"),
            *("nova.auth.ldapdriver.FakeLdapDriver", "memory"),
        },
    }


def test_commands() -> None:
    """nova-manage has these categories, in this order, with these actions."""
    found = {name: " ".join(each.actions) for name, each in categories().items()}
    assert list(found.items()) == [
        ("user", "admin create delete exports list modify revoke unlock"),
        ("account", found["project"]),
        (
            "project",
            "add create delete environment list modify quota remove scrub zipfile",
        ),
        ("role", "add has remove"),
        ("shell", "bpython ipython python run script"),
        ("vpn", "change list"),
        ("fixed", "list"),
        ("floating", "create delete list"),
        ("network", "create delete list"),
        ("vm", "list reset_state"),
        ("service", "disable enable list"),
        ("log", "request"),
        ("db", "backup rotate_key sync version"),
        ("instance_type", "create delete list"),
        ("image", "all_register convert image_register kernel_register ramdisk_register"),
        ("flavor", found["instance_type"]),
        ("certificate", "refresh revoke"),
        ("completion", "bash zsh"),
        ("config", "check"),
        ("objectstore", "check"),
        ("status", "status"),
    ]
