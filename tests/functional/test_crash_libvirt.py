"""A compute worker that dies while QEMU's guests are built, switched and ended: a sample."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_tx.testing.crash import FILE
from nova_tx.testing.crash_operations import (
    CreateImage,
    Reboot,
    Rescue,
    Run,
    Start,
    Stop,
    Terminate,
    Unrescue,
)
from nova_tx.testing.crashing import CrashingCloud, Operation
from nova_tx.testing.daemons import free_plan
from nova_tx.testing.libvirtd_apart import libvirtd_apart

#: One name for the bridge, which only the namespace has.
BRIDGE = "brcrash"
#: Deaths in each operation; C{NOVA_TX_CRASH=all} dies at each step.
SAMPLE = 3


@pytest.fixture(scope="module")
def cloud() -> Iterator[CrashingCloud]:
    """A cloud with guests of QEMU, and an image that boots nothing."""
    # libvirt's sockets need a short path
    directory = Path(tempfile.mkdtemp(prefix="nova-crash-"))
    directory.chmod(0o755)
    with libvirtd_apart(directory / "lv", BRIDGE) as libvirtd:
        cloud = CrashingCloud(
            directory / "cloud",
            "--connection_type=libvirt",
            "--libvirt_type=qemu",
            f"--libvirt_uri={libvirtd.uri}",
            f"--flat_network_bridge={BRIDGE}",
            "--reboot_grace_seconds=0",
            libvirtd=libvirtd,
        )
        try:
            cloud.up(free_plan(cloud.directory))
            cloud.publish_image("empty", bytes(2**20))
            yield cloud
        finally:
            cloud.close()
    shutil.rmtree(directory)


KINDS = [Run, Reboot, Stop, Start, Rescue, Unrescue, CreateImage, Terminate]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_death_of_compute_loses_no_guest_and_leaves_none(
    cloud: CrashingCloud, kind: type[Operation]
) -> None:
    """After a death of nova-compute at a step of the hypervisor, all agrees and is at rest."""
    operation = kind()
    deaths = [
        each
        for each in cloud.deaths(operation, False)
        if each.daemon == "nova-compute" and not each.step.startswith(FILE)
    ]
    assert any(each.step.startswith("VirtDriver.") for each in deaths)
    if os.environ.get("NOVA_TX_CRASH") != "all":
        deaths = [deaths[at * len(deaths) // SAMPLE] for at in range(SAMPLE)]
    for death in deaths:
        print(death)  # shown if it fails
        cloud.die(operation, death)
