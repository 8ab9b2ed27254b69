"""
The one rule for old and new clients.

A request whose C{Version} is older than 2011-01-01 is answered in Nova's
formats of that time, as its tools parse them; any other as AWS would.  Error
codes are AWS's always.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from nova_tx import states
from nova_tx.block_devices import ROOT
from nova_tx.ids import instance_ec2_id, key_pair_ec2_id
from nova_tx.model.access import KeyPair
from nova_tx.model.images import Image
from nova_tx.model.instances import Instance, InstanceDetails
from nova_tx.operations.public_keys import fingerprint_of_2011
from nova_tx.operations.zones import Zone

#: A part of an answer: what L{nova_tx.api.ec2.xml} can write.
Content = dict[str, object]

#: Nobody has to ask for a zone or region of this cloud before using it.
NOT_REQUIRED = "opt-in-not-required"

#: What is so of every instance and image.
ROOT_DEVICE_TYPE, VIRTUALIZATION, HYPERVISOR = "instance-store", "hvm", "kvm"

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_FIRST_NEW = "2011-01-01"
#: The state of an image that there will not be.
FAILED = "failed"
_LATEST = "2016-11-15"


class Dialect(Protocol):
    """
    How things are said to a client.

    @ivar blanks: what has no value is an empty element; else it is left out.
    @ivar selects_images: DescribeImages minds Owner and ExecutableBy.
    @ivar names_images: RegisterImage's Name is a name, not another word for ImageLocation.
    @ivar types_of_aws: DescribeInstanceTypes answers as AWS does, else as Eucalyptus.
    """

    blanks: bool
    selects_images: bool
    names_images: bool
    types_of_aws: bool

    def time(self, when: datetime) -> str:
        """A time, given as naive UTC."""

    def state(self, instance: Instance) -> Content:
        """The state of an instance."""

    def key_name(self, instance: Instance, is_admin: bool) -> str | None:
        """The key pair of an instance."""

    def zone(self, details: InstanceDetails) -> str | None:
        """Where an instance is."""

    def public_name(self, details: InstanceDetails) -> Content:
        """The public name of an instance, besides C{dnsName}."""

    def more(self, details: InstanceDetails) -> Content:
        """What only this kind of client is told of an instance."""

    def group(self, name: str) -> Content:
        """A security group of an instance."""

    def tags(self, tags: Mapping[str, str]) -> Content:
        """The tags of a resource."""

    def image_state(self, image: Image) -> str:
        """The state of an image."""

    def image_more(self, image: Image) -> Content:
        """What only this kind of client is told of an image."""

    def key_pair(self, pair: KeyPair) -> Content:
        """A key pair."""

    def key_pair_more(self, pair: KeyPair) -> Content:
        """What only this kind of client is told of a key pair in a list."""

    def key_pair_gone(self, key_pair_id: int | None) -> Content:
        """What only this kind of client is told after DeleteKeyPair; None: there was none."""

    def zone_state(self, available: bool) -> str:
        """The state of an availability zone."""

    def zone_more(self, zone: Zone) -> Content:
        """What only this kind of client is told of an availability zone."""

    def region_more(self) -> Content:
        """What only this kind of client is told of a region."""

    def change(self, before: Instance, after: Instance) -> Content:
        """The state that an instance was in, and is."""

    def terminated(self) -> Content:
        """What only this kind of client is told after TerminateInstances."""


class Old:
    """Nova's formats of 2011.  [spec/02 section 6]"""

    blanks = True
    selects_images = False
    names_images = False
    types_of_aws = False

    def time(self, when: datetime) -> str:
        return when.isoformat(" ", "seconds")

    def state(self, instance: Instance) -> Content:
        # code 0 where Nova had none: boto dies of an empty one       [spec/16 W12]
        return {"code": instance.state or 0, "name": instance.state_description}

    def key_name(self, instance: Instance, is_admin: bool) -> str | None:
        if not is_admin:
            return instance.key_name
        return f"{instance.key_name} ({instance.project_id}, {instance.host})"

    def zone(self, details: InstanceDetails) -> str | None:
        return details.zone or "unknown zone"

    def public_name(self, details: InstanceDetails) -> Content:
        return {"publicDnsName": details.floating_ip}

    def more(self, details: InstanceDetails) -> Content:
        return {}

    def group(self, name: str) -> Content:
        return {"groupId": name}

    def tags(self, tags: Mapping[str, str]) -> Content:
        return {}

    def image_state(self, image: Image) -> str:
        return image.state

    def image_more(self, image: Image) -> Content:
        more: Content = {"id": image.id, "type": image.type, "displayName": image.display_name}
        if image.progress is not None:
            more["progress"] = f"{image.progress}%"
        return more

    def key_pair(self, pair: KeyPair) -> Content:
        return {"keyName": pair.name, "keyFingerprint": fingerprint_of_2011(pair.public_key)}

    def key_pair_more(self, pair: KeyPair) -> Content:
        return {}

    def key_pair_gone(self, key_pair_id: int | None) -> Content:
        return {}

    def zone_state(self, available: bool) -> str:
        return "available" if available else "not available"

    def zone_more(self, zone: Zone) -> Content:
        return {}

    def region_more(self) -> Content:
        return {}

    def change(self, before: Instance, after: Instance) -> Content:
        # in this order: its clients keep the last name they read
        return {"previousState": self.state(before), "currentState": self.state(after)}

    def terminated(self) -> Content:
        return {"return": True}


