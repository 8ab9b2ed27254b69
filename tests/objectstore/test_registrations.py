"""From a bundle to an image: what becomes one, and what is refused and leaves nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from nova_tx.auth.authority import Authority
from nova_tx.context import RequestContext
from nova_tx.db import certificates, images
from nova_tx.errors import ImageNotFound
from nova_tx.flags import CryptoFlags
from nova_tx.image import manifest as manifests
from nova_tx.image.bundles import bundle
from nova_tx.image.manifest import EMPTY_SHA1, Manifest, Part
from nova_tx.model.images import Image, NewImage
from nova_tx.testing.database import memory_database
from nova_tx.testing.objectstore import (
    RunningObjectstore,
    identity,
    make_bundle,
    put,
    running_objectstore,
)
from nova_tx.testing.objectstore_server import flags_for

JOE = RequestContext("joe", "joe")
CONTENT = os.urandom(50_000) + bytes(3_000_000) + os.urandom(50_000)
LOCATION = "bucket/disk.manifest.xml"


@pytest_twisted.async_yield_fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningObjectstore]:
    """An objectstore with joe's empty bucket."""
    from twisted.internet import reactor

    async with running_objectstore(tmp_path, memory_database(), reactor) as found:
        yield found


async def _register(running: RunningObjectstore) -> Image:
    image_id = await running.images.register(JOE, NewImage(LOCATION))
    await running.settled(image_id)
    found: Image = await running.images.show(JOE, image_id)
    return found


def _upload(running: RunningObjectstore, content: bytes = CONTENT, **options: Any) -> None:
    for path in make_bundle(running.directory / "bundle", content, **options):
        put(running.store, "bucket", Path(path).name, Path(path).read_bytes())


def _file(running: RunningObjectstore, image: Image) -> Path:
    return running.directory / "images" / image.id / "image"


def _left(running: RunningObjectstore) -> list[str]:
    """All there is below images_path."""
    found = running.directory / "images"
    return sorted(str(each.relative_to(found)) for each in found.rglob("*"))


