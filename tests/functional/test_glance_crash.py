"""
Daemons that die while they bring images to Debian's Glance.

Steps on files, and those before a copy of a disk is brought, are the same with
each image service: L{test_crash} has them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from nova_tx.image.glance_ids import to_uuid
from nova_tx.testing.crash import FILE
from nova_tx.testing.crash_operations import CreateImage, Register
from nova_tx.testing.crashing import CrashingCloud, Death
from nova_tx.testing.daemons import free_plan
from nova_tx.testing.glance_server import GlanceServer
from nova_tx.testing.ports import free_port

#: Two pieces of it are sent one after the other.
CONTENT = b"the root disk" * 30_000
LANDMARKS = {
    "RegisterImage": (
        *("transaction register", "transaction again", "transaction advance"),
        *("Glance.create", "Glance.upload", "send a piece", "transaction settle"),
    ),
    "CreateImage": (
        *("Images.bring", "Glance.create", "Glance.upload", "send a piece"),
        *("transaction settle", "VirtDriver.discard", "acknowledge create_image"),
    ),
}


class GlanceCloud(CrashingCloud):
    """A cloud whose images are in a Glance of its own."""

    glance: GlanceServer

    def clear(self) -> None:
        """Have no image but the one to boot from."""
        for each in self.ec2.describe_images()["Images"]:
            if each["ImageId"] != self.image:
                self.ec2.deregister_image(ImageId=each["ImageId"])

    def disagreements(self, accepted: str, content: bytes) -> Iterator[str]:
        """What is not as it should be of images of which one, that was just made, has a content."""
        for image_id, state in self.image_states().items():
            yield f"image {image_id} has a row still, and is {state}"
        images = {each["ImageId"]: each for each in self.ec2.describe_images()["Images"]}
        files = {each.name: each for each in (self.glance.directory / "files").iterdir()}
        if files.keys() != {to_uuid(each) for each in images}:
            yield f"there are files of {sorted(files)}, and images {sorted(images)}"
            return
        made = images.keys() - {self.image}
        if len(made) > 1 or (accepted and made != {accepted}):
            yield f"there are images {sorted(made)}, and {accepted or 'none'} was accepted"
        for image_id in made:
            if (state := images[image_id]["State"]) != "available":
                yield f"image {image_id} is {state}"
            elif files[str(to_uuid(image_id))].read_bytes() != content:
                yield f"the file of image {image_id} is another"


class RegisterThere(Register):
    """RegisterImage."""

    accepted = ""

    def prepare(self, cloud: CrashingCloud) -> None:
        assert isinstance(cloud, GlanceCloud)
        cloud.clear()
        self.accepted = ""

    def perform(self, cloud: CrashingCloud) -> None:
        made = cloud.ec2.register_image(Name="again", ImageLocation="images/disk.manifest.xml")
        self.accepted = made["ImageId"]

    def complaints(self, cloud: CrashingCloud) -> Iterator[str]:
        """It is there, once and whole; or nobody ever heard of it."""
        assert isinstance(cloud, GlanceCloud)
        yield from cloud.disagreements(self.accepted, CONTENT)


class CreateThere(CreateImage):
    """CreateImage."""

    accepted = ""

    def prepare(self, cloud: CrashingCloud) -> None:
        assert isinstance(cloud, GlanceCloud)
        cloud.clear()
        self.accepted = ""
        super().prepare(cloud)

    def perform(self, cloud: CrashingCloud) -> None:
        made = cloud.ec2.create_image(InstanceId=self.ids[0], Name="a copy")
        self.accepted = made["ImageId"]

    def complaints(self, cloud: CrashingCloud) -> Iterator[str]:
        """It is there, once and whole."""
        assert isinstance(cloud, GlanceCloud)
        yield from super().complaints(cloud)
        disk = cloud.directory / "instances" / f"instance-{self.chosen:08x}" / "disk"
        yield from cloud.disagreements(self.accepted, disk.read_bytes())


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GlanceCloud]:
    """A cloud of five daemons with an image in Glance."""
    directory = tmp_path_factory.mktemp("glance-crash")
    server = GlanceServer(directory / "glance", free_port())
    flags = ("--glance_host=127.0.0.1", f"--glance_port={server.port}")
    cloud = GlanceCloud(directory / "cloud", "--image_service=glance", *flags)
    cloud.glance = server
    try:
        server.start()
        cloud.up(free_plan(cloud.directory))
        cloud.publish_image("disk", CONTENT)
        yield cloud
    finally:
        cloud.close()
        server.stop()


def _chosen(deaths: list[Death], daemon: str, since: str) -> list[Death]:
    """Those of one daemon that are no change of a file, from a step on; of the pieces two."""
    its = [each for each in deaths if each.daemon == daemon and not each.step.startswith(FILE)]
    began = next(at for at, each in enumerate(its) if each.step == since)
    return [each for each in its[began:] if each.step != "send a piece" or each.number <= 2]


@pytest.mark.parametrize(
    ("kind", "daemon", "since"),
    [
        (RegisterThere, "nova-objectstore", "transaction register"),
        (CreateThere, "nova-compute", "Images.bring"),
    ],
    ids=lambda each: getattr(each, "name", None),
)
def test_whoever_dies_there_is_one_image(
    cloud: GlanceCloud, kind: type[RegisterThere | CreateThere], daemon: str, since: str
) -> None:
    """After any of these deaths the image is in Glance, once and whole, and nothing else is."""
    operation = kind()
    found = cloud.deaths(operation, os.environ.get("NOVA_TX_CRASH") == "all")
    deaths = _chosen(found, daemon, since)
    assert set(LANDMARKS[operation.name]) <= {each.step for each in deaths}
    assert cloud.die_of_all(operation, deaths) == []
