"""
Making an image bundle of a file: tar, gzip, AES, parts, manifest.      [spec/04 section 4]

What C{euca-bundle-image} does, in one pass and without a temporary file.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import secrets
import tarfile
from collections.abc import Callable
from typing import IO, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from nova_tx.image import manifest
from nova_tx.image.manifest import Manifest, Part


def bundle(
    source: str,
    directory: str,
    prefix: str,
    arch: str,
    kernel: str | None,
    ramdisk: str | None,
    user_key: bytes,
    user_cert: bytes,
    cloud_cert: bytes,
    *,
    user: str = "42",
    part_bytes: int = manifest.PART_BYTES,
    progress: Callable[[int], None] = lambda read: None,
) -> tuple[str, ...]:
    """
    Write C{prefix.part.N} and C{prefix.manifest.xml} into a directory.

    Blocks; returns the paths of the parts, and last the manifest's.

    @param arch: i386 or x86_64.
    @param kernel: the kernel's image id; C{true} if the source is a kernel.
    @param ramdisk: the same of the ramdisk.
    @param user_key: PEM of the key that signs.
    @param user_cert: PEM of the certificate that may decrypt.
    @param cloud_cert: PEM of the cloud's certificate, which may too.
    @param progress: called with the number of bytes of the source read so far.
    @raise OSError: a file can't be read or written.
    @raise ValueError: a key or certificate can't be read.
    """
    signer = serialization.load_pem_private_key(user_key, None)
    if not isinstance(signer, rsa.RSAPrivateKey):
        raise ValueError("the user's key is no RSA key")
    session_key, session_iv = secrets.token_hex(16).encode(), secrets.token_hex(16).encode()
    splitter = _Splitter(directory, prefix, part_bytes)
    try:
        digest, size = _pour(source, session_key, session_iv, splitter, progress)
    finally:
        parts = splitter.close()
    text = manifest.write(
        Manifest(
            architecture=arch,
            kernel_id=kernel,
            ramdisk_id=ramdisk,
            name=os.path.basename(source),
            user=user,
            digest=digest,
            size=size,
            bundled_size=splitter.size,
            cloud_key=_seal(cloud_cert, session_key),
            cloud_iv=_seal(cloud_cert, session_iv),
            user_key=_seal(user_cert, session_key),
            user_iv=_seal(user_cert, session_iv),
            parts=parts,
        ),
        lambda signed: signer.sign(signed, rsa_padding.PKCS1v15(), hashes.SHA1()),
    )
    path = os.path.join(directory, f"{prefix}.manifest.xml")
    with open(path, "wb") as file:
        file.write(text)
    return (*(os.path.join(directory, part.filename) for part in parts), path)


def _seal(certificate: bytes, secret: bytes) -> bytes:
    key = x509.load_pem_x509_certificate(certificate).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("the certificate's key is no RSA key")
    return key.encrypt(secret, rsa_padding.PKCS1v15())


def _pour(
    source: str,
    session_key: bytes,
    session_iv: bytes,
    splitter: _Splitter,
    progress: Callable[[int], None],
) -> tuple[str, int]:
    """Source to parts; returns the SHA-1 of the tar and the bytes of the source."""
    encrypter = _Encrypter(session_key, session_iv, splitter.write)
    with open(source, "rb") as file:
        zipped = gzip.GzipFile("", "wb", 6, cast(IO[bytes], encrypter), mtime=0)
        digester = _Digester(zipped.write)
        member = tarfile.TarInfo(os.path.basename(source))
        member.size = os.fstat(file.fileno()).st_size
        member.mode = 0o644
        with tarfile.open(mode="w|", fileobj=cast(IO[bytes], digester)) as tar:
            tar.addfile(member, cast(IO[bytes], _Counted(file, progress)))
        zipped.close()
    encrypter.finish()
    return digester.sha1.hexdigest(), member.size


class _Counted:
    def __init__(self, file: IO[bytes], progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress
        self._count = 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._count += len(data)
        self._progress(self._count)
        return data


class _Digester:
    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.sha1 = hashlib.sha1(usedforsecurity=False)

    def write(self, data: bytes) -> int:
        self.sha1.update(data)
        self._write(data)
        return len(data)


class _Encrypter:
    """AES-128-CBC with PKCS#7 padding."""

    def __init__(self, key: bytes, iv: bytes, write: Callable[[bytes], None]) -> None:
        cipher = Cipher(
            algorithms.AES(bytes.fromhex(key.decode())), modes.CBC(bytes.fromhex(iv.decode()))
        )
        self._padder = padding.PKCS7(128).padder()
        self._cipher = cipher.encryptor()
        self._write = write

    def write(self, data: bytes) -> int:
        self._write(self._cipher.update(self._padder.update(data)))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept but what fills no block."""

    def finish(self) -> None:
        """Write the padding."""
        self._write(self._cipher.update(self._padder.finalize()) + self._cipher.finalize())


class _Splitter:
    """
    Files C{prefix.part.N} of the same length.

    @ivar size: bytes written to all of them.
    """

    def __init__(self, directory: str, prefix: str, part_bytes: int) -> None:
        self._directory = directory
        self._prefix = prefix
        self._part_bytes = part_bytes
        self._parts: list[Part] = []
        self._file: IO[bytes] | None = None
        self._name = ""
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._left = 0
        self.size = 0

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._file is None:
                self._open()
            assert self._file is not None
            piece = view[: self._left]
            self._file.write(piece)
            self._sha1.update(piece)
            self._left -= len(piece)
            self.size += len(piece)
            view = view[len(piece) :]
            if not self._left:
                self._end_part()

    def close(self) -> tuple[Part, ...]:
        """The parts, all of them closed."""
        if self._file is not None:
            self._end_part()
        return tuple(self._parts)

    def _open(self) -> None:
        self._name = f"{self._prefix}.part.{len(self._parts)}"
        self._file = open(os.path.join(self._directory, self._name), "wb")  # noqa: SIM115
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._left = self._part_bytes

    def _end_part(self) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None
        self._parts.append(Part(self._name, self._sha1.hexdigest()))
