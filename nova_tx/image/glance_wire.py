"""
An image as Glance's API shows it, version 2.                    [Glance, "Image API v2"]

What Glance has no word for are properties that begin with C{ec2_}.  Who may
launch an image are its members, if it is C{shared}; only then it has any.  EC2's
may be public and opened to projects at once: then one of the properties says who.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nova_tx.image.glance_ids import from_uuid, to_uuid
from nova_tx.model.images import Image

#: An image as JSON has it.
Said = Mapping[str, Any]

PUBLIC, SHARED, PRIVATE = "public", "shared", "private"
#: Who knows the id of such an image may use it.
_COMMUNITY = "community"
_TO_ALL = (PUBLIC, _COMMUNITY)
_FORMATS = {"machine": ("raw", "bare"), "kernel": ("aki", "aki"), "ramdisk": ("ari", "ari")}
_RAW = (None, "raw", "ami", "aki", "ari")
_BARE = (None, "bare", "ami", "aki", "ari")
_STATES = {"active": "available", "deactivated": "failed", "killed": "failed"}
#: Words that are always there; the others come and go.
_LASTING = ("name", "visibility", "disk_format", "container_format")
#: Processors, as Glance's users call them.
_PROCESSORS = {"i686": "i386", "i386": "i386"}
#: Who may launch a public image, in JSON.
PROJECTS = "ec2_launch_projects"


def read(said: Said, members: tuple[str, ...] = ()) -> Image:
    """
    The image that Glance tells of.

    @param members: who it is shared with.
    @raise ValueError, TypeError, KeyError: it makes no sense.
    """
    owner, name = said.get("owner") or "", said.get("name") or ""
    image_id = from_uuid(said["id"])
    kind = {"aki": "kernel", "ari": "ramdisk"}.get(said.get("container_format") or "", "machine")
    state, reason = _state(said)
    instance, created = said.get("ec2_instance_id"), said.get("ec2_created_at")
    return Image(
        id=image_id,
        location=_text(said.get("ec2_location")) or f"{owner}/{name or image_id}"[:255],
        owner=_text(owner),
        is_public=said["visibility"] in _TO_ALL,
        architecture=_PROCESSORS.get(said.get("architecture") or "", "x86_64"),
        type=kind,
        state=state,
        state_reason=reason,
        kernel_id=_other(said, "kernel_id"),
        ramdisk_id=_other(said, "ramdisk_id"),
        display_name=_text(name),
        description=said.get("description"),
        size=said["size"] if state == "available" else None,
        instance_id=None if instance is None else int(instance),
        created_at=_time(created or said["created_at"]),
        launch_projects=tuple(sorted(_launchers(said, members))),
    )


def _launchers(said: Said, members: tuple[str, ...]) -> tuple[str, ...]:
    """Who may launch an image beside its owner, and beside all if it is public."""
    if said["visibility"] not in _TO_ALL:
        return members if said["visibility"] == SHARED else ()
    return tuple(map(_text, json.loads(said.get(PROJECTS) or "[]")))


def of_community(said: Said, project: str | None) -> bool:
    """Whether an image is there for who names it, and listed for its owner alone."""
    return bool(said.get("visibility") == _COMMUNITY and said.get("owner") != project)


def write(image: Image) -> dict[str, Any]:
    """What an image is to be in Glance: None is nothing."""
    disk_format, container_format = _FORMATS[image.type]
    return {
        **changeable(image),
        "disk_format": disk_format,
        "container_format": container_format,
        "architecture": image.architecture,
        "ec2_location": image.location,
        "ec2_kernel_id": image.kernel_id,
        "ec2_ramdisk_id": image.ramdisk_id,
        "ec2_instance_id": None if image.instance_id is None else str(image.instance_id),
        "ec2_created_at": None if image.created_at is None else image.created_at.isoformat(),
    }


def changeable(image: Image) -> dict[str, Any]:
    """As L{write}, of what may be changed."""
    return {
        "name": image.display_name or None,
        "visibility": visibility(image),
        "description": image.description,
        PROJECTS: json.dumps(image.launch_projects),
    }


def visibility(image: Image) -> str:
    """Who sees an image in Glance."""
    if image.is_public:
        return PUBLIC
    return SHARED if image.launch_projects else PRIVATE


def new(image: Image) -> dict[str, Any]:
    """What Glance is told of a new image."""
    said = {name: value for name, value in write(image).items() if value is not None}
    return {**said, "id": to_uuid(image.id), "owner": image.owner}


def patch(now: Said, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What makes of an image, as it is now, what is wanted.              [RFC 6902]"""
    found: list[dict[str, Any]] = []
    for name, value in wanted.items():
        there = now.get(name)
        if value == there:
            continue
        if value is None and name not in _LASTING:
            found.append({"op": "remove", "path": f"/{name}"})
        else:
            verb = "replace" if name in now else "add"
            found.append({"op": verb, "path": f"/{name}", "value": value})
    return found


def _state(said: Said) -> tuple[str, str | None]:
    state = _STATES.get(said["status"], "pending")
    if state == "failed":
        return state, f"it is {said['status']} in Glance"
    formats = said.get("disk_format"), said.get("container_format")
    if state == "available" and not (formats[0] in _RAW and formats[1] in _BARE):
        return "failed", f"it is in format {formats[0]}, {formats[1]}; only raw images boot here"
    return state, None


def _other(said: Said, name: str) -> str | None:
    """The kernel or ramdisk that goes with an image: as EC2 calls it, or else Glance."""
    ours, theirs = said.get(f"ec2_{name}"), said.get(name)
    if ours is None and theirs:
        return from_uuid(theirs)
    return None if ours is None else _text(ours)


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _text(value: object) -> str:
    if not isinstance(value, str | None):
        raise TypeError(f"{value!r} is no text")
    return value or ""
