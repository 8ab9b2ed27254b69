"""
Daemons that die at each step of what users ask for, over a real RabbitMQ.

The steps are what the daemons count themselves (L{nova_tx.testing.crash}): a
new one is killed at like all others.  C{NOVA_TX_CRASH=all} kills after each
step, too, not only before it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from nova_tx.testing.crash_operations import OPERATIONS
from nova_tx.testing.crashing import CrashingCloud, Operation
from nova_tx.testing.daemons import free_plan

#: The file of the object of C{UploadInParts}.
PLACE = f"+{'p' * 64}/={'p' * 36}"
#: Steps without which an operation was not counted: their absence would make the test say nothing.
LANDMARKS = {
    "RunInstances": {
        "nova-api": ("transaction reserve", "send scheduler run_instance"),
        "nova-scheduler": ("transaction place", "acknowledge run_instance"),
        "nova-compute": ("Images.fetch", "VirtDriver.spawn", "acknowledge run_instance"),
        "nova-network": ("transaction allocate", "answer allocate_fixed_ip"),
        "nova-objectstore": ("answer HTTP",),
    },
    "TerminateInstances": {
        "nova-api": ("transaction request_termination",),
        "nova-compute": ("VirtDriver.destroy", "acknowledge terminate_instance"),
        "nova-network": ("transaction deallocate", "answer deallocate_fixed_ip"),
    },
    "RebootInstances": {
        "nova-api": ("transaction request_reboot",),
        "nova-compute": ("VirtDriver.reboot", "acknowledge reboot_instance"),
        "nova-network": ("answer allocate_fixed_ip",),
    },
    "StopInstances": {
        "nova-api": ("transaction request_stop",),
        "nova-compute": ("VirtDriver.stop", "acknowledge stop_instance"),
    },
    "StartInstances": {
        "nova-api": ("transaction request_start",),
        "nova-compute": ("VirtDriver.start", "acknowledge start_instance"),
        "nova-network": ("answer allocate_fixed_ip",),
    },
    "RescueInstance": {
        "nova-api": ("transaction request_rescue",),
        "nova-compute": ("Images.fetch", "VirtDriver.rescue", "acknowledge rescue_instance"),
    },
    "UnrescueInstance": {
        "nova-api": ("transaction request_unrescue",),
        "nova-compute": ("VirtDriver.unrescue", "acknowledge unrescue_instance"),
    },
    "CreateImage": {
        "nova-api": ("transaction request_image", "Images.announce"),
        "nova-compute": (
            *("VirtDriver.stop", "VirtDriver.snapshot", "VirtDriver.start", "Images.bring"),
            *("VirtDriver.discard", "acknowledge create_image"),
        ),
    },
    "RegisterImage": {
        "nova-api": ("Images.register",),
        "nova-objectstore": ("transaction register", "file os.rename images/*"),
    },
    "RegisterImage of a plain file": {
        "nova-api": ("Images.register",),
        "nova-objectstore": (
            *("transaction register", "run zstd -d", "run qemu-img info", "run qemu-img convert"),
            "file os.rename images/*",
        ),
    },
    "DeregisterImage": {
        "nova-api": ("Images.deregister",),
        "nova-objectstore": ("transaction delete", "file os.rmdir images/*"),
    },
    "PutObject": {"nova-objectstore": ("answer HTTP",)},
    "CompleteMultipartUpload": {
        "nova-objectstore": ("answer HTTP", f"file os.rename buckets/images/objects/{PLACE}")
    },
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashingCloud]:
    """A cloud of five daemons with an image."""
    cloud = CrashingCloud(tmp_path_factory.mktemp("crash") / "cloud")
    try:
        cloud.up(free_plan(cloud.directory))
        cloud.publish_image("disk", b"the root disk" * 10_000)
        yield cloud
    finally:
        cloud.close()


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.name)
def test_whoever_dies_wherever_all_is_settled(cloud: CrashingCloud, kind: type[Operation]) -> None:
    """After the death of any daemon at any step, and its return, all agrees and is at rest."""
    operation = kind()
    deaths = cloud.deaths(operation, os.environ.get("NOVA_TX_CRASH") == "all")
    for daemon, steps in LANDMARKS[operation.name].items():
        assert set(steps) <= {each.step for each in deaths if each.daemon == daemon}, daemon
    assert cloud.die_of_all(operation, deaths) == []
