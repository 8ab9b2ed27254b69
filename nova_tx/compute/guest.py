"""
What a row is to a hypervisor.                                         [spec/07 sections 3, 6, 8]
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from nova_tx import block_devices
from nova_tx.model.guests import BootFiles, GuestSpec
from nova_tx.model.instances import Instance
from nova_tx.model.networks import Nic

_NUMBER = re.compile(r"%0?\d*([dx])")


@dataclass(frozen=True)
class Places:
    """
    Names and paths of this host's guests.

    @ivar template: C{instance_name_template}.
    """

    template: str
    instances_path: str

    def name(self, instance_id: int) -> str:
        """The hypervisor's name of an instance."""
        return self.template % instance_id

    def directory(self, name: str) -> str:
        """Where a guest's files are."""
        return os.path.join(self.instances_path, name)

    def instance_id(self, name: str) -> int | None:
        """The instance that a guest belongs to by its name; None: it is no guest of ours."""
        number = _NUMBER.search(self.template)
        if number is None:
            return None
        start, end = number.span()
        tail = len(name) - len(self.template) + end
        try:
            found = int(name[start:tail], 16 if number[1] == "x" else 10)
        except ValueError:
            return None
        return found if self.name(found) == name else None


def image_ids(instance: Instance, null_kernel: str) -> tuple[str, str | None, str | None]:
    """Image, kernel and ramdisk of an instance."""
    return boot_ids(instance.image_id, instance.kernel_id, instance.ramdisk_id, null_kernel)


def boot_ids(
    image: str, kernel: str | None, ramdisk: str | None, null_kernel: str
) -> tuple[str, str | None, str | None]:
    """Image, kernel and ramdisk; a disk that boots by itself has neither of the last two."""
    kernel = kernel if kernel not in ("", null_kernel) else None
    return image, kernel, (ramdisk or None) if kernel else None


def guest(
    instance: Instance, nic: Nic, files: BootFiles, places: Places, minimum_root_size: int
) -> GuestSpec:
    """
    All that the driver may know.

    @param minimum_root_size: bytes that root disks are grown to; m1.tiny's is
        left as the image is.                                  [spec/07 section 6]
    """
    name = places.name(instance.id)
    device = block_devices.ephemeral(instance.block_devices)
    return GuestSpec(
        name=name,
        directory=places.directory(name),
        image=files.image,
        kernel=files.kernel,
        ramdisk=files.ramdisk,
        memory_mb=instance.memory_mb,
        vcpus=instance.vcpus,
        root_bytes=0 if instance.instance_type == "m1.tiny" else minimum_root_size,
        local_gb=instance.local_gb if device else 0,
        nics=(nic,),
        local_device=block_devices.target(device or block_devices.DEFAULT),
    )
