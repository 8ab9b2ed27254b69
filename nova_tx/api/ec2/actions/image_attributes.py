"""
Actions on attributes of images: texts, and who may launch them.       [spec/02 section 6]

UpdateImage is Nova's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, SYSADMIN, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.api.ec2.faults import InvalidCombination
from nova_tx.context import RequestContext
from nova_tx.errors import InvalidInput, InvalidLaunchPermission
from nova_tx.ids import check_image_id
from nova_tx.model.images import Image, ImageChange

LAUNCH_PERMISSION, DESCRIPTION = "launchPermission", "description"
#: The group of everybody; there is no other.
_ALL = "all"


def _value(text: str | None) -> Content:
    return {} if text is None else {"value": text}


def _permissions(image: Image) -> list[Content]:
    said: list[Content] = [{"userId": project} for project in image.launch_projects]
    return [{"group": _ALL}, *said] if image.is_public else said


#: What is said of an attribute; an image has no devices and no product codes.
_ATTRIBUTES: dict[str, Callable[[Image], object]] = {
    LAUNCH_PERMISSION: _permissions,
    DESCRIPTION: lambda image: _value(image.description),
    "kernel": lambda image: _value(image.kernel_id),
    "ramdisk": lambda image: _value(image.ramdisk_id),
    "blockDeviceMapping": lambda image: [],
    "productCodes": lambda image: [],
}


class DescribeImageAttribute(Action):
    """Show one attribute of an image; who else may launch it, its owner is told alone."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params:
        image_id: str = schema.value("ImageId", of=check_image_id, required=True)
        attribute: str = schema.text("Attribute", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        said = _ATTRIBUTES.get(params.attribute)
        if said is None:
            raise _unknown(params.attribute)
        image = await self.operations.images.show(context, params.image_id)
        return {"imageId": image.id, params.attribute: said(image)}


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Who may launch an image: a group, or a project."""

    group: str | None = schema.text("Group")
    user: str | None = schema.text("UserId")


class ModifyImageAttribute(Action):
    """
    Change the description of an image, or who may launch it.

    Permissions come in two forms: OperationType with UserId.N and UserGroup.N, and
    LaunchPermission.Add.N and .Remove.N; a description as itself, or as Attribute and Value.
    """

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params:
        image_id: str = schema.value("ImageId", of=check_image_id, required=True)
        attribute: str | None = schema.text("Attribute")
        operation: str | None = schema.text("OperationType")
        users: tuple[str, ...] = schema.texts("UserId")
        groups: tuple[str, ...] = schema.texts("UserGroup", "Group")
        value: str | None = schema.text("Value", blank=True)
        description: str | None = schema.text("Description.Value", "Description", blank=True)
        add: tuple[Permission, ...] = schema.structures("LaunchPermission.Add", of=Permission)
        remove: tuple[Permission, ...] = schema.structures("LaunchPermission.Remove", of=Permission)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        await self.operations.images.change(context, params.image_id, _wanted(params))
        return {"return": True}


class ResetImageAttribute(Action):
    """Take away all permissions to launch an image but its owner's."""

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params:
        image_id: str = schema.value("ImageId", of=check_image_id, required=True)
        attribute: str = schema.text("Attribute", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        if params.attribute != LAUNCH_PERMISSION:
            raise _unknown(params.attribute)
        await self.operations.images.change(context, params.image_id, ImageChange(reset=True))
        return {"return": True}


class UpdateImage(Action):
    """Change the texts that are shown of an image."""

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params:
        image_id: str = schema.value("ImageId", of=check_image_id, required=True)
        name: str | None = schema.text("DisplayName", blank=True)
        description: str | None = schema.text("Description", blank=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        wanted = ImageChange(display_name=params.name, description=params.description)
        await self.operations.images.change(context, params.image_id, wanted)
        return {"return": True}


def _unknown(attribute: str) -> InvalidInput:
    return InvalidInput(
        f"Value ({attribute}) for parameter attribute is invalid. Unknown attribute."
    )


def _wanted(params: ModifyImageAttribute.Params) -> ImageChange:
    """
    The one attribute that is to be changed, whatever form it came in.

    @raise InvalidCombination: none is, or several are.
    @raise InvalidInput, InvalidLaunchPermission: it can't be changed to that.
    """
    flat = bool(params.operation or params.users or params.groups)
    named = {
        LAUNCH_PERMISSION: flat or bool(params.add or params.remove),
        DESCRIPTION: params.value is not None or params.description is not None,
    }
    if params.attribute is not None:
        if params.attribute not in named:
            raise _unknown(params.attribute)
        named[params.attribute] = True
    found = [name for name, given in named.items() if given]
    if not found:
        raise InvalidCombination("No attributes specified.")
    if len(found) > 1:
        raise InvalidCombination("Fields for multiple attribute types specified.")
    if found == [DESCRIPTION]:
        return _description(params)
    return _launchers(params, flat)


def _description(params: ModifyImageAttribute.Params) -> ImageChange:
    texts = [text for text in (params.description, params.value) if text is not None]
    if len(texts) != 1:
        raise InvalidCombination("A description is to be given once.")
    return ImageChange(description=texts[0])


def _launchers(params: ModifyImageAttribute.Params, flat: bool) -> ImageChange:
    add, remove = params.add, params.remove
    if flat:
        if add or remove:
            raise InvalidCombination("OperationType and LaunchPermission can't be combined.")
        if params.operation not in ("add", "remove"):
            raise InvalidInput(
                f"Value ({params.operation}) for parameter operationType is invalid: add or remove"
            )
        given = (
            *(Permission(user=user) for user in params.users),
            *(Permission(group=group) for group in params.groups),
        )
        add, remove = (given, ()) if params.operation == "add" else ((), given)
    if not (add or remove):
        raise InvalidCombination("No user or group specified.")
    to_all, to_projects = _split(add)
    from_all, from_projects = _split(remove)
    return ImageChange(
        is_public=True if to_all else False if from_all else None,
        add=to_projects,
        remove=from_projects,
    )


def _split(permissions: tuple[Permission, ...]) -> tuple[bool, tuple[str, ...]]:
    """Whether everybody is meant, and the projects that are."""
    for each in permissions:
        if (each.group is None) == (each.user is None):
            raise InvalidCombination("A launch permission is a Group or a UserId.")
        if each.group not in (None, _ALL):
            raise InvalidLaunchPermission(
                f'Invalid attribute item value "{each.group}" for userGroup item type.'
            )
    projects = tuple(each.user for each in permissions if each.user is not None)
    return len(projects) < len(permissions), projects
