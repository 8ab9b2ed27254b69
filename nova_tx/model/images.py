"""
Facts of images.

Facts are what rooms hand to each other: frozen, without behaviour.  Times are naive UTC
C{datetime}s; sizes say their unit in the name; an address or a network is text
(C{10.0.0.3}, C{10.0.0.0/24}).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

#: What an image can be for.
ARCHITECTURES = ("i386", "x86_64")
#: In the place of a kernel's id: the image is one.                     [spec/04 section 4]
ITSELF = "true"


@dataclass(frozen=True)
class Image:
    """
    An image in the registry.

    @ivar location: C{bucket/manifest} it was registered from, C{owner/name} if from none.
    @ivar type: machine, kernel or ramdisk.
    @ivar state: pending; decrypting and untarring of a bundle, copying and converting of a plain
        file; uploading to where images are kept elsewhere; available or failed.
    @ivar state_reason: why it failed, for its owner to read.
    @ivar size: bytes of the image file, None until available.
    @ivar progress: per cent of its making that are done, None if that is not known or over.
    @ivar instance_id: the instance whose disk it is, None if it was registered.
    @ivar launch_projects: projects that may launch it beside its owner: all of them as its
        owner sees it, oneself at most as others do.
    """

    id: str
    location: str
    owner: str
    is_public: bool
    architecture: str
    type: str
    state: str
    state_reason: str | None
    kernel_id: str | None
    ramdisk_id: str | None
    display_name: str
    description: str | None
    size: int | None
    instance_id: int | None = None
    created_at: datetime | None = None
    launch_projects: tuple[str, ...] = ()
    progress: int | None = None


@dataclass(frozen=True)
class NewImage:
    """
    What is to be registered.

    What a bundle's manifest says too, counts as it is said here; None leaves it to the manifest.

    @ivar location: C{bucket/key} of a bundle's manifest, or of the image itself.
    @ivar name: empty for none; one it has alone among its project's.
    @ivar architecture: one of L{ARCHITECTURES}.
    @ivar kernel_id: the kernel to boot it with, L{ITSELF} if it is one.
    @ivar ramdisk_id: the same of the ramdisk.
    @ivar tags: that its project gives it.
    """

    location: str
    name: str = ""
    description: str | None = None
    architecture: str | None = None
    kernel_id: str | None = None
    ramdisk_id: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def type(self) -> str:
        """machine, kernel or ramdisk."""
        if ITSELF not in (self.kernel_id, self.ramdisk_id):
            return "machine"
        return "kernel" if self.kernel_id == ITSELF else "ramdisk"


@dataclass(frozen=True)
class ImageChange:
    """
    What is to be another way with an image; None and nothing leave it as it is.

    @ivar is_public: everybody may launch it.
    @ivar add: projects that may launch it, too.
    @ivar remove: projects that may not any more; one in both lists may.
    @ivar reset: first, nobody may but its owner.
    """

    display_name: str | None = None
    description: str | None = None
    is_public: bool | None = None
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    reset: bool = False


@dataclass(frozen=True)
class ImageSource:
    """
    An instance whose disk becomes an image, and what the image has of it.

    @ivar tags: that its project gives the image.
    """

    instance_id: int
    kernel_id: str | None
    ramdisk_id: str | None
    architecture: str
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class AwaitedImage:
    """
    An image whose file a compute host is to bring.

    @ivar host: where the instance is, None if it is nowhere.
    @ivar user_id: who asked for it, in project C{project_id}.
    @ivar since: when it was announced.
    """

    image_id: str
    instance_id: int
    host: str | None
    user_id: str
    project_id: str
    since: datetime | None = field(default=None, compare=False)