def _tar(*members: tuple[str, bytes, dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content, fields in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for field, value in fields.items():
                setattr(member, field, value)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _seal(secret: bytes) -> bytes:
    key: Any = x509.load_pem_x509_certificate(identity("cloud")[1]).public_key()
    sealed: bytes = key.encrypt(secret, rsa_padding.PKCS1v15())
    return sealed


def _sign(signed: bytes) -> bytes:
    key: Any = serialization.load_pem_private_key(identity("joe")[0], None)
    signature: bytes = key.sign(signed, rsa_padding.PKCS1v15(), hashes.SHA1())
    return signature


def _encrypt(archive: bytes) -> bytes:
    padder = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(bytes(16)), modes.CBC(bytes(16))).encryptor()
    return cipher.update(padder.update(archive) + padder.finalize()) + cipher.finalize()


def _hand_made(
    running: RunningObjectstore,
    archive: bytes,
    size: int,
    change: Callable[[Manifest], Manifest] = lambda found: found,
) -> None:
    """A bundle of any (gzipped) bytes, as a hostile user would make it."""
    sealed = _encrypt(archive)
    put(running.store, "bucket", "part", sealed)
    zeros = b"0" * 32
    found = Manifest(
        architecture="x86_64",
        kernel_id=None,
        ramdisk_id=None,
        name="disk",
        user="42",
        digest=EMPTY_SHA1,
        size=size,
        bundled_size=len(sealed),
        cloud_key=_seal(zeros),
        cloud_iv=_seal(zeros),
        user_key=b"",
        user_iv=b"",
        parts=(Part("part", hashlib.sha1(sealed).hexdigest()),),
    )
    put(running.store, "bucket", "disk.manifest.xml", manifests.write(change(found), _sign))


def _plain(content: bytes, **fields: Any) -> bytes:
    return gzip.compress(_tar(("disk", content, fields)))


# What becomes an image.


@pytest.mark.parametrize("part_bytes", [2**20, 65536])
async def test_bundle(running: RunningObjectstore, part_bytes: int) -> None:
    """What was bundled is what instances boot from, however many parts it came in."""
    _upload(running, part_bytes=part_bytes)
    image = await _register(running)
    assert (image.state, image.state_reason) == ("available", None)
    assert image.size == len(CONTENT)
    assert _file(running, image).read_bytes() == CONTENT
    assert _left(running) == [".new", image.id, f"{image.id}/image"]


async def test_holes(running: RunningObjectstore) -> None:
    """Zeros of an image take no room on the disk."""
    _upload(running, b"x" + bytes(20 * 2**20))
    image = await _register(running)
    found = _file(running, image).stat()
    assert found.st_size == 1 + 20 * 2**20
    assert found.st_blocks * 512 < 4 * 2**20


@pytest.mark.parametrize("form", ["gnu", "posix"])
async def test_sparse_tar(running: RunningObjectstore, form: str) -> None:
    """A tar that leaves out the zeros, as euca-bundle-image makes it, is unpacked with them."""
    source = running.directory / "sparse"
    with source.open("wb") as file:
        for position in (0, 2**20, 5 * 2**20 + 17):
            file.seek(position)
            file.write(b"x" * 5000)
        file.truncate(8 * 2**20)
    archive = subprocess.run(
        ["tar", "-c", "-S", f"--format={form}", "-C", str(running.directory), "sparse"],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    assert len(archive) < 2**20
    _hand_made(running, gzip.compress(archive), 8 * 2**20)
    image = await _register(running)
    assert (image.state, image.state_reason) == ("available", None)
    assert _file(running, image).read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    ("options", "kind", "kernel", "ramdisk"),
    [
        ({"kernel": "true"}, "kernel", None, None),
        ({"ramdisk": "true"}, "ramdisk", None, None),
        ({"kernel": "aki-1", "ramdisk": "ari-1"}, "machine", "aki-1", "ari-1"),
    ],
)
async def test_kinds(
    running: RunningObjectstore,
    options: dict[str, str],
    kind: str,
    kernel: str | None,
    ramdisk: str | None,
) -> None:
    """The manifest says what an image is and what it boots with."""
    _upload(running, b"an image", arch="i386", **options)
    image = await _register(running)
    assert (image.type, image.kernel_id, image.ramdisk_id) == (kind, kernel, ramdisk)
    assert image.architecture == "i386"


async def test_real_digest(running: RunningObjectstore) -> None:
    """A manifest without the constant digest is held to it."""
    archive = _tar(("disk", b"content", {}))
    for digest, state in (
        (hashlib.sha1(archive).hexdigest(), "available"),
        (hashlib.sha1(b"other").hexdigest(), "failed"),
    ):
        _hand_made(
            running, gzip.compress(archive), 7, lambda found, to=digest: replace(found, digest=to)
        )
        assert (await _register(running)).state == state


async def test_name_in_tar(running: RunningObjectstore) -> None:
    """The name of the file in the tar is not used for anything."""
    _hand_made(running, gzip.compress(_tar(("../../../evil", b"content", {}))), 7)
    image = await _register(running)
    assert _file(running, image).read_bytes() == b"content"
    assert not list(running.directory.rglob("evil"))


async def test_long_names(running: RunningObjectstore) -> None:
    """A long name, which tar puts into a header of its own, is no second file."""
    _hand_made(running, gzip.compress(_tar(("n" * 300, b"content", {}))), 7)
    assert (await _register(running)).state == "available"


# What does not.


def _link(kind: bytes) -> bytes:
    return gzip.compress(_tar(("disk", b"", {"type": kind, "linkname": "/etc/passwd"})))


def _long_header(kind: bytes) -> bytes:
    """A header that says that gigabytes of it follow."""
    member = tarfile.TarInfo("x")
    member.type = kind
    member.size = 2**36
    return gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(2**23))


