"""
From the parts of a bundle to an image file, believing nothing. Everything here blocks.

Parts, digests and sizes are checked as they are read; a tar with more than one
plain file in it, or one that grows beyond what its manifest says, is refused.
                                                    [spec/04 sections 4, 5; spec/15 A11 to A15]
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from nova_tx.errors import ImageError
from nova_tx.image.formats import check_raw
from nova_tx.image.manifest import EMPTY_SHA1, Manifest

_CHUNK = 2**20
#: Bytes of headers, of sparse files' maps and of filling that a tar may have.
_OVERHEAD = 2**21
_SECRET = re.compile(rb"[0-9a-fA-F]{32}\Z")
_NOT_FOR_US = "the bundle's key was not encrypted for this cloud's certificate"

#: What gzip and tarfile raise of what they can't read.
_BROKEN = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    ValueError,
    LookupError,
    OverflowError,
    RecursionError,
)


def check_signature(
    manifest: Manifest, valid: Iterable[bytes], revoked: Iterable[bytes], needed: bool
) -> None:
    """
    The manifest was signed by the key of a certificate (PEM) that is valid.

    @param needed: else it may be signed by whomever, but by none that was revoked.
    @raise ImageError: it was not.
    """
    if any(_signed_by(manifest, pem) for pem in valid):
        return
    if any(_signed_by(manifest, pem) for pem in revoked):
        raise ImageError("the manifest is signed with a certificate that has been revoked")
    if needed:
        raise ImageError("the manifest is not signed by the user who registers it")


def _signed_by(manifest: Manifest, pem: bytes) -> bool:
    try:
        key = x509.load_pem_x509_certificate(pem).public_key()
    except ValueError:
        return False
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(manifest.signature, manifest.signed, rsa_padding.PKCS1v15(), hashes.SHA1())
    except InvalidSignature:
        return False
    return True


def check_sizes(manifest: Manifest, limit: int) -> None:
    """
    The image and its bundle are not larger than they may be.

    @param limit: bytes of the largest image.
    @raise ImageError: they are.
    """
    if manifest.size > limit:
        raise ImageError(f"the image is larger than {limit} bytes")
    if manifest.bundled_size > manifest.size + manifest.size // 1000 + _OVERHEAD:
        raise ImageError("the bundle is larger than its image")


def decrypt(
    manifest: Manifest,
    keys: Iterable[rsa.RSAPrivateKey],
    read_part: Callable[[str], Iterator[bytes]],
    target: str,
    keep_on: Callable[[], None],
    report: Callable[[int], None],
) -> None:
    """
    Join and decrypt the parts into a file: a gzipped tar.

    @param keys: of this cloud; the bundle is encrypted for one of them.
    @param read_part: the bytes of a part by its file name.
    @param keep_on: called now and then; what it raises ends the work.
    @param report: told how many bytes of the parts are done.
    @raise ImageError: a part or a size is wrong, or the key is not for us.
    """
    session_key, session_iv = _session(manifest, keys)
    cipher = Cipher(algorithms.AES(session_key), modes.CBC(session_iv)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    left = manifest.bundled_size
    with open(target, "xb") as out:
        for part in manifest.parts:
            sha1 = hashlib.sha1(usedforsecurity=False)
            for data in read_part(part.filename):
                keep_on()
                sha1.update(data)
                left -= len(data)
                if left < 0:
                    raise ImageError("the parts are longer than the manifest's bundled_size")
                out.write(unpadder.update(cipher.update(data)))
                report(manifest.bundled_size - left)
            if sha1.hexdigest() != part.digest:
                raise ImageError(f"part {part.filename} does not have the digest of the manifest")
        if left:
            raise ImageError("the parts are shorter than the manifest's bundled_size")
        try:
            out.write(unpadder.update(cipher.finalize()) + unpadder.finalize())
        except ValueError:
            # also what a wrong key looks like; which of them it is, is not told
            raise ImageError(_NOT_FOR_US) from None


def _session(manifest: Manifest, keys: Iterable[rsa.RSAPrivateKey]) -> tuple[bytes, bytes]:
    """The bundle's own key and its IV."""
    for key in keys:
        found = _unseal(key, manifest.cloud_key), _unseal(key, manifest.cloud_iv)
        if found[0] is not None and found[1] is not None:
            return found[0], found[1]
    raise ImageError(_NOT_FOR_US)


