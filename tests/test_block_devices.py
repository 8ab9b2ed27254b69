"""What may be mapped at launch, and what becomes of it."""

from __future__ import annotations

import pytest

from nova_tx.block_devices import Mapped, ephemeral, target, written
from nova_tx.errors import InvalidBlockDevices

E0 = "ephemeral0"


@pytest.mark.parametrize(
    ("mapping", "device"),
    [
        ((Mapped("/dev/sdc", E0),), "/dev/sdc"),
        ((Mapped("sdd", E0),), "/dev/sdd"),
        ((Mapped("/dev/sda2", E0),), "/dev/sda2"),
        ((Mapped("/dev/xvdb", nothing=True),), None),
        ((Mapped("/dev/sda2", nothing=True),), None),
        ((Mapped("/dev/sdx", nothing=True),), "/dev/sdb"),
        ((Mapped("/dev/sdb", nothing=True), Mapped("/dev/sdc", E0)), "/dev/sdc"),
        ((Mapped("/dev/sdc", E0), Mapped("/dev/sdb", nothing=True)), "/dev/sdc"),
    ],
)
def test_mapped(mapping: tuple[Mapped, ...], device: str | None) -> None:
    """The second disk is where it was asked for, or left out; what was never there may be, too."""
    assert ephemeral(written(mapping, 20)) == device


def test_not_mapped() -> None:
    """Without a mapping nothing is kept, and the disk is where it always is."""
    assert written((), 20) is None
    assert ephemeral(None) == "/dev/sdb"


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        ((Mapped("/dev/sda1", E0),), "the image's"),
        ((Mapped("/dev/sda", nothing=True),), "the image's"),
        ((Mapped("/dev/../sdb", E0),), "not /dev/sdb"),
        ((Mapped("", E0),), "not /dev/sdb"),
        ((Mapped("/dev/sdb\n", E0),), "not /dev/sdb"),
        ((Mapped("/dev/sdb", volume=True),), "volumes"),
        ((Mapped("/dev/sdb", E0, volume=True),), "volumes"),
        ((Mapped("/dev/sdb", "ephemeral1"),), "all that can"),
        ((Mapped("/dev/sdb", "swap"),), "all that can"),
        ((Mapped("/dev/sdb"),), "all that can"),
        ((Mapped("/dev/sdb", E0), Mapped("/dev/vdb", nothing=True)), "mapped twice"),
        ((Mapped("/dev/sdb", E0), Mapped("/dev/sdc", E0)), "mapped to /dev/sdb"),
    ],
)
def test_refused(mapping: tuple[Mapped, ...], why: str) -> None:
    """What no instance can have is refused, not passed over."""
    with pytest.raises(InvalidBlockDevices, match=why):
        written(mapping, 20)


def test_no_second_disk() -> None:
    """A type without a second disk has none to map, but it may be left out."""
    with pytest.raises(InvalidBlockDevices, match="of this type"):
        written((Mapped("/dev/sdb", E0),), 0)
    assert ephemeral(written((Mapped("/dev/sdb", nothing=True),), 0)) is None


def test_targets() -> None:
    """A virtio disk has the letter of its device; 2011's name is the default's."""
    named = ("/dev/sdc", "/dev/vdd", "xvde", "/dev/sda2")
    assert [target(each) for each in named] == ["vdc", "vdd", "vde", "vdb"]
