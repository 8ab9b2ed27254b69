"""The manual's flags of guests and their images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from nova_tx.context import RequestContext
from nova_tx.errors import StartupError
from nova_tx.flags import Flags, LibvirtFlags
from nova_tx.image.glance import GlanceImages
from nova_tx.image.local import LocalImages
from nova_tx.image.objectstore import ObjectstoreImages
from nova_tx.operations.instances import Wanted
from nova_tx.states import Power
from nova_tx.taps.parts import Parts
from nova_tx.testing.database import memory_database
from nova_tx.testing.guests import guest_spec
from nova_tx.testing.runner import FakeRunner
from nova_tx.virt.fake import FakeDriver
from nova_tx.virt.libvirt import domains
from nova_tx.virt.libvirt.driver import LibvirtDriver

JOHN = RequestContext(user="john", project="physics")
MakeParts = Callable[..., Parts]


def test_j9_connection_type(parts: MakeParts) -> None:
    """Guests are that hypervisor's; one that is not there yet is refused."""
    assert isinstance(parts("--connection_type=fake").driver, FakeDriver)
    assert isinstance(parts("--connection_type=libvirt").driver, LibvirtDriver)
    with pytest.raises(StartupError, match="--connection_type 'xenapi'; there are: fake, libvirt"):
        _ = parts("--connection_type=xenapi").driver


async def test_j46_libvirt_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Domains are of that type."""
    flags = Flags.load(["--libvirt_type=qemu"], (LibvirtFlags,)).section(LibvirtFlags)
    driver = LibvirtDriver(reactor, FakeRunner(), flags)
    told: list[str] = []

    async def run(work: Any, *arguments: Any) -> Any:
        if work is domains.create:
            told.append(arguments[0])
        return Power.RUNNING if told else None

    monkeypatch.setattr(driver._thread, "run", run)
    await driver.spawn(guest_spec(tmp_path, "instance-00000001"))
    assert told[0].startswith('<domain type="qemu">')


async def test_j16_default_instance_type(cloud: Callable[..., Any]) -> None:
    """An instance whose type nobody says is of that one."""
    made = await cloud("--default_instance_type=m1.large")
    [found] = await made.parts.operations.instances.run(JOHN, Wanted("ami-tiny"))
    assert found.instance.instance_type == "m1.large"
    await made.bus.idle()


async def test_j61_null_kernel(cloud: Callable[..., Any]) -> None:
    """A kernel of that id is none: nothing is looked up or fetched."""
    made = await cloud("--null_kernel=raw")
    operations = made.parts.operations
    [found] = await operations.instances.run(JOHN, Wanted("ami-tiny", kernel_id="raw"))
    await made.bus.idle()
    [found] = await operations.instances.listed(JOHN, (found.instance.id,))
    assert found.instance.state_description == "running"


# Images.


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nova.image.s3.S3ImageService", ObjectstoreImages),
        ("nova.image.local.LocalImageService", LocalImages),
        ("nova.image.glance.GlanceImageService", GlanceImages),
    ],
)
def test_j44_image_service(parts: MakeParts, name: str, kind: type[object]) -> None:
    """Images are that service's."""
    assert isinstance(parts(f"--image_service={name}").images, kind)


def test_j88_use_s3(parts: MakeParts) -> None:
    """Files of images come from the objectstore, or from images_path; other services are alike."""
    assert isinstance(parts("--use_s3").images, ObjectstoreImages)
    assert isinstance(parts("--nouse_s3").images, LocalImages)
    assert isinstance(parts("--use_s3=0", "--image_service=glance").images, GlanceImages)


async def asked(parts: MakeParts, network: Any, *words: str) -> list[tuple[str, int]]:
    """Where images are looked for."""
    made = parts("--auth_driver=memory", *words, reactor=network)
    vars(made)["database"] = memory_database()
    await made.users.create_user("john", "key", "secret", False)
    await made.users.create_project("physics", "john", None)
    looking = Deferred.fromCoroutine(made.images.list(JOHN))  # type: ignore[arg-type]
    network.advance(0)
    found = [(host, port) for host, port, *_ in network.tcpClients]
    _ = looking.addErrback(lambda _: None)
    looking.cancel()
    return found


async def test_j38_glance_host(parts: MakeParts, nowhere: Any) -> None:
    """Glance is asked at that address."""
    words = ("--image_service=glance", "--glance_host=192.0.2.8")
    assert await asked(parts, nowhere(), *words) == [("192.0.2.8", 9292)]


async def test_j39_glance_port(parts: MakeParts, nowhere: Any) -> None:
    """Glance is asked at that port."""
    words = ("--image_service=glance", "--glance_port=9293")
    assert await asked(parts, nowhere(), *words) == [("127.0.0.1", 9293)]


async def test_j78_s3_host(parts: MakeParts, nowhere: Any) -> None:
    """The objectstore is asked at that address."""
    assert await asked(parts, nowhere(), "--s3_host=192.0.2.8") == [("192.0.2.8", 3333)]


async def test_j79_s3_port(
    parts: MakeParts, nowhere: Any, novarc: Callable[..., dict[str, str]]
) -> None:
    """The objectstore is asked at that port, and users are led there."""
    assert await asked(parts, nowhere(), "--s3_port=3334") == [("127.0.0.1", 3334)]
    assert novarc("--s3_port=3334")["S3_URL"] == "http://192.0.2.1:3334"