def _unseal(key: rsa.RSAPrivateKey, sealed: bytes) -> bytes | None:
    """A session key or IV: what is encrypted is its hexadecimal text."""
    try:
        text = key.decrypt(sealed, rsa_padding.PKCS1v15())
    except ValueError:
        return None
    return bytes.fromhex(text.decode()) if _SECRET.match(text) else None


def untar(
    manifest: Manifest,
    source: str,
    target: str,
    keep_on: Callable[[], None],
    report: Callable[[int], None],
) -> None:
    """
    Unpack the one file of a gzipped tar. It is safe on the disk then.

    @param report: told how many bytes of the file are done.
    @raise ImageError: the archive is not what it should be.
    """
    try:
        with gzip.open(source, "rb") as unzipped:
            reader = _Reader(cast(IO[bytes], unzipped), keep_on)
            with tarfile.open(fileobj=cast(IO[bytes], reader), mode="r:") as tar:
                _extract(tar, reader, manifest, target, report)
            reader.rest()
    except _BROKEN as error:
        raise ImageError("the bundle does not hold a gzipped tar archive") from error
    if manifest.digest not in (EMPTY_SHA1, reader.sha1.hexdigest()):
        raise ImageError("the tar archive does not have the digest of the manifest")
    check_raw(target)


def _extract(
    tar: tarfile.TarFile,
    reader: _Reader,
    manifest: Manifest,
    target: str,
    report: Callable[[int], None],
) -> None:
    member = tar.next()
    if member is None:
        raise ImageError("the archive is empty")
    if not (member.isreg() or member.issparse()) or member.islnk():
        raise ImageError("the archive holds something else than one plain file")
    if member.size != manifest.size:
        raise ImageError("the file in the archive does not have the size of the manifest")
    end = 0
    for offset, count in cast(list[tuple[int, int]], member.sparse) or ():
        if offset < end or count < 0 or offset + count > member.size:
            raise ImageError("the archive's map of a sparse file makes no sense")
        end = offset + count
    content = tar.extractfile(member)
    assert content is not None
    reader.allow(manifest.size + _OVERHEAD)
    with content, open(target, "xb") as out:
        left = member.size
        while left:
            data = content.read(min(_CHUNK, left))
            if not data:
                raise ImageError("the archive ends in the middle of the file")
            left -= len(data)
            report(member.size - left)
            if data.count(0) == len(data):
                out.seek(len(data), os.SEEK_CUR)  # a hole
            else:
                out.write(data)
        out.truncate(member.size)
        out.flush()
        os.fsync(out.fileno())
    reader.allow(_OVERHEAD)
    if tar.next() is not None:
        raise ImageError("the archive holds more than one file")


class _Reader(io.RawIOBase):
    """
    A stream that tells its position and goes forward only, as far as it is allowed to.

    What tarfile reads of headers it reads into memory, however long they say
    they are; so it may read little, but while the file itself is copied.
    """

    def __init__(self, file: IO[bytes], keep_on: Callable[[], None]) -> None:
        super().__init__()
        self._file = file
        self._keep_on = keep_on
        self._position = 0
        self._allowed = _OVERHEAD
        self.sha1 = hashlib.sha1(usedforsecurity=False)

    def allow(self, count: int) -> None:
        """From here on, so many bytes may be read."""
        self._allowed = count

    def read(self, size: int = -1) -> bytes:
        self._keep_on()
        if size < 0 or size > self._allowed:
            raise ImageError("the archive unpacks to more than the manifest says")
        data = self._file.read(size)
        self.sha1.update(data)
        self._position += len(data)
        self._allowed -= len(data)
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET or position < self._position:
            raise ImageError("the archive's parts are out of order")
        while position > self._position:
            if not self.read(min(_CHUNK, position - self._position)):
                break
        return self._position

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def rest(self) -> None:
        """Read to the end: only there the checksum of gzip is known."""
        while self.read(min(_CHUNK, self._allowed) or 1):
            pass
