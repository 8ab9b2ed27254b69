"""Actions on attributes of instances.          [AWS API, "ModifyInstanceAttribute"; spec/15 A19]"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import SYSADMIN, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.api.ec2.faults import InvalidCombination, Unsupported
from nova_tx.block_devices import ROOT
from nova_tx.context import RequestContext
from nova_tx.errors import InvalidBlockDevices, InvalidInput, MissingParameter
from nova_tx.ids import instance_ec2_id, parse_instance_id
from nova_tx.model.instances import InstanceDetails
from nova_tx.operations.attributes import Attributes

#: What DescribeInstanceAttribute tells.
_SHOWN: dict[str, Callable[[InstanceDetails, Dialect], object]] = {
    "blockDeviceMapping": lambda each, dialect: (),  # of volumes, of which there are none
    "disableApiStop": lambda each, dialect: {"value": False},
    "disableApiTermination": lambda each, dialect: {"value": each.instance.disable_api_termination},
    "ebsOptimized": lambda each, dialect: {"value": False},
    "enaSupport": lambda each, dialect: {"value": False},
    "enclaveOptions": lambda each, dialect: {"enabled": False},
    "groupSet": lambda each, dialect: [dialect.group(name) for name in each.groups],
    "instanceInitiatedShutdownBehavior": lambda each, dialect: {
        "value": each.instance.shutdown_behavior
    },
    "instanceType": lambda each, dialect: {"value": each.instance.instance_type},
    "kernel": lambda each, dialect: {"value": each.instance.kernel_id},
    "productCodes": lambda each, dialect: (),
    "ramdisk": lambda each, dialect: {"value": each.instance.ramdisk_id},
    "rootDeviceName": lambda each, dialect: {"value": ROOT},
    "sriovNetSupport": lambda each, dialect: {},
    "userData": lambda each, dialect: {"value": each.instance.user_data},
}
#: Attributes of instances in a VPC.
_OF_VPCS = ("sourceDestCheck",)
#: Attributes that are off, and stay so.
_OFF = ("disableApiStop", "ebsOptimized", "enaSupport", "enclaveOptions")

_Set = Callable[[Attributes, RequestContext, int, str], Awaitable[None]]


async def _protect(
    attributes: Attributes, context: RequestContext, instance_id: int, value: str
) -> None:
    await attributes.protect(context, instance_id, _boolean("disableApiTermination", value))


#: Attributes that can be set, by the text that is given.
_SETTABLE: dict[str, _Set] = {
    "disableApiTermination": _protect,
    "instanceInitiatedShutdownBehavior": Attributes.set_behavior,
    "instanceType": Attributes.set_type,
    "kernel": Attributes.set_kernel,
    "ramdisk": Attributes.set_ramdisk,
    "userData": Attributes.set_user_data,
}


class DescribeInstanceAttribute(Action):
    """Tell one attribute of an instance."""

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params:
        id: int = schema.value("InstanceId", of=parse_instance_id, required=True)
        attribute: str = schema.text("Attribute", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        (found,) = await self.operations.instances.listed(context, (params.id,))
        if params.attribute in _OF_VPCS:
            raise _of_vpcs("describe", params.attribute)
        show = _SHOWN.get(params.attribute)
        if show is None:
            raise _unknown(params.attribute)
        return {"instanceId": instance_ec2_id(params.id), params.attribute: show(found, dialect)}


@dataclass(frozen=True, kw_only=True)
class MappedVolume:
    """Whether a volume goes with its instance."""

    device: str = schema.text("DeviceName", required=True)
    volume_id: str | None = schema.text("Ebs.VolumeId")
    delete_on_termination: bool | None = schema.boolean("Ebs.DeleteOnTermination")


class ModifyInstanceAttribute(Action):
    """
    Set one attribute of an instance, given as C{Attribute} and C{Value}, or by its own name.
    """

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params:
        id: int = schema.value("InstanceId", of=parse_instance_id, required=True)
        attribute: str | None = schema.text("Attribute")
        value: str | None = schema.value("Value", of=str, blank=True)
        api_stop: str | None = schema.text("DisableApiStop.Value")
        protected: str | None = schema.text("DisableApiTermination.Value")
        ebs_optimized: str | None = schema.text("EbsOptimized.Value")
        ena_support: str | None = schema.text("EnaSupport.Value")
        enclave: str | None = schema.text("EnclaveOptions.Enabled")
        behavior: str | None = schema.text("InstanceInitiatedShutdownBehavior.Value")
        type: str | None = schema.text("InstanceType.Value")
        kernel: str | None = schema.text("Kernel.Value")
        ramdisk: str | None = schema.text("Ramdisk.Value")
        source_check: str | None = schema.text("SourceDestCheck.Value")
        sriov: str | None = schema.text("SriovNetSupport.Value")
        user_data: str | None = schema.value("UserData.Value", of=str, blank=True)
        groups: tuple[str, ...] = schema.texts("GroupId")
        volumes: tuple[MappedVolume, ...] = schema.structures("BlockDeviceMapping", of=MappedVolume)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        name, value = _asked(params)
        await self.operations.instances.listed(context, (params.id,))
        set_to = _SETTABLE.get(name)
        if set_to is None:
            _leave(name, value)
        else:
            if not value and name != "userData":
                raise MissingParameter("The request must contain the parameter Value")
            await set_to(self.operations.attributes, context, params.id, value)
        return {"return": True}


class ResetInstanceAttribute(Action):
    """Set an attribute back to what the image says."""

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params:
        id: int = schema.value("InstanceId", of=parse_instance_id, required=True)
        attribute: str = schema.text("Attribute", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        await self.operations.instances.listed(context, (params.id,))
        match params.attribute:
            case "kernel":
                await self.operations.attributes.reset_kernel(context, params.id)
            case "ramdisk":
                await self.operations.attributes.reset_ramdisk(context, params.id)
            case "sourceDestCheck":
                raise _of_vpcs("reset", params.attribute)
            case name if name in _SHOWN:
                raise InvalidInput(f"The attribute {name} can't be reset")
            case name:
                raise _unknown(name)
        return {"return": True}


class UpdateInstance(Action):
    """Change the display name and the description of an instance."""

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params:
        id: int = schema.value("Ec2Id", of=parse_instance_id, required=True)
        name: str | None = schema.text("DisplayName")
        description: str | None = schema.text("DisplayDescription", blank=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        await self.operations.instances.listed(context, (params.id,))
        await self.operations.attributes.describe_as(
            context, params.id, params.name, params.description
        )
        return {"return": True}


def _asked(params: ModifyInstanceAttribute.Params) -> tuple[str, str]:
    """
    The one attribute that is to be set, and to what.

    @raise InvalidCombination: there is none, or more than one.
    """
    own = {
        "blockDeviceMapping": " ".join(each.device for each in params.volumes) or None,
        "disableApiStop": params.api_stop,
        "disableApiTermination": params.protected,
        "ebsOptimized": params.ebs_optimized,
        "enaSupport": params.ena_support,
        "enclaveOptions": params.enclave,
        "groupSet": " ".join(params.groups) or None,
        "instanceInitiatedShutdownBehavior": params.behavior,
        "instanceType": params.type,
        "kernel": params.kernel,
        "ramdisk": params.ramdisk,
        "sourceDestCheck": params.source_check,
        "sriovNetSupport": params.sriov,
        "userData": params.user_data,
    }
    asked = [(name, value) for name, value in own.items() if value is not None]
    # boto names blockDeviceMapping and groupSet besides giving them
    if params.attribute is not None and params.attribute not in dict(asked):
        asked.append((params.attribute, params.value or ""))
    if len(asked) != 1:
        what = "Fields for multiple attribute types specified" if asked else "No attributes"
        raise InvalidCombination(f"{what}: one attribute at a time can be modified")
    return asked[0]


def _leave(name: str, value: str) -> None:
    """
    Agree to what is so anyway.

    @raise NovaError: it can't be otherwise, in AWS's words.
    """
    if name in (*_OF_VPCS, "groupSet"):
        raise _of_vpcs("modify", name)
    if name in _OFF:
        if _boolean(name, value):
            raise Unsupported(f"{name} can't be switched on here")
        return
    if name == "sriovNetSupport":
        raise Unsupported("sriovNetSupport can't be switched on here")
    if name == "blockDeviceMapping":
        raise InvalidBlockDevices(f"No volume is mapped at {value}")
    if name in _SHOWN:
        raise InvalidInput(f"The attribute {name} can't be modified")
    raise _unknown(name)


def _boolean(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise InvalidInput(f"Invalid value '{value[:255]}' for {name}: true or false")
    return value.lower() == "true"


def _of_vpcs(verb: str, name: str) -> InvalidCombination:
    return InvalidCombination(f"You may only {verb} the {name} attribute for VPC instances")


def _unknown(name: str) -> InvalidInput:
    return InvalidInput(f"Value ({name}) for parameter attribute is invalid. Unknown attribute.")