#: By AWS's lights: what is worked on in a guest that was running, still is.
_STATES = {
    states.SCHEDULING: (0, "pending"),
    states.NETWORKING: (0, "pending"),
    states.STARTING: (0, "pending"),
    states.RUNNING: (16, "running"),
    states.REBOOTING: (16, "running"),
    states.RESCUING: (16, "running"),
    states.RESCUED: (16, "running"),
    states.UNRESCUING: (16, "running"),
    states.IMAGING: (16, "running"),
    states.TERMINATING: (32, "shutting-down"),
    states.TERMINATED: (48, "terminated"),
    states.ERROR: (48, "terminated"),
    states.STOPPING: (64, "stopping"),
    states.SHUTDOWN: (80, "stopped"),
}


class New:
    """AWS's formats."""

    blanks = False
    selects_images = True
    names_images = True
    types_of_aws = True

    def time(self, when: datetime) -> str:
        return when.isoformat("T", "milliseconds") + "Z"

    def state(self, instance: Instance) -> Content:
        code, name = _STATES[instance.state_description]
        return {"code": code, "name": name}

    def key_name(self, instance: Instance, is_admin: bool) -> str | None:
        return instance.key_name

    def zone(self, details: InstanceDetails) -> str | None:
        wanted = details.instance.availability_zone
        return details.zone or (wanted.partition(":")[0] if wanted else None)

    def public_name(self, details: InstanceDetails) -> Content:
        return {}

    def more(self, details: InstanceDetails) -> Content:
        instance = details.instance
        reason = why(instance)
        return {
            "privateIpAddress": details.fixed_ip,
            "ipAddress": details.floating_ip,
            "kernelId": instance.kernel_id,
            "ramdiskId": instance.ramdisk_id,
            "groupSet": [self.group(name) for name in details.groups],
            "monitoring": {"state": "disabled"},
            "architecture": instance.architecture,
            "rootDeviceType": ROOT_DEVICE_TYPE,
            "rootDeviceName": ROOT,
            "virtualizationType": VIRTUALIZATION,
            "hypervisor": HYPERVISOR,
            "clientToken": instance.client_token,
            "reason": reason["message"] if reason else None,
            "stateReason": reason,
            **self.tags(details.tags),
        }

    def group(self, name: str) -> Content:
        return {"groupId": name, "groupName": name}

    def tags(self, tags: Mapping[str, str]) -> Content:
        if not tags:
            return {}
        return {"tagSet": [{"key": key, "value": value} for key, value in tags.items()]}

    def image_state(self, image: Image) -> str:
        return image.state if image.state in ("available", FAILED) else "pending"

    def image_more(self, image: Image) -> Content:
        return {
            "name": image.display_name,
            "creationDate": image.created_at,
            "sourceInstanceId": (
                None if image.instance_id is None else instance_ec2_id(image.instance_id)
            ),
            "rootDeviceType": ROOT_DEVICE_TYPE,
            "virtualizationType": VIRTUALIZATION,
            "hypervisor": HYPERVISOR,
        }

    def key_pair(self, pair: KeyPair) -> Content:
        return {
            "keyPairId": key_pair_ec2_id(pair.id or 0),
            "keyName": pair.name,
            "keyFingerprint": pair.fingerprint,
        }

    def key_pair_more(self, pair: KeyPair) -> Content:
        return {"keyType": pair.key_type, "createTime": pair.created_at}

    def key_pair_gone(self, key_pair_id: int | None) -> Content:
        return {} if key_pair_id is None else {"keyPairId": key_pair_ec2_id(key_pair_id)}

    def zone_state(self, available: bool) -> str:
        return "available" if available else "unavailable"

    def zone_more(self, zone: Zone) -> Content:
        return {
            "zoneId": zone.name,
            "zoneType": "availability-zone",
            "groupName": zone.region,
            "networkBorderGroup": zone.region,
            "optInStatus": NOT_REQUIRED,
            "messageSet": [],
        }

    def region_more(self) -> Content:
        return {"optInStatus": NOT_REQUIRED}

    def change(self, before: Instance, after: Instance) -> Content:
        # in AWS's order: Libcloud takes the first name there is
        return {"currentState": self.state(after), "previousState": self.state(before)}

    def terminated(self) -> Content:
        return {}


class Newish(New):
    """AWS's formats; what AWS has had since 2016 only, as Eucalyptus had it."""

    types_of_aws = False


def why(instance: Instance) -> dict[str, str] | None:
    """AWS's reason for the state of an instance: code and message."""
    if instance.state_description == states.ERROR:
        message = instance.reason or "The instance could not be started"
        return {"code": "Server.InternalError", "message": message}
    if instance.state_description in (states.TERMINATING, states.TERMINATED):
        message = "Client.UserInitiatedShutdown: User initiated shutdown"
        return {"code": "Client.UserInitiatedShutdown", "message": message}
    if instance.state_description == states.SHUTDOWN and instance.reason:
        return {"code": "Server.InternalError", "message": instance.reason}
    return None


def of(version: str) -> Dialect:
    """The dialect of a request's C{Version}; what is no date is new."""
    if not _DATE.match(version):
        return New()
    return Old() if version < _FIRST_NEW else Newish() if version < _LATEST else New()
