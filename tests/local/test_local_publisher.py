"""What uec-publish-tarball registers, in a cloud in memory."""

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nova_tx.image import manifest
from nova_tx.local import publish
from nova_tx.local.publish_command import TARBALL, main
from nova_tx.testing.objectstore import identity

FILES = ("a-vmlinuz", "a-initrd", "a-loader", "a.img")


@dataclass
class Cloud:
    """A cloud: objects of one bucket, locations by the ids of images, and who may launch them."""

    objects: dict[str, bytes] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    open: set[tuple[str, str]] = field(default_factory=set)

    def connect(self, environment: object) -> tuple[Any, Any]:
        """As L{nova_tx.local.clients.connect}."""
        bucket = SimpleNamespace(list=lambda prefix: [], new_key=self._key)
        s3 = SimpleNamespace(lookup=lambda name: bucket, get_bucket=lambda *_, **__: bucket)
        ec2 = SimpleNamespace(
            get_all_images=lambda owners: [],
            register_image=self._register,
            modify_image_attribute=self._open_to,
        )
        return ec2, s3

    def _key(self, name: str) -> Any:
        def send(path: str, **_: object) -> None:
            self.objects[name] = Path(path).read_bytes()

        return SimpleNamespace(set_contents_from_filename=send)

    def _register(self, name: str | None, image_location: str) -> str:
        image_id = f"ami-{len(self.images)}"
        self.images[image_id] = image_location
        return image_id

    def _open_to(self, image_id: str, what: str, how: str, **who: list[str]) -> None:
        assert (what, how) == ("launchPermission", "add")
        self.open |= {(image_id, each) for names in who.values() for each in names}

    def boots(self, name: str) -> tuple[str | None, str | None]:
        """Kernel and ramdisk, as the manifest of a file has them."""
        found = manifest.parse(self.objects[f"{name}.manifest.xml"])
        return found.kernel_id, found.ramdisk_id


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud whose novarc is sourced."""
    key, certificate = identity("joe")
    for name, content in (
        ("EC2_PRIVATE_KEY", key),
        ("EC2_CERT", certificate),
        ("EUCALYPTUS_CERT", identity("cloud")[1]),
    ):
        (tmp_path / name).write_bytes(content)
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("S3_URL", "http://127.0.0.1:1/")
    monkeypatch.setenv("EC2_ACCESS_KEY", "joe-access:joe")
    found = Cloud()
    monkeypatch.setattr(publish, "connect", found.connect)
    return found


@pytest.mark.parametrize(
    ("words", "published", "boots"),
    [
        ((), ["a-vmlinuz", "a-initrd", "a.img"], ("ami-0", "ami-1")),
        (("-l",), ["a-loader", "a-initrd", "a.img"], ("ami-0", "ami-1")),
        (("--kernel", "ami-k", "--ramdisk", "ami-r"), ["a.img"], ("ami-k", "ami-r")),
        (("--kernel=none", "--ramdisk=none"), ["a.img"], (None, None)),
        (("--kernel", "ami-k"), ["a-initrd", "a.img"], ("ami-k", "ami-0")),
        (("--kernel-file", "other"), ["other", "a-initrd", "a.img"], ("ami-0", "ami-1")),
        (("--rename-image", "b"), ["a-vmlinuz", "a-initrd", "b"], ("ami-0", "ami-1")),
    ],
)
def test_options(
    cloud: Cloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    published: list[str],
    boots: tuple[str | None, str | None],
) -> None:
    """Kernel and ramdisk are the tarball's, or those that are said; the image is to boot them."""
    monkeypatch.chdir(tmp_path)
    with tarfile.open("a.tar.gz", "w:gz") as archive:
        for name in (*FILES, "other"):
            Path(name).write_bytes(os.urandom(1000))
            if name in FILES:
                archive.add(name, name)
    more = ("--quiet", "--add-launch", "eve", "-d", str(tmp_path / "kept"))
    assert main([TARBALL, *more, *words, "a.tar.gz", "bucket", "amd64"]) == 0
    assert list(cloud.images.values()) == [f"bucket/{each}.manifest.xml" for each in published]
    *others, image_id = cloud.images
    assert cloud.boots(published[-1]) == boots
    kernel, ramdisk = (each or "none" for each in boots)
    said = capsys.readouterr().out
    assert said == f'emi="{image_id}"; eri="{ramdisk}"; eki="{kernel}";\n'
    assert cloud.open == {(each, "eve") for each in (*others, image_id)}
