"""What instances are filtered by.                             [AWS API, "DescribeInstances"]"""

from __future__ import annotations

from collections.abc import Iterable

from nova_tx.api.ec2 import dialect
from nova_tx.api.ec2.listing import Noun, Values
from nova_tx.block_devices import ROOT
from nova_tx.ids import instance_ec2_id
from nova_tx.model.instances import InstanceDetails

#: Filters look at what new clients are told.
_SAID = dialect.New()

#: Filters that AWS documents, on what no instance of this cloud has.
_NOTHING = (
    *("affinity", "availability-zone-id", "boot-mode", "capacity-reservation-id"),
    *("block-device-mapping.attach-time", "block-device-mapping.delete-on-termination"),
    *("block-device-mapping.device-name", "block-device-mapping.status"),
    *("block-device-mapping.volume-id", "current-instance-boot-mode", "host-id"),
    *("iam-instance-profile.arn", "iam-instance-profile.id", "instance-lifecycle"),
    *("ipv6-address", "network-interface.network-interface-id", "network-interface.subnet-id"),
    *("network-interface.vpc-id", "outpost-arn", "placement-group-name"),
    *("placement-partition-number", "platform", "product-code", "product-code.type"),
    *("requester-id", "source-dest-check", "spot-instance-request-id", "subnet-id"),
    *("tpm-support", "vpc-id"),
)


def _nothing(details: InstanceDetails) -> Iterable[str | None]:
    return ()


def zone(details: InstanceDetails) -> Iterable[str | None]:
    """Its availability zone."""
    return (_SAID.zone(details),)


def state_code(details: InstanceDetails) -> Iterable[str | None]:
    """AWS's number of its state."""
    return (str(_SAID.state(details.instance)["code"]),)


def state_name(details: InstanceDetails) -> Iterable[str | None]:
    """AWS's name of its state."""
    return (str(_SAID.state(details.instance)["name"]),)


def _reason(part: str) -> Values[InstanceDetails]:
    return lambda each: ((dialect.why(each.instance) or {}).get(part),)


def _groups(details: InstanceDetails) -> Iterable[str | None]:
    return details.groups


_FILTERS: dict[str, Values[InstanceDetails]] = {
    **dict.fromkeys(_NOTHING, _nothing),
    "architecture": lambda each: (each.instance.architecture,),
    "availability-zone": zone,
    "client-token": lambda each: (each.instance.client_token,),
    "dns-name": lambda each: (each.floating_ip or each.fixed_ip,),
    "ebs-optimized": lambda each: ("false",),
    "ena-support": lambda each: ("false",),
    "enclave-options.enabled": lambda each: ("false",),
    "group-id": _groups,
    "group-name": _groups,
    "hibernation-options.configured": lambda each: ("false",),
    "hypervisor": lambda each: (dialect.HYPERVISOR,),
    "image-id": lambda each: (each.instance.image_id,),
    "instance-id": lambda each: (instance_ec2_id(each.instance.id),),
    "instance-state-code": state_code,
    "instance-state-name": state_name,
    "instance-type": lambda each: (each.instance.instance_type,),
    "instance.group-id": _groups,
    "instance.group-name": _groups,
    "ip-address": lambda each: (each.floating_ip,),
    "kernel-id": lambda each: (each.instance.kernel_id,),
    "key-name": lambda each: (each.instance.key_name,),
    "launch-index": lambda each: (str(each.instance.launch_index),),
    "launch-time": lambda each: (_SAID.time(each.instance.created_at),),
    "monitoring-state": lambda each: ("disabled",),
    "network-interface.addresses.association.public-ip": lambda each: (each.floating_ip,),
    "network-interface.addresses.private-ip-address": lambda each: (each.fixed_ip,),
    "network-interface.mac-address": lambda each: (each.instance.mac_address,),
    "network-interface.private-ip-address": lambda each: (each.fixed_ip,),
    "owner-id": lambda each: (each.instance.project_id,),
    "private-dns-name": lambda each: (each.fixed_ip,),
    "private-ip-address": lambda each: (each.fixed_ip,),
    "ramdisk-id": lambda each: (each.instance.ramdisk_id,),
    "reason": _reason("message"),
    "reservation-id": lambda each: (each.instance.reservation_id,),
    "root-device-name": lambda each: (ROOT,),
    "root-device-type": lambda each: (dialect.ROOT_DEVICE_TYPE,),
    "state-reason-code": _reason("code"),
    "state-reason-message": _reason("message"),
    "tenancy": lambda each: ("default",),
    "virtualization-type": lambda each: (dialect.VIRTUALIZATION,),
}

INSTANCES = Noun[InstanceDetails](
    key=lambda each: instance_ec2_id(each.instance.id),
    filters=_FILTERS,
    tags=lambda each: each.tags,
)