def _sparse_map(*entries: tuple[int, int]) -> bytes:
    """A GNU sparse file of 8192 bytes with a map of our own."""
    header = bytearray(tarfile.TarInfo("disk").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[124:136] = b"%011o\0" % sum(count for _, count in entries)
    position = 386
    for offset, count in entries:
        header[position : position + 24] = b"%011o\0%011o\0" % (offset, count)
        position += 24
    header[483:495] = b"%011o\0" % 8192
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return gzip.compress(bytes(header) + bytes(8192) + bytes(1024))


@pytest.mark.parametrize(
    ("archive", "size", "reason"),
    [
        (_plain(b"content"), 8, "does not have the size"),
        (_plain(b"content"), 6, "does not have the size"),
        (_link(tarfile.SYMTYPE), 0, "something else than one plain file"),
        (_link(tarfile.LNKTYPE), 0, "something else than one plain file"),
        (_link(tarfile.CHRTYPE), 0, "something else than one plain file"),
        (_link(tarfile.FIFOTYPE), 0, "something else than one plain file"),
        (_link(tarfile.DIRTYPE), 0, "something else than one plain file"),
        (gzip.compress(_tar(("a", b"1", {}), ("b", b"2", {}))), 1, "more than one file"),
        (gzip.compress(_tar(("a", b"1", {}), ("b", b"", {"type": b"2"}))), 1, "more than one"),
        (gzip.compress(_tar()), 0, "is empty"),
        (gzip.compress(_tar(("a", bytes(5000), {}))[:2000]), 5000, "gzipped tar archive|ends in"),
        (gzip.compress(b"not a tar" * 1000), 7, "gzipped tar archive"),
        (_plain(b"content")[:-10], 7, "gzipped tar archive"),
        (b"not gzip", 7, "gzipped tar archive"),
        (gzip.compress(_tar(("a", b"content", {})) + bytes(2**22)), 7, "unpacks to more"),
        (_long_header(tarfile.GNUTYPE_LONGNAME), 7, "unpacks to more"),
        (_long_header(tarfile.XHDTYPE), 7, "unpacks to more"),
        (_sparse_map((4096, 512), (0, 512)), 8192, "makes no sense"),
        (_sparse_map((0, 1024), (512, 512)), 8192, "makes no sense"),
        (_sparse_map((8000, 512)), 8192, "makes no sense"),
        (_plain(b"QFI\xfb\0\0\0\2" + bytes(600)), 608, "format qcow2; only raw"),
        (_plain(b"# Disk DescriptorFile\n" + bytes(600)), 622, "format vmdk (a descriptor"),
        (_plain(b"KDMV" + bytes(600)), 604, "format vmdk; only raw"),
        (_plain(bytes(64) + b"\x7f\x10\xda\xbe" + bytes(600)), 668, "format vdi; only raw"),
    ],
)
async def test_refused_archives(
    running: RunningObjectstore, archive: bytes, size: int, reason: str
) -> None:
    """An archive of anything but one plain, raw file of the right size leaves nothing."""
    _hand_made(running, archive, size)
    image = await _register(running)
    assert image.state == "failed"
    assert any(each in str(image.state_reason) for each in reason.split("|"))
    assert _left(running) == [".new"]


def _parts(*parts: tuple[str, str]) -> Callable[[Manifest], Manifest]:
    return lambda found: replace(found, parts=tuple(Part(*each) for each in parts))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: replace(m, bundled_size=m.bundled_size - 1), "longer than"),
        (lambda m: replace(m, bundled_size=m.bundled_size + 1), "shorter than"),
        (lambda m: replace(m, size=2**40), "larger than"),
        (lambda m: replace(m, bundled_size=2**40), "the bundle is larger"),
        (_parts(("part", "0" * 40)), "does not have the digest"),
        (_parts(("missing", "0" * 40)), "part missing of the bundle is missing"),
        (_parts(("../other/part", "0" * 40)), "by a path"),
        (_parts(("/etc/passwd", "0" * 40)), "by a path"),
        (_parts(("..", "0" * 40)), "by a path"),
        (_parts(), "names no parts"),
        (_parts(("part", "xyz")), "malformed"),
        (lambda m: replace(m, architecture="sparc"), "architecture"),
        (lambda m: replace(m, cloud_key=bytes(256)), "not encrypted for this cloud"),
        (lambda m: replace(m, cloud_key=_seal(b"1" * 32)), "not encrypted|gzipped tar"),
        (lambda m: replace(m, cloud_key=_seal(b"short")), "not encrypted for this cloud"),
        (lambda m: replace(m, digest="0" * 40), "does not have the digest"),
    ],
)
async def test_refused_manifests(
    running: RunningObjectstore, change: Callable[[Manifest], Manifest], reason: str
) -> None:
    """A manifest that says what is not so leaves a failed image and no file."""
    _hand_made(running, _plain(b"content"), 7, change)
    image = await _register(running)
    assert image.state == "failed"
    assert any(each in str(image.state_reason) for each in reason.split("|"))
    assert _left(running) == [".new"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not well-formed"),
        (b"<manifest>", "not well-formed"),
        (b"<other/>", "not <manifest>"),
        (b'<!DOCTYPE m [<!ENTITY a "b">]><manifest>&a;</manifest>', "document type"),
        (b'<!DOCTYPE m SYSTEM "file:///etc/passwd"><manifest/>', "document type"),
        (b"<a>" * 100, "nested too deeply"),
        (b" " * (4 * 2**20 + 1), "longer than"),
        (b"<manifest><image/><image/></manifest>", "two elements"),
    ],
)
async def test_refused_xml(running: RunningObjectstore, text: bytes, reason: str) -> None:
    """XML that is not a plain manifest leaves a failed image and no file."""
    put(running.store, "bucket", "disk.manifest.xml", text)
    image = await _register(running)
    assert image.state == "failed"
    assert reason in str(image.state_reason)
    assert _left(running) == [".new"]


