"""
Bundle, upload and register the image of a UEC tarball, with its kernel and ramdisk.
                                                                            [spec/04 section 6]

A run that was interrupted, or that failed, goes on where it was when it is run again.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from nova_tx.image.bundles import bundle
from nova_tx.local import tarballs
from nova_tx.local.boto_shim import Bucket, EC2Connection, S3Connection
from nova_tx.local.clients import REFUSED, connect, sentence
from nova_tx.local.kept import Kept, Shelf
from nova_tx.local.places import cache_directory
from nova_tx.local.terminal import Bar, LocalError, Say, say
from nova_tx.local.upload import Upload
from nova_tx.model.images import ITSELF

#: In the place of an id: there is to be none.
NONE = "none"
#: What 64 bits are called.
X86_64 = ("amd64", "x86_64")


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
        ramdisk, kernel = self.ramdisk or NONE, self.kernel or NONE
        return f'emi="{self.image}"; eri="{ramdisk}"; eki="{kernel}";'


@dataclass(frozen=True)
class Wanted:
    """
    How something is to be published.

    @ivar kernel: id of one that is registered, L{NONE} for none; C{ramdisk} likewise.
    @ivar kernel_file: a file to be used as kernel, whatever there is else.
    @ivar rename_image: publish it under this name, and not its file's.
    @ivar use_loader: the tarball's loader counts more than its kernel.
    @ivar name: the image's name in the registry.
    @ivar launch: who may launch them: users, or C{all}.
    @ivar allow_existing: what is registered already is what is wanted.
    @ivar directory: where bundles are kept until they are registered.
    """

    kernel: str | None = None
    kernel_file: Path | None = None
    ramdisk: str | None = None
    ramdisk_file: Path | None = None
    rename_image: str | None = None
    rename_kernel: str | None = None
    rename_ramdisk: str | None = None
    use_loader: bool = False
    name: str | None = None
    launch: tuple[str, ...] = ()
    allow_existing: bool = False
    directory: Path | None = None


_AS_IT_IS = Wanted()


@dataclass(frozen=True)
class File:
    """
    A file that is to be published.

    @ivar what: image, kernel or ramdisk.
    @ivar name: its own, there.
    """

    what: str
    path: Path
    name: str


def bundle_arch(arch: str | None, tarball: str) -> str:
    """
    The architecture as a manifest says it.

    Given, or in the tarball's name; the original took C{x86_64} for 32 bits,
    which helps nobody.                                     [spec/04 section 6; spec/15 C27]
    """
    name = arch or next((each for each in X86_64 if each in tarball), "i386")
    return "x86_64" if name in X86_64 else name


def choose(files: Sequence[Path], use_loader: bool = False) -> Chosen:
    """
    Tell kernel, ramdisk and disk by their names.

    @raise LocalError: there is no disk, or more than one; or no loader, if it is wanted.
    """
    loader = _first(files, "*-loader")
    if use_loader and loader is None:
        raise LocalError("The tarball holds no loader.")
    kernel = loader if use_loader else _first(files, "*vmlinuz*") or loader
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
        return tarballs.unpack(tarball, directory)
    except (OSError, tarfile.TarError) as reason:
        raise LocalError(f"{tarball} can't be unpacked: {reason}") from None


class Publisher:
    """
    Publishes files of one architecture into one bucket.

    @param environment: what the novarc set: keys, certificates, addresses.
    @param connected: another connection to the objectstore, for another thread.
    """

    def __init__(
        self,
        ec2: EC2Connection,
        connected: Callable[[], S3Connection],
        environment: Mapping[str, str],
        bucket: str,
        arch: str,
        shelf: Shelf,
        say: Say = say,
        bar: Callable[[str, int], Bar] = Bar,
    ) -> None:
        self._ec2, self._connected, self._environment = ec2, connected, environment
        self._bucket, self._arch, self._shelf = bucket, arch, shelf
        self._say, self._bar = say, bar
        self._begun: list[Kept] = []

    def publish(self, chosen: Chosen, wanted: Wanted) -> Published:
        """
        Publish kernel, ramdisk and image, in that order.

        @raise LocalError: a key can't be read, or one of them is registered already.
        """
        kernel, ramdisk = _id(wanted.kernel), _id(wanted.ramdisk)
        if wanted.kernel is None and chosen.kernel is not None:
            file = File("kernel", chosen.kernel, wanted.rename_kernel or chosen.kernel.name)
            kernel = self._one(file, ITSELF, None, wanted)
        if wanted.ramdisk is None and chosen.ramdisk is not None:
            file = File("ramdisk", chosen.ramdisk, wanted.rename_ramdisk or chosen.ramdisk.name)
            ramdisk = self._one(file, None, ITSELF, wanted)
        file = File("image", chosen.image, wanted.rename_image or chosen.image.name)
        image = self._one(file, kernel, ramdisk, wanted)
        self._done()
        return Published(image, ramdisk, kernel)

    def alone(self, file: File, wanted: Wanted) -> str:
        """
        Publish a kernel or a ramdisk; returns its id.

        @raise LocalError: as L{publish}.
        """
        kernel, ramdisk = (ITSELF, None) if file.what == "kernel" else (None, ITSELF)
        image_id = self._one(file, kernel, ramdisk, wanted)
        self._done()
        return image_id

    def _done(self) -> None:
        """All is registered: nothing needs to be kept for another run."""
        for each in self._begun:
            each.forget()

    def _one(self, file: File, kernel: str | None, ramdisk: str | None, wanted: Wanted) -> str:
        """Publish one file, or find that an earlier run did; returns its id."""
        keys = [self._file(name) for name in ("EC2_PRIVATE_KEY", "EC2_CERT", "EUCALYPTUS_CERT")]
        words = (self._environment["S3_URL"], self._environment["EC2_ACCESS_KEY"], self._bucket)
        whose = [hashlib.sha256(key).hexdigest() for key in keys]
        boots = (kernel or NONE, ramdisk or NONE)
        kept = self._shelf.of(file.path, (*words, file.name, self._arch, *boots, *whose))
        location = f"{self._bucket}/{file.name}.manifest.xml"
        image_id = self._existing(location, kept, wanted.allow_existing)
        self._begun.append(kept)
        if image_id is None:
            image_id = self._new(file, kernel, ramdisk, wanted, kept, keys)
            self._say(f"{file.what}: {image_id} is {location}")
        else:
            self._say(f"{file.what}: {image_id} is {location} already")
        kept.registered(image_id)
        self._open_to(image_id, wanted.launch)
        return image_id

    def _existing(self, location: str, kept: Kept, allowed: bool) -> str | None:
        """The image that there is at a location, if an earlier run of this made it."""
        found = [
            image
            for image in self._ec2.get_all_images(owners=["self"])
            if image.location == location and image.state != "failed"
        ]
        ours = [image for image in found if image.id == kept.image_id]
        if not found:
            return None
        if ours or allowed or (kept.begun and self._is_there(kept, location)):
            return str((ours or found)[0].id)
        kept.forget()
        raise LocalError(f"{location} is registered already.")

    def _is_there(self, kept: Kept, location: str) -> bool:
        """Whether the bundle that is kept is the one in the bucket, manifest and all."""
        if kept.image_id is not None:
            return False  # that one was removed, and another is there
        manifest = kept.files(lambda _: None)[-1]
        bucket = self._connected().lookup(self._bucket)
        key = bucket.get_key(location.partition("/")[2]) if bucket is not None else None
        content = hashlib.md5(manifest.read_bytes(), usedforsecurity=False).hexdigest()
        return key is not None and str(key.etag).strip('"') == content

    def _new(
        self,
        file: File,
        kernel: str | None,
        ramdisk: str | None,
        wanted: Wanted,
        kept: Kept,
        keys: Sequence[bytes],
    ) -> str:
        def make(directory: str) -> None:
            bar = self._bar(f"{file.what}: bundling ", file.path.stat().st_size)
            try:
                bundle(
                    str(file.path),
                    directory,
                    file.name,
                    self._arch,
                    kernel,
                    ramdisk,
                    *keys,
                    user=self._environment.get("EC2_USER_ID", "42"),
                    progress=bar.show,
                )
            finally:
                bar.end()

        files = kept.files(make)
        first = self._connected()
        if first.lookup(self._bucket) is None:
            first.create_bucket(self._bucket)
        title = f"{file.what}: uploading"
        sent = Upload(self._in_bucket, title, bar=self._bar).run(files)
        if sent < len(files):
            self._say(f"{file.what}: {len(files) - sent} of {len(files)} files were there already")
        name = wanted.name if file.what == "image" else None
        location = f"{self._bucket}/{file.name}.manifest.xml"
        return str(self._ec2.register_image(name=name, image_location=location))

    def _in_bucket(self) -> Bucket:
        return self._connected().get_bucket(self._bucket, validate=False)

    def _open_to(self, image_id: str, users: Sequence[str]) -> None:
        for user in users:
            who = {"groups": ["all"]} if user == "all" else {"user_ids": [user]}
            self._ec2.modify_image_attribute(image_id, "launchPermission", "add", **who)
            self._say(f"{image_id}: {user} may launch it")

    def _file(self, name: str) -> bytes:
        path = self._environment.get(name)
        if not path:
            raise LocalError(f"{name} not set: source the novarc of a cloud first.")
        try:
            return Path(path).read_bytes()
        except OSError as reason:
            raise LocalError(f"{name}={path} can't be read: {reason.strerror}.") from None


def _id(said: str | None) -> str | None:
    return None if said == NONE else said


@contextmanager
def publisher(
    bucket: str,
    arch: str,
    wanted: Wanted,
    environment: Mapping[str, str] = os.environ,
    say: Say = say,
    bar: Callable[[str, int], Bar] = Bar,
) -> Iterator[Publisher]:
    """
    A publisher that nobody else disturbs.

    @raise LocalError: with the reason as a sentence.
    """
    ec2, _ = connect(environment)
    shelf = Shelf(wanted.directory or cache_directory() / "publish")
    try:
        with shelf.open():
            yield Publisher(
                ec2, lambda: connect(environment)[1], environment, bucket, arch, shelf, say, bar
            )
    except ValueError as reason:
        raise LocalError(f"EC2_PRIVATE_KEY, EC2_CERT or EUCALYPTUS_CERT: {reason}") from None
    except REFUSED as reason:
        raise LocalError(
            f"The cloud did not take it: {sentence(reason)}"
            " (what was uploaded is kept; run it again to go on)"
        ) from None


def publish_tarball(
    tarball: Path,
    bucket: str,
    arch: str | None = None,
    environment: Mapping[str, str] = os.environ,
    say: Say = say,
    wanted: Wanted = _AS_IT_IS,
    bar: Callable[[str, int], Bar] = Bar,
) -> Published:
    """
    All of it.

    @raise LocalError: with the reason as a sentence.
    """
    with (
        publisher(bucket, bundle_arch(arch, tarball.name), wanted, environment, say, bar) as work,
        tempfile.TemporaryDirectory(prefix="uec-tarball-") as directory,
    ):
        found = choose(extract(tarball, Path(directory)), wanted.use_loader)
        kernel = wanted.kernel_file or found.kernel
        ramdisk = wanted.ramdisk_file or found.ramdisk
        return work.publish(Chosen(kernel, ramdisk, found.image), wanted)
