"""Bundles as they are written."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from nova_tx.errors import ImageError
from nova_tx.image import manifest as manifests
from nova_tx.testing.objectstore import identity, make_bundle

CONTENT = os.urandom(200_000)


def _key(name: str) -> Any:
    return serialization.load_pem_private_key(identity(name)[0], None)


@pytest.mark.parametrize("name", ["cloud", "joe"])
def test_bundle(tmp_path: Path, name: str) -> None:
    """The cloud and the user can both get back what was bundled, with their keys."""
    *parts, manifest_file = make_bundle(tmp_path, CONTENT, part_bytes=65536)
    found = manifests.parse(Path(manifest_file).read_bytes())
    pieces = [Path(each).read_bytes() for each in parts]
    assert [each.filename for each in found.parts] == [Path(each).name for each in parts]
    assert [each.digest for each in found.parts] == [hashlib.sha1(x).hexdigest() for x in pieces]
    assert {len(each) for each in pieces[:-1]} == {65536}
    assert (found.size, found.bundled_size) == (len(CONTENT), sum(map(len, pieces)))

    sealed = (
        (found.cloud_key, found.cloud_iv) if name == "cloud" else (found.user_key, found.user_iv)
    )
    key, iv = (_key(name).decrypt(each, rsa_padding.PKCS1v15()).decode() for each in sealed)
    assert (len(key), key) == (32, key.lower())
    cipher = Cipher(algorithms.AES(bytes.fromhex(key)), modes.CBC(bytes.fromhex(iv))).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    zipped = unpadder.update(cipher.update(b"".join(pieces))) + unpadder.finalize()
    with tarfile.open(fileobj=io.BytesIO(zipped), mode="r:gz") as tar:
        [member] = tar.getmembers()
        content: Any = tar.extractfile(member)
        assert content.read() == CONTENT


def test_signature(tmp_path: Path) -> None:
    """The signature is the user's, of the two elements as they stand in the document."""
    text = Path(make_bundle(tmp_path, b"content", kernel="aki-1")[-1]).read_bytes()
    found = manifests.parse(text)
    assert found.signed.startswith(b"<machine_configuration><architecture>x86_64<")
    assert found.signed.endswith(b"</parts></image>")
    for each in found.signed.partition(b"</machine_configuration>")[::2]:
        assert each in text
    arguments = (found.signature, found.signed, rsa_padding.PKCS1v15(), hashes.SHA1())
    _key("joe").public_key().verify(*arguments)


def test_progress(tmp_path: Path) -> None:
    """Progress goes up to the size of the file."""
    seen: list[int] = []
    make_bundle(tmp_path, CONTENT, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)


def test_roundtrip(tmp_path: Path) -> None:
    """What is written is read as it was, characters of XML included."""
    found = manifests.parse(Path(make_bundle(tmp_path, b"x", ramdisk="true")[-1]).read_bytes())
    text = manifests.write(replace(found, name="<a>&b"), lambda signed: b"\x01")
    again = manifests.parse(text)
    assert (again.name, again.signature, again.type) == ("<a>&b", b"\x01", "ramdisk")


def test_escapes() -> None:
    """A manifest whose elements are not in their places is refused, not guessed at."""
    with pytest.raises(ImageError, match="names no parts"):
        manifests.parse(b"<manifest><part><filename>a</filename></part></manifest>")
