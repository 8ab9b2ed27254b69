"""Actions on images.                                                   [spec/02 section 6]"""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, SYSADMIN, Action
from nova_tx.api.ec2.dialect import FAILED, Content, Dialect, New
from nova_tx.api.ec2.launch import BlockDevice
from nova_tx.api.ec2.listing import Listing, Noun, Values
from nova_tx.api.ec2.tagging import Tagged, pairs
from nova_tx.context import RequestContext
from nova_tx.errors import InvalidBlockDevices, MissingParameter
from nova_tx.ids import check_image_id, instance_ec2_id, parse_instance_id
from nova_tx.model.images import Image, NewImage

#: Filters on what images have elsewhere, and none has here: nothing passes.
_ABSENT = (
    *("block-device-mapping.delete-on-termination", "block-device-mapping.device-name"),
    *("block-device-mapping.encrypted", "block-device-mapping.snapshot-id"),
    *("block-device-mapping.volume-size", "block-device-mapping.volume-type"),
    *("ena-support", "owner-alias", "platform", "product-code", "product-code.type"),
    *("root-device-name", "source-image-id", "sriov-net-support"),
)


def _of_new(name: str) -> Values[Image]:
    """What a filter of today sees of what only today's clients are shown."""
    return lambda image: (str(New().image_more(image)[name]),)


def _reason(name: str) -> Values[Image]:
    return lambda image: ((_state_reason(image) or {}).get(name),)


IMAGES = Noun[Image](
    key=lambda image: image.id,
    filters={
        "architecture": lambda image: (image.architecture,),
        "creation-date": lambda image: (
            New().time(image.created_at) if image.created_at else None,
        ),
        "description": lambda image: (image.description,),
        "hypervisor": _of_new("hypervisor"),
        "image-id": lambda image: (image.id,),
        "image-type": lambda image: (image.type,),
        "is-public": lambda image: (str(image.is_public).lower(),),
        "kernel-id": lambda image: (image.kernel_id,),
        "manifest-location": lambda image: (image.location,),
        "name": lambda image: (image.display_name,),
        "owner-id": lambda image: (image.owner,),
        "public": lambda image: (str(image.is_public).lower(),),
        "ramdisk-id": lambda image: (image.ramdisk_id,),
        "root-device-type": _of_new("rootDeviceType"),
        "source-instance-id": lambda image: (
            instance_ec2_id(image.instance_id) if image.instance_id is not None else None,
        ),
        "state": lambda image: (New().image_state(image),),
        "state-reason-code": _reason("code"),
        "state-reason-message": _reason("message"),
        "virtualization-type": _of_new("virtualizationType"),
        **{name: lambda image: () for name in _ABSENT},
    },
)


class DescribeImages(Action):
    """List images."""

    roles = ALL
    ignored = ("IncludeDeprecated", "IncludeDisabled")

    @dataclass(frozen=True, kw_only=True)
    class Params(Listing):
        ids: tuple[str, ...] = schema.values("ImageId", of=check_image_id)
        owners: tuple[str, ...] = schema.texts("Owner")
        users: tuple[str, ...] = schema.texts("ExecutableBy", "User")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        found = await self.operations.images.listed(context, params.ids)
        if dialect.selects_images:
            found = _owned(found, params.owners, context.project)
            found = _executable(found, params.users, context.project)
        tags = await self.operations.tags.of(context, "image")
        noun = IMAGES.tagged(tags, lambda image: image.id)
        shown, more = noun.page(found, params, params.ids)
        return {
            "imagesSet": [
                {**_image(image, dialect), **dialect.tags(tags.get(image.id, {}))}
                for image in shown
            ],
            **more,
        }


class RegisterImage(Action):
    """Make an image of an uploaded bundle, or of a disk as it was uploaded."""

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params(Tagged):
        location: str | None = schema.text("ImageLocation", longest=255)
        name: str | None = schema.text("Name")
        description: str | None = schema.text("Description")
        architecture: str | None = schema.text("Architecture")
        kernel_id: str | None = schema.text("KernelId")
        ramdisk_id: str | None = schema.text("RamdiskId")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        location, name, description = params.location, params.name, params.description
        if not dialect.names_images:
            location, name, description = location or name, None, None
        if location is None:
            raise MissingParameter("The request must contain the parameter ImageLocation")
        new = NewImage(
            location,
            name or "",
            description,
            params.architecture,
            params.kernel_id,
            params.ramdisk_id,
            pairs(params.tag_specifications, "image"),
        )
        image_id = await self.operations.images.register(context, new)
        return {"imageId": image_id}


class CreateImage(Action):
    """Make an image of the root disk of an instance, and of that only: devices are refused."""

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params(Tagged):
        instance_id: int = schema.value("InstanceId", of=parse_instance_id, required=True)
        name: str = schema.text("Name", required=True)
        description: str | None = schema.text("Description")
        no_reboot: bool | None = schema.boolean("NoReboot")
        devices: tuple[BlockDevice, ...] = schema.structures("BlockDeviceMapping", of=BlockDevice)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        if params.devices:
            raise InvalidBlockDevices(
                "BlockDeviceMapping is not supported: an image holds the root disk of its instance "
                "and nothing else"
            )
        image_id = await self.operations.images.create(
            context,
            params.instance_id,
            params.name,
            params.description,
            bool(params.no_reboot),
            pairs(params.tag_specifications, "image", "snapshot"),
        )
        return {"imageId": image_id}


class DeregisterImage(Action):
    """Forget an image; instances that boot from it go on."""

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params:
        image_id: str = schema.value("ImageId", of=check_image_id, required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        await self.operations.images.deregister(context, params.image_id)
        return {"imageId": params.image_id, "return": True}


def _owned(
    found: tuple[Image, ...], owners: tuple[str, ...], project: str | None
) -> tuple[Image, ...]:
    wanted = {project if owner == "self" else owner for owner in owners}
    return tuple(image for image in found if not wanted or image.owner in wanted)


def _executable(
    found: tuple[Image, ...], users: tuple[str, ...], project: str | None
) -> tuple[Image, ...]:
    """
    Those that C{users} were given leave to start: C{all} is the public ones, C{self} the caller's.

    The leave that its owner has is not looked at.          [AWS API reference, ExecutableBy.N]
    """
    wanted = {project if user == "self" else user for user in users}
    return tuple(
        image
        for image in found
        if not wanted
        or ("all" in wanted and image.is_public)
        or not wanted.isdisjoint(image.launch_projects)
    )


def _state_reason(image: Image) -> dict[str, str] | None:
    """AWS's reason for the state of an image; of one that is made, how far that is."""
    if image.state == FAILED:
        message = image.state_reason or "The image could not be made"
        return {"code": "Server.InternalError", "message": message}
    if image.progress is not None:
        return {"code": "pending", "message": f"{image.state}: {image.progress}%"}
    return None


def _image(image: Image, dialect: Dialect) -> Content:
    content: Content = {
        "imageId": image.id,
        "imageLocation": image.location,
        "imageOwnerId": image.owner,
        "imageState": dialect.image_state(image),
        "isPublic": image.is_public,
        "architecture": image.architecture,
        "imageType": image.type,
    }
    further: Content = {
        "kernelId": image.kernel_id,
        "ramdiskId": image.ramdisk_id,
        "description": image.description,
        "stateReason": _state_reason(image),
    }
    content.update({name: value for name, value in further.items() if value is not None})
    return {**content, **dialect.image_more(image)}
