"""uec-publish-tarball and uec-publish-image against a real cloud whose objectstore is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_tx.local.publish_command import IMAGE, INTERRUPTED, TARBALL
from nova_tx.testing.daemons import Daemons, free_plan, until

IDS = re.compile(r'emi="(ami-\w+)"; eri="(ami-\w+)"; eki="(ami-\w+)";')
#: Twelve parts of ten MiB.
DISK = 119 * 2**20 + 5000
STORE = "nova-objectstore"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """Separate daemons, with fake guests."""
    cloud = Daemons(tmp_path_factory.mktemp("publish") / "cloud")
    try:
        cloud.up(free_plan(cloud.directory))
        yield cloud
    finally:
        cloud.close()


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tarball with a disk that can't be packed, a kernel and a ramdisk."""
    at = tmp_path_factory.mktemp("tarball")
    for name, size in (("big-vmlinuz", 1000), ("big-initrd", 2000), ("big.img", DISK)):
        (at / name).write_bytes(os.urandom(size))
    with tarfile.open(at / "big-amd64.tar.gz", "w:gz", compresslevel=1) as archive:
        for name in ("big-vmlinuz", "big-initrd", "big.img"):
            archive.add(at / name, name)
    return at / "big-amd64.tar.gz"


def _start(cloud: Daemons, program: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (sys.executable, "-m", "nova_tx.local.publish_command", program, *map(str, words)),
        env=cloud.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_as_at_a_terminal,
    )


def _as_at_a_terminal() -> None:
    """Who runs the tests in the background has them ignore SIGINT, and what they start, too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _parts(cloud: Daemons, bucket: str) -> dict[str, float]:
    """When the parts of the disk that are in a bucket came there."""
    objects = cloud.directory / "buckets" / bucket / "objects"
    if not objects.is_dir():
        return {}
    found = {}
    for path in objects.iterdir():
        if ".img.part." in path.name:
            found[path.name] = path.stat().st_mtime
    return found


def _bitten(cloud: Daemons, tarball: Path, bucket: str, kept: Path) -> subprocess.Popen[str]:
    """An upload whose objectstore is killed when some parts are there, and not all."""
    running = _start(cloud, TARBALL, "-d", kept, tarball, bucket)
    until(lambda: len(_parts(cloud, bucket)) >= 3, "some parts")
    cloud.kill(STORE)
    assert 3 <= len(_parts(cloud, bucket)) < 12
    assert running.poll() is None
    return running


def _check(cloud: Daemons, said: str, tarball: Path) -> None:
    """What was published is available, and the disk is what it was."""
    found = IDS.fullmatch(said.splitlines()[-1])
    assert found, said
    for image_id in found.groups():
        until(lambda it=image_id: cloud.image_state(it) != "pending", "an image")
        assert cloud.image_state(image_id) == "available"
    image = cloud.ec2.describe_images(ImageIds=[found[1]])["Images"][0]
    assert (image["KernelId"], image["RamdiskId"]) == (found[3], found[2])
    file = cloud.directory / "images" / found[1] / "image"
    assert file.read_bytes() == (tarball.parent / "big.img").read_bytes()


def test_an_objectstore_that_comes_back(cloud: Daemons, tarball: Path, tmp_path: Path) -> None:
    """An upload goes on by itself when the objectstore that died is back soon."""
    running = _bitten(cloud, tarball, "back", tmp_path / "kept")
    cloud.restart(STORE)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    _check(cloud, out, tarball)
    assert [each for each in (tmp_path / "kept").iterdir() if each.is_dir()] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_upload_that_ends(
    cloud: Daemons, tarball: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """An upload that was ended goes on when it is run again, and sends only what is missing."""
    bucket = f"ended-{number.name.lower()}"
    running = _bitten(cloud, tarball, bucket, tmp_path / "kept")
    running.send_signal(number)
    out, err = running.communicate(timeout=120)
    assert out == ""
    if number == signal.SIGKILL:
        assert running.returncode == -number
    else:
        assert running.returncode == INTERRUPTED
        assert "run it again" in err
    cloud.restart(STORE)
    before = _parts(cloud, bucket)
    registered = {each["ImageId"] for each in cloud.ec2.describe_images()["Images"]}
    again = _start(cloud, TARBALL, "-d", tmp_path / "kept", tarball, bucket)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    _check(cloud, out, tarball)
    after = _parts(cloud, bucket)
    assert before.items() <= after.items()
    assert len(after) == 12
    found = IDS.fullmatch(out.splitlines()[-1])
    assert found and {found[2], found[3]} <= registered, "kernel and ramdisk were there already"
    assert f"{len(before)} of 13 files were there already" in err
    third = _start(cloud, TARBALL, "-d", tmp_path / "kept", tarball, bucket)
    out, err = third.communicate(timeout=120)
    assert (third.returncode, out) == (1, "")
    assert "registered already" in err


def test_one_image(cloud: Daemons, tarball: Path, tmp_path: Path) -> None:
    """uec-publish-image publishes one file, with the kernel of another, and opens both to all."""
    disk, kernel, output = tmp_path / "disk", tarball.parent / "big-vmlinuz", tmp_path / "output"
    disk.write_bytes(bytes(510) + b"\x55\xaa" + os.urandom(5000))
    words = ("-d", tmp_path / "kept", "-l", "all", "--rename", "one", "--name", "one of all")
    more = ("-K", kernel, "-o", output, "-v", "amd64", disk, "single")
    running = _start(cloud, IMAGE, *words, *more)
    out, err = running.communicate(timeout=120)
    assert (running.returncode, out) == (0, ""), err
    image_id, location = output.read_text().split()
    assert location == "single/one.manifest.xml"
    image = cloud.ec2.describe_images(ImageIds=[image_id])["Images"][0]
    assert (image["Name"], image["Public"], image["Architecture"]) == ("one of all", True, "x86_64")
    booted = cloud.ec2.describe_images(ImageIds=[image["KernelId"]])["Images"][0]
    assert (booted["ImageType"], booted["Public"]) == ("kernel", True)
    again = _start(cloud, IMAGE, *words, "--allow-existing", "-k", image["KernelId"], *more[4:])
    out, err = again.communicate(timeout=120)
    assert (again.returncode, out) == (0, f"{image_id}\t{location}\n"), err
