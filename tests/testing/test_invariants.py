"""The invariants of a cloud at rest, each broken once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_twisted
from sqlalchemy import Connection, insert, text
from twisted.internet import reactor

from nova_tx.context import RequestContext
from nova_tx.db import networks
from nova_tx.db.schema import images
from nova_tx.operations.instances import Wanted
from nova_tx.states import Power
from nova_tx.testing.cloud import MemoryCloud
from nova_tx.testing.invariants import Scene, faults
from nova_tx.virt.fake import FakeDriver

JOHN = RequestContext(user="john", project="physics")


@pytest_twisted.async_yield_fixture
async def cloud(tmp_path: Path):
    """A cloud with instance 1 that runs, and instance 2 that is terminated."""
    cloud = MemoryCloud(str(tmp_path), reactor, "--periodic_interval=3600")
    cloud.add_image()
    await cloud.parts.database.run(
        networks.create, cidr="10.0.0.0/29", count=1, size=8, bridge="br100", dns="8.8.4.4"
    )
    await cloud.open()
    operations = cloud.parts.operations
    await operations.instances.run(JOHN, Wanted("ami-tiny", max_count=2))
    await cloud.bus.idle()
    await operations.power.terminate(JOHN, [2])
    await cloud.bus.idle()
    yield cloud
    await cloud.close()


async def test_a_cloud_at_rest_is_sound(cloud: MemoryCloud, tmp_path: Path) -> None:
    """After a launch and a termination nothing disagrees."""
    assert await cloud.parts.database.read(faults, Scene.of(tmp_path)) == []


async def test_a_hypervisor_of_others_may_have_more_guests(
    cloud: MemoryCloud, tmp_path: Path
) -> None:
    """Guests may be given by name; one that has no name of ours is somebody else's."""
    guests = {"instance-00000001": Power.RUNNING, "firewall": Power.RUNNING}
    scene = Scene.of(tmp_path, guests=guests)
    assert await cloud.parts.database.read(faults, scene) == []


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE instances SET state_description = 'networking' WHERE id = 1", "is networking"),
        ("UPDATE instances SET state_description = 'imaging' WHERE id = 1", "is imaging"),
        ("UPDATE instances SET state_description = 'rescued' WHERE id = 1", "no disk for that"),
        ("UPDATE instances SET state = 4 WHERE id = 1", "its power state is 4"),
        ("UPDATE instances SET host = NULL WHERE id = 1", "has no host"),
        ("UPDATE instances SET state_description = 'error' WHERE id = 1", "nobody says why"),
        ("UPDATE instances SET terminated_at = NULL WHERE id = 2", "nobody says since when"),
        ("UPDATE fixed_ips SET allocated = 1 WHERE id = 6", "nobody has it"),
        ("UPDATE fixed_ips SET instance_id = 2 WHERE id = 6", "is not free"),
        (
            "UPDATE fixed_ips SET instance_id = 2, allocated = 1 WHERE id = 6",
            "of instance 2, which is terminated was not given back",
        ),
        ("UPDATE fixed_ips SET instance_id = NULL, allocated = 0", "is running with 0 addresses"),
        ("UPDATE fixed_ips SET instance_id = 1, allocated = 1", "of instance 1, which is running"),
        ("UPDATE instances SET deleted = 1 WHERE id = 1", "is running, and deleted"),
        ("UPDATE instances SET deleted = 0 WHERE id = 2", "is terminated, and not deleted"),
    ],
)
async def test_rows_that_disagree_are_found(
    cloud: MemoryCloud, tmp_path: Path, statement: str, sentence: str
) -> None:
    """A row that does not fit the others, or the guests, is told of."""

    def spoil(txn: Connection) -> None:
        txn.execute(text(statement))

    await cloud.parts.database.run(spoil)
    found = await cloud.parts.database.read(faults, Scene.of(tmp_path))
    assert any(sentence in each for each in found), found


def _switch_off(path: Path) -> None:
    driver = FakeDriver.__new__(FakeDriver)
    driver._path, driver._watchers = str(path / "instances"), []
    driver.switch_off("instance-00000001")


def _file(name: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"something")

    return make


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_switch_off, "its guest does not run"),
        (_file("instances/instance-00000001/disk.rescue"), "a disk of its rescue"),
        (_file("instances/_snapshots/instance-00000001.ami-some"), "left over"),
        (lambda path: shutil.rmtree(path / "instances" / "instance-00000001"), "no directory"),
        (_file("instances/instance-00000002/disk"), "its instance is terminated"),
        (_file("instances/instance-00000063/disk"), "its instance is None"),
        (_file("instances/instance-00000001/guest.json.new"), "left over"),
        (_file("instances/_base/ami-tiny+part"), "left over"),
        (_file("instances/_base/ami-some"), "its image has 5"),
        (_file("images/.new/ami-tiny/image.tar.gz"), "left over"),
        (_file("images/ami-stray/image"), "no image ami-stray"),
        (_file("images/ami-broken/image"), "no image ami-broken"),
        (_file("images/ami-some/image"), "not 5"),
        (_file("images/ami-some/other"), "more in"),
        (_file("buckets/.new/0123"), "left over"),
        (_file("buckets/stray/objects/=key"), "is no bucket"),
        (_file("buckets/stray/objects/=key"), "is no object"),
        (_file("networks/nova-br100.conf"), "the DHCP servers know"),
        (_file("networks/nova-br100.conf.new"), "left over"),
    ],
)
async def test_files_that_disagree_are_found(
    cloud: MemoryCloud, tmp_path: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    """A file too many, or one too few, is told of."""

    def register(txn: Connection) -> None:
        row = {"location": "b/m", "owner": "physics", "user_id": "john", "architecture": "x86_64"}
        row |= {"type": "machine", "display_name": "", "created_at": images_time, "deleted": False}
        row |= {"is_public": False}
        txn.execute(insert(images).values(id="ami-some", state="available", size=5, **row))
        txn.execute(insert(images).values(id="ami-broken", state="failed", **row))

    images_time = (await cloud.parts.operations.instances.listed(JOHN))[0].instance.created_at
    await cloud.parts.database.run(register)
    before = await cloud.parts.database.read(faults, Scene.of(tmp_path))
    assert len(before) == 2
    spoil(tmp_path)
    found = await cloud.parts.database.read(faults, Scene.of(tmp_path))
    assert any(sentence in each for each in found), found