def _grant(running: RunningObjectstore, *keys: str) -> None:
    for key in keys:
        running.store.change("bucket", key, lambda facts: replace(facts, grants=(("eve", "READ"),)))


async def test_another_projects_bundle(running: RunningObjectstore) -> None:
    """A bundle is registered by who may read all of it, and by nobody else."""
    _upload(running, part_bytes=65536)
    eve = RequestContext("eve", "eve")
    with pytest.raises(ImageNotFound):
        await running.images.register(eve, NewImage(LOCATION))
    _grant(running, "disk.manifest.xml")
    image_id = await running.images.register(eve, NewImage(LOCATION))
    await running.settled(image_id)
    found = await running.images.show(eve, image_id)
    assert (found.state, found.owner) == ("failed", "eve")
    assert "may not be read" in str(found.state_reason)
    parts = running.store.listing("bucket", "disk.part", "", "", 1000)
    _grant(running, *(key for key, _ in parts.objects))
    image_id = await running.images.register(eve, NewImage(LOCATION))
    await running.settled(image_id)
    assert (await running.images.show(eve, image_id)).state == "available"


@pytest.mark.parametrize(("signer", "state"), [("joe", "available"), ("eve", "failed")])
async def test_signature(running: RunningObjectstore, signer: str, state: str) -> None:
    """If the user's certificates are known, the manifest must be signed by one of them."""
    for name in ("other", signer):
        path = running.directory / f"{name}.pem"
        path.write_bytes(identity(name)[1])
        await running.database.run(certificates.create, "joe", "joe", str(path))
    _upload(running, b"content")
    image = await _register(running)
    assert image.state == state
    if state == "failed":
        assert "not signed by the user" in str(image.state_reason)


@pytest.mark.parametrize(
    ("project", "others", "state"),
    [
        ("joe", (), "failed"),
        ("joe", ("other",), "failed"),
        ("bank", (), "failed"),
        ("bank", ("joe",), "available"),
    ],
)
async def test_revoked(
    running: RunningObjectstore, project: str, others: tuple[str, ...], state: str
) -> None:
    """
    What is signed with a revoked certificate is refused, whichever project it was for; what is
    signed with a valid one is not.
    """
    path = running.directory / "joe.pem"
    path.write_bytes(identity("joe")[1])
    await running.database.run(certificates.create, "joe", project, str(path))
    await running.database.run(certificates.revoke, "joe", project)
    for name in others:
        other = running.directory / f"valid-{name}.pem"
        other.write_bytes(identity(name)[1])
        await running.database.run(certificates.create, "joe", "joe", str(other))
    _upload(running, b"content")
    image = await _register(running)
    assert image.state == state
    if state == "failed":
        assert "signed with a certificate that has been revoked" in str(image.state_reason)


