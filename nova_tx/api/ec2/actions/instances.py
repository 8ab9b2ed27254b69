"""Actions on instances.                                                [spec/02 section 6]"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, SYSADMIN, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.api.ec2.faults import InvalidCombination
from nova_tx.api.ec2.instance_filters import INSTANCES
from nova_tx.api.ec2.launch import AsAnyway, BlockDevice
from nova_tx.api.ec2.listing import Listing
from nova_tx.api.ec2.tagging import Tagged, pairs
from nova_tx.context import RequestContext
from nova_tx.ids import check_image_id, instance_ec2_id, parse_instance_id
from nova_tx.model.instances import Instance, InstanceDetails
from nova_tx.operations.instances import Wanted


class RunInstances(Action):
    """Start a reservation."""

    roles = SYSADMIN
    ignored = ("AddressingType", "EbsOptimized", "Monitoring", "SubnetId")

    @dataclass(frozen=True, kw_only=True)
    class Params(Tagged, AsAnyway):
        image_id: str = schema.value("ImageId", of=check_image_id, required=True)
        min_count: int | None = schema.integer("MinCount")
        max_count: int | None = schema.integer("MaxCount")
        instance_type: str | None = schema.text("InstanceType")
        kernel_id: str | None = schema.text("KernelId")
        ramdisk_id: str | None = schema.text("RamdiskId")
        key_name: str | None = schema.text("KeyName")
        security_groups: tuple[str, ...] = schema.texts("SecurityGroup", "SecurityGroupId")
        user_data: str | None = schema.value("UserData", of=str)
        availability_zone: str | None = schema.text("Placement.AvailabilityZone")
        display_name: str | None = schema.text("DisplayName")
        display_description: str | None = schema.text("DisplayDescription")
        client_token: str | None = schema.text("ClientToken", longest=64)
        disable_api_termination: bool | None = schema.boolean("DisableApiTermination")
        shutdown_behavior: str | None = schema.text("InstanceInitiatedShutdownBehavior")
        block_devices: tuple[BlockDevice, ...] = schema.structures(
            "BlockDeviceMapping", of=BlockDevice
        )

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        reserved = await self.operations.instances.run(
            context,
            Wanted(
                image_id=params.image_id,
                min_count=params.min_count,
                max_count=params.max_count,
                instance_type=params.instance_type,
                kernel_id=params.kernel_id,
                ramdisk_id=params.ramdisk_id,
                key_name=params.key_name,
                security_groups=params.security_groups,
                user_data=params.user_data,
                availability_zone=params.availability_zone,
                display_name=params.display_name,
                display_description=params.display_description,
                disable_api_termination=bool(params.disable_api_termination),
                shutdown_behavior=params.shutdown_behavior,
                block_devices=tuple(each.mapped for each in params.block_devices),
                tags=pairs(params.tag_specifications, "instance"),
            ),
            params.client_token,
        )
        return _reservation(context, reserved, dialect)


class DescribeInstances(Action):
    """List instances by reservation."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params(Listing):
        ids: tuple[int, ...] = schema.values("InstanceId", of=parse_instance_id)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        seen = await self.operations.instances.listed(context, params.ids)
        found, more = INSTANCES.page(seen, params, params.ids)
        reservations: dict[str, list[InstanceDetails]] = defaultdict(list)
        for each in found:
            reservations[each.instance.reservation_id].append(each)
        return {
            "reservationSet": [
                _reservation(context, members, dialect) for members in reservations.values()
            ],
            **more,
        }


class GetConsoleOutput(Action):
    """What a guest last wrote to its console."""

    roles = SYSADMIN
    ignored = ("Latest",)

    @dataclass(frozen=True, kw_only=True)
    class Params:
        ids: tuple[int, ...] = schema.values("InstanceId", of=parse_instance_id, required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        if len(params.ids) != 1:
            raise InvalidCombination("The console of one instance at a time can be read")
        when, output = await self.operations.instances.console(context, params.ids[0])
        return {
            "instanceId": instance_ec2_id(params.ids[0]),
            "timestamp": when,
            "output": base64.b64encode(output).decode(),
        }


def _reservation(
    context: RequestContext, members: Sequence[InstanceDetails], dialect: Dialect
) -> Content:
    first = members[0].instance
    return {
        "ownerId": first.project_id,
        "groupSet": [dialect.group(name) for name in _groups(members)],
        "reservationId": first.reservation_id,
        "instancesSet": [_instance(context, each, dialect) for each in members],
    }


def _groups(members: Sequence[InstanceDetails]) -> list[str]:
    return list(dict.fromkeys(name for each in members for name in each.groups))


def _instance(context: RequestContext, details: InstanceDetails, dialect: Dialect) -> Content:
    instance: Instance = details.instance
    return {
        "displayDescription": instance.display_description,
        "displayName": instance.display_name,
        "keyName": dialect.key_name(instance, context.is_admin),
        "instanceId": instance_ec2_id(instance.id),
        "instanceState": dialect.state(instance),
        **dialect.public_name(details),
        "imageId": instance.image_id,
        "productCodesSet": None,
        "privateDnsName": details.fixed_ip,
        "dnsName": details.floating_ip or details.fixed_ip,
        "launchTime": instance.created_at,
        "placement": {"availabilityZone": dialect.zone(details)},
        "amiLaunchIndex": instance.launch_index,
        "instanceType": instance.instance_type,
        **dialect.more(details),
    }
