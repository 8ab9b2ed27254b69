"""
Instance-store devices: what RunInstances may map, and what becomes of it.

An instance has one, C{ephemeral0}: its second, empty disk.  It may have another
device name, or be left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from nova_tx.errors import InvalidBlockDevices

#: The device of the root disk, as EC2 calls it.
ROOT = "/dev/sda1"
#: The only instance-store device, and where it is unless it is mapped elsewhere.
EPHEMERAL = "ephemeral0"
DEFAULT = "/dev/sdb"
#: Where the metadata service has always said it is.        [spec/03 section 4]
OF_2011 = "/dev/sda2"

_NAME = re.compile(r"/dev/(?:sd|hd|vd|xvd)([b-z])\Z")


@dataclass(frozen=True)
class Mapped:
    """
    One entry of a block device mapping.

    @ivar volume: it says something of a volume.
    @ivar nothing: the device that would be there is left out.
    """

    device: str
    virtual_name: str | None = None
    volume: bool = False
    nothing: bool = False


def written(mapping: Iterable[Mapped], local_gb: int) -> str | None:
    """
    What a row keeps of a mapping; None if there is none.

    @param local_gb: size of the instance's second disk.
    @raise InvalidBlockDevices: no instance of this cloud can have such devices.
    """
    used: set[str] = set()
    chosen = None
    left_out = False
    for each in mapping:
        letter = _letter(each.device)
        if letter in used:
            raise _refused(each.device, "it is mapped twice")
        used.add(letter)
        if each.volume:
            raise _refused(each.device, "volumes can't be mapped at launch")
        if each.nothing:
            left_out = left_out or letter == _letter(DEFAULT)
            continue
        if each.virtual_name != EPHEMERAL:
            raise _refused(each.device, f"all that can be mapped is {EPHEMERAL}")
        if not local_gb:
            raise _refused(each.device, f"instances of this type have no {EPHEMERAL}")
        if chosen is not None:
            raise _refused(each.device, f"{EPHEMERAL} is mapped to {chosen}")
        chosen = _full(each.device)
    if not used:
        return None
    return json.dumps({EPHEMERAL: chosen or (None if left_out else DEFAULT)})


def ephemeral(block_devices: str | None) -> str | None:
    """The device of C{ephemeral0}, such as C{/dev/sdb}; None: the instance is to have none."""
    if block_devices is None:
        return DEFAULT
    found = json.loads(block_devices)[EPHEMERAL]
    return None if found is None else str(found)


def target(device: str) -> str:
    """What a virtio disk is called that is wanted at a device: /dev/sdc is vdc."""
    return "vd" + _letter(device)


def _full(device: str) -> str:
    return device if device.startswith("/dev/") else f"/dev/{device}"


def _letter(device: str) -> str:
    full = _full(device)
    found = _NAME.match(DEFAULT if full == OF_2011 else full)
    if found is None:
        raise _refused(device, f"it is not {DEFAULT} or a later disk; {ROOT} is the image's")
    return found[1]


def _refused(device: str, why: str) -> InvalidBlockDevices:
    return InvalidBlockDevices(f"Invalid device {device}: {why}")