async def test_all_revoked(running: RunningObjectstore) -> None:
    """Who has had certificates, and has none left, registers nothing, even if no file is left."""
    gone = str(running.directory / "gone.pem")
    await running.database.run(certificates.create, "joe", "joe", gone)
    await running.database.run(certificates.revoke, "joe", None)
    _upload(running, b"content")
    image = await _register(running)
    assert image.state == "failed"
    assert "not signed by the user" in str(image.state_reason)


@pytest.mark.parametrize("use", [True, False])
@pytest.mark.parametrize("whose", ["project", "root", "another"])
async def test_project_authority(running: RunningObjectstore, use: bool, whose: str) -> None:
    """
    A bundle for the project's certificate or the root's is read, also when use_project_ca is
    unset again; one for another project's is not.
    """
    crypto = replace(running.flags.section(CryptoFlags), use_project_ca=True)
    authority = Authority(crypto)
    issued = authority.issue("joe", "joe")
    cloud_cert = {
        "project": issued.authorities,
        "root": authority.certificate(),
        "another": authority.certificate("bank"),
    }[whose]
    source = running.directory / "disk"
    source.write_bytes(b"content")
    for path in bundle(
        *(str(source), str(running.directory), "disk", "x86_64", None, None),
        *(issued.key, issued.certificate, cloud_cert),
    ):
        put(running.store, "bucket", Path(path).name, Path(path).read_bytes())
    await running.database.run(certificates.create, "joe", "joe", issued.file_name)
    if use:
        await running.close()
        running.flags = flags_for(str(running.directory), "--use_project_ca")
        await running.open()
    image = await _register(running)
    if whose == "another":
        assert image.state == "failed"
        assert "not encrypted for this cloud's certificate" in str(image.state_reason)
    else:
        assert _file(running, image).read_bytes() == b"content"


# Broken off.


async def test_resumed(running: RunningObjectstore) -> None:
    """A registration that a daemon's end broke off is done after the next start."""
    _upload(running)
    image = await _register(running)
    for state in (images.PENDING, images.DECRYPTING, images.UNTARRING):
        await running.close()
        await running.database.run(images.advance, image.id, images.AVAILABLE, state, size=None)
        (running.directory / "images" / ".new" / image.id).mkdir()
        await running.open()
        await running.settled(image.id)
        assert await running.images.show(JOE, image.id) == image
        assert _file(running, image).read_bytes() == CONTENT
        assert _left(running) == [".new", image.id, f"{image.id}/image"]


async def test_deregistered(running: RunningObjectstore) -> None:
    """The file of an image goes with it."""
    _upload(running, b"content")
    image = await _register(running)
    await running.images.deregister(JOE, image.id)
    assert _left(running) == [".new"]


async def test_deregistered_in_a_crash(running: RunningObjectstore) -> None:
    """An image whose row was hidden, and whose file is still there, goes at the next start."""
    _upload(running, b"content")
    image = await _register(running)
    await running.close()
    await running.database.run(images.delete, "joe", False, image.id)
    assert _left(running) != [".new"]
    await running.open()
    assert _left(running) == [".new"]
    assert await running.database.read(images.deleted) == ()


async def test_no_room(running: RunningObjectstore, logged_errors: Any) -> None:
    """A registration that can't be stored fails with a sentence that tells nothing of us."""
    _upload(running, b"content")
    (running.directory / "images" / ".new").rmdir()
    (running.directory / "images" / ".new").write_text("in the way")
    image_id = await running.images.register(JOE, NewImage(LOCATION))
    await running.settled(image_id)
    image = await running.images.show(JOE, image_id)
    assert image.state == "failed"
    assert str(running.directory) not in str(image.state_reason)
    assert len(logged_errors.flush(OSError)) == 1
