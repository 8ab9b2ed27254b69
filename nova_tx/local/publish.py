"""
Bundle, upload and register the image of a UEC tarball, with its kernel and ramdisk.
                                                                            [spec/04 section 6]
"""

from __future__ import annotations

import os
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from nova_tx.image.bundles import bundle
from nova_tx.local.boto_shim import Bucket, EC2Connection, S3Connection
from nova_tx.local.clients import REFUSED, connect, sentence
from nova_tx.local.terminal import Bar, LocalError, Say, say

_USAGE = "usage: uec-publish-tarball TARBALL BUCKET [ARCH]"


@dataclass(frozen=True)
class Chosen:
    """The files of a tarball that matter."""

    kernel: Path | None
    ramdisk: Path | None
    image: Path


@dataclass(frozen=True)
class Published:
    """Ids of what was registered."""

    image: str
    ramdisk: str | None
    kernel: str | None

    def __str__(self) -> str:
        ramdisk, kernel = self.ramdisk or "none", self.kernel or "none"
        return f'emi="{self.image}"; eri="{ramdisk}"; eki="{kernel}";'


#: What 64 bits are called.
X86_64 = ("amd64", "x86_64")


def bundle_arch(arch: str | None, tarball: str) -> str:
    """
    The architecture as a manifest says it.

    Given, or in the tarball's name; the original took C{x86_64} for 32 bits,
    which helps nobody.                                     [spec/04 section 6; spec/15 C27]
    """
    name = arch or next((each for each in X86_64 if each in tarball), "i386")
    return "x86_64" if name in X86_64 else name


def choose(files: Sequence[Path]) -> Chosen:
    """
    Tell kernel, ramdisk and disk by their names.

    @raise LocalError: there is no disk, or more than one.
    """
    kernel = _first(files, "*vmlinuz*") or _first(files, "*-loader")
    ramdisk = _first(files, "*initrd*")
    images = [f for f in files if fnmatch(f.name, "*.img") and f not in (kernel, ramdisk)]
    if len(images) != 1:
        raise LocalError(f"The tarball holds {len(images)} files *.img; it has to be one.")
    return Chosen(kernel, ramdisk, images[0])


def _first(files: Sequence[Path], pattern: str) -> Path | None:
    return next((f for f in sorted(files) if fnmatch(f.name, pattern)), None)


def extract(tarball: Path, directory: Path) -> list[Path]:
    """
    Unpack a tarball; returns its files.

    @raise LocalError: it is none, or would write outside C{directory}.
    """
    try:
        with tarfile.open(tarball) as archive:
            archive.extractall(directory, filter="data")
    except (OSError, tarfile.TarError) as reason:
        raise LocalError(f"{tarball} can't be unpacked: {reason}") from None
    return [path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]


class Publisher:
    """
    Publishes files of one architecture into one bucket.

    @param environment: what the novarc set: keys, certificates, addresses.
    """

    def __init__(
        self,
        ec2: EC2Connection,
        s3: S3Connection,
        environment: Mapping[str, str],
        bucket: str,
        arch: str,
        say: Say = say,
    ) -> None:
        self._ec2, self._s3, self._environment = ec2, s3, environment
        self._bucket, self._arch, self._say = bucket, arch, say

    def publish(self, chosen: Chosen) -> Published:
        """
        Publish kernel, ramdisk and image, in that order.

        @raise LocalError: a key can't be read, or one of them is registered already.
        """
        there = {image.location for image in self._ec2.get_all_images()}
        for path in (chosen.kernel, chosen.ramdisk, chosen.image):
            if path is not None and self._location(path) in there:
                raise LocalError(f"{self._location(path)} is registered already.")
        bucket = self._s3.lookup(self._bucket) or self._s3.create_bucket(self._bucket)
        kernel = ramdisk = None
        if chosen.kernel is not None:
            kernel = self._one(bucket, "kernel", chosen.kernel, "true", None)
        if chosen.ramdisk is not None:
            ramdisk = self._one(bucket, "ramdisk", chosen.ramdisk, None, "true")
        image = self._one(bucket, "image", chosen.image, kernel, ramdisk)
        return Published(image, ramdisk, kernel)

    def _location(self, path: Path) -> str:
        return f"{self._bucket}/{path.name}.manifest.xml"

    def _one(
        self, bucket: Bucket, what: str, path: Path, kernel: str | None, ramdisk: str | None
    ) -> str:
        with tempfile.TemporaryDirectory(prefix="uec-publish-") as directory:
            bar = Bar(f"{what}: bundling ", path.stat().st_size)
            parts = bundle(
                str(path),
                directory,
                path.name,
                self._arch,
                kernel,
                ramdisk,
                self._file("EC2_PRIVATE_KEY"),
                self._file("EC2_CERT"),
                self._file("EUCALYPTUS_CERT"),
                user=self._environment.get("EC2_USER_ID", "42"),
                progress=bar.show,
            )
            bar.end()
            _upload(bucket, what, [Path(part) for part in parts])
        image_id = str(self._ec2.register_image(image_location=self._location(path)))
        self._say(f"{what}: {image_id} is {self._location(path)}")
        return image_id

    def _file(self, name: str) -> bytes:
        path = self._environment.get(name)
        if not path:
            raise LocalError(f"{name} not set: source the novarc of a cloud first.")
        try:
            return Path(path).read_bytes()
        except OSError as reason:
            raise LocalError(f"{name}={path} can't be read: {reason.strerror}.") from None


def _upload(bucket: Bucket, what: str, files: Sequence[Path]) -> None:
    bar = Bar(f"{what}: uploading", sum(path.stat().st_size for path in files))
    before = 0

    def report(offset: int) -> Callable[[int, int], None]:
        return lambda sent, _total: bar.show(offset + sent)

    for path in files:
        bucket.new_key(path.name).set_contents_from_filename(
            str(path), headers={"x-amz-acl": "aws-exec-read"}, cb=report(before), num_cb=100
        )
        before += path.stat().st_size
    bar.end()


def publish_tarball(
    tarball: Path,
    bucket: str,
    arch: str | None = None,
    environment: Mapping[str, str] = os.environ,
    say: Say = say,
) -> Published:
    """
    All of it.

    @raise LocalError: with the reason as a sentence.
    """
    ec2, s3 = connect(environment)
    try:
        with tempfile.TemporaryDirectory(prefix="uec-tarball-") as directory:
            chosen = choose(extract(tarball, Path(directory)))
            publisher = Publisher(
                ec2, s3, environment, bucket, bundle_arch(arch, tarball.name), say
            )
            return publisher.publish(chosen)
    except ValueError as reason:
        raise LocalError(f"EC2_PRIVATE_KEY, EC2_CERT or EUCALYPTUS_CERT: {reason}") from None
    except REFUSED as reason:
        raise LocalError(f"The cloud did not take it: {sentence(reason)}") from None


def main(argv: Sequence[str]) -> int:
    """C{scripts/uec-publish-tarball}: the ids on the last line of stdout."""
    if argv[:1] in (["-h"], ["--help"]):
        print(_USAGE)
        return 0
    if len(argv) not in (2, 3) or argv[0].startswith("-"):
        say(_USAGE)
        return 2
    try:
        print(publish_tarball(Path(argv[0]), argv[1], argv[2] if len(argv) > 2 else None))
    except LocalError as reason:
        say(f"uec-publish-tarball: {reason}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
