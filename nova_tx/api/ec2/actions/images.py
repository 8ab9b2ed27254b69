"""Actions on images.                                                   [spec/02 section 6]"""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, SYSADMIN, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.context import RequestContext
from nova_tx.errors import MissingParameter
from nova_tx.ids import check_image_id
from nova_tx.model import Image


class DescribeImages(Action):
    """List images."""

    roles = ALL
    ignored = ("MaxResults", "IncludeDeprecated", "IncludeDisabled")

    @dataclass(frozen=True, kw_only=True)
    class Params:
        ids: tuple[str, ...] = schema.values("ImageId", of=check_image_id)
        owners: tuple[str, ...] = schema.texts("Owner")
        users: tuple[str, ...] = schema.texts("ExecutableBy", "User")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        found = await self.operations.images.listed(context, params.ids)
        if dialect.selects_images:
            found = _owned(found, params.owners, context.project)
            found = _executable(found, params.users, context.project)
        return {"imagesSet": [_image(image, dialect) for image in found]}


class RegisterImage(Action):
    """Make an image of an uploaded bundle."""

    roles = SYSADMIN
    ignored = ("Architecture", "Description")

    @dataclass(frozen=True, kw_only=True)
    class Params:
        location: str | None = schema.text("ImageLocation", longest=1024)
        name: str | None = schema.text("Name", longest=1024)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        location = params.location or params.name
        if location is None:
            raise MissingParameter("The request must contain the parameter ImageLocation")
        return {"imageId": await self.operations.images.register(context, location)}


class DeregisterImage(Action):
    """Forget an image."""

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
    """Those that C{users} may start: C{all} is the public ones, a project its own."""
    wanted = {project if user == "self" else user for user in users}
    return tuple(
        image
        for image in found
        if not wanted or ("all" in wanted and image.is_public) or image.owner in wanted
    )


def _image(image: Image, dialect: Dialect) -> Content:
    reason: Content | None = None
    if image.state == "failed":
        message = image.state_reason or "The image could not be made"
        reason = {"code": "Server.InternalError", "message": message}
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
        "stateReason": reason,
    }
    content.update({name: value for name, value in further.items() if value is not None})
    return {**content, **dialect.image_more(image)}
