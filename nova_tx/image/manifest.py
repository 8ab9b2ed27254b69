"""
The manifest of an image bundle: read and written.                     [spec/04 section 4]

A manifest comes from a user: it is read without document types or entities,
and nothing in it is believed before it was checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import escape

from nova_tx.errors import ImageError
from nova_tx.model.images import ARCHITECTURES

#: Bytes of the longest manifest that is read: enough for 20,000 parts.
MAX_BYTES = 4 * 2**20
#: Bytes of a part as bundles are split.
PART_BYTES = 10 * 2**20
#: The SHA-1 of nothing: what euca2ools up to 1.3.1 writes instead of a digest.
EMPTY_SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"

_DEEPEST = 16
_SIGNED = ("machine_configuration", "image")
_SHA1 = re.compile(r"[0-9a-f]{40}\Z")
_HEX = re.compile(r"(?:[0-9a-f]{2}){1,2048}\Z")
_NUMBER = re.compile(r"[0-9]{1,18}\Z")


@dataclass(frozen=True)
class Part:
    """One file of a bundle, and the SHA-1 of it in hex."""

    filename: str
    digest: str


@dataclass(frozen=True)
class Manifest:
    """
    What a manifest says.

    @ivar kernel_id: the kernel to boot the image with, C{true} if it is one.
    @ivar ramdisk_id: the same of the ramdisk.
    @ivar user: the bundler's account, digits.
    @ivar digest: SHA-1 of the tar, or of nothing (L{EMPTY_SHA1}).
    @ivar size: bytes of the image.
    @ivar bundled_size: bytes of all parts together.
    @ivar cloud_key: session key for the cloud, and C{cloud_iv}: RSA texts.
    @ivar user_key: the same for the user who bundled, and C{user_iv}.
    @ivar signature: of C{signed}, by the user's private key; empty if there is none.
    """

    architecture: str
    kernel_id: str | None
    ramdisk_id: str | None
    name: str
    user: str
    digest: str
    size: int
    bundled_size: int
    cloud_key: bytes
    cloud_iv: bytes
    user_key: bytes
    user_iv: bytes
    parts: tuple[Part, ...]
    signature: bytes = b""
    signed: bytes = b""

    @property
    def type(self) -> str:
        """kernel, ramdisk or machine."""
        if self.kernel_id == "true":
            return "kernel"
        return "ramdisk" if self.ramdisk_id == "true" else "machine"


def parse(text: bytes) -> Manifest:
    """
    Read a manifest.

    @raise ImageError: it is not well formed, declares entities, lacks
        something or says what can't be; the text may be shown to the user.
    """
    root, signed = _tree(text)
    if root.tag != "manifest":
        raise ImageError("the manifest's first element is not <manifest>")
    parts = tuple(
        Part(_component(_text(each, "filename")), _match(each, "digest", _SHA1))
        for each in root.findall("image/parts/part")
    )
    if not parts:
        raise ImageError("the manifest names no parts")
    return Manifest(
        architecture=_architecture(root),
        kernel_id=_optional(root, "machine_configuration/kernel_id"),
        ramdisk_id=_optional(root, "machine_configuration/ramdisk_id"),
        name=_optional(root, "image/name") or "",
        user=_optional(root, "image/user") or "",
        digest=_match(root, "image/digest", _SHA1),
        size=int(_match(root, "image/size", _NUMBER)),
        bundled_size=int(_match(root, "image/bundled_size", _NUMBER)),
        cloud_key=bytes.fromhex(_match(root, "image/ec2_encrypted_key", _HEX)),
        cloud_iv=bytes.fromhex(_match(root, "image/ec2_encrypted_iv", _HEX)),
        user_key=bytes.fromhex(_match(root, "image/user_encrypted_key", _HEX, "")),
        user_iv=bytes.fromhex(_match(root, "image/user_encrypted_iv", _HEX, "")),
        parts=parts,
        signature=bytes.fromhex(_match(root, "signature", _HEX, "")),
        signed=signed,
    )


def _tree(text: bytes) -> tuple[Element, bytes]:
    """The elements, and the bytes of those that are signed, as they stand in the text."""
    if len(text) > MAX_BYTES:
        raise ImageError(f"the manifest is longer than {MAX_BYTES} bytes")
    builder = TreeBuilder()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    depth = 0
    begins: dict[str, int] = {}
    found: dict[str, bytes] = {}

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ImageError("the manifest's elements are nested too deeply")
        if depth == 2:
            begins[tag] = parser.CurrentByteIndex
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        if depth == 2 and tag in _SIGNED:
            if tag in found:
                raise ImageError(f"the manifest has two elements <{tag}>")
            found[tag] = text[begins[tag] : text.index(b">", parser.CurrentByteIndex) + 1]
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise ImageError("the manifest has a document type declaration, which is not allowed")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise ImageError(f"the manifest is not well-formed XML (line {error.lineno})") from None
    return builder.close(), b"".join(found.get(tag, b"") for tag in _SIGNED)


def _optional(root: Element, path: str) -> str | None:
    return (root.findtext(path) or "").strip() or None


def _text(root: Element, path: str) -> str:
    value = _optional(root, path)
    if value is None:
        raise ImageError(f"the manifest has no {path}")
    return value


def _match(root: Element, path: str, form: re.Pattern[str], default: str | None = None) -> str:
    if default is not None and _optional(root, path) is None:
        return default
    value = _text(root, path).lower()
    if form.match(value) is None:
        raise ImageError(f"the manifest's {path} is malformed")
    return value


def _architecture(root: Element) -> str:
    value = _optional(root, "machine_configuration/architecture") or "x86_64"
    if value not in ARCHITECTURES:
        raise ImageError(f"the manifest's architecture is none of {', '.join(ARCHITECTURES)}")
    return value


def _component(name: str) -> str:
    """A part lies beside its manifest: its name has no place for a path.      [spec/15 A11]"""
    if name in (".", "..") or "/" in name or "\\" in name or "\0" in name or len(name) > 255:
        raise ImageError("the manifest names a part by a path instead of a file name")
    return name


def write(manifest: Manifest, sign: Callable[[bytes], bytes]) -> bytes:
    """
    The text of a manifest, signed.

    @param sign: makes the signature of the bytes it is given; C{signed} and
        C{signature} of the manifest are not used.
    """
    configuration = _element(
        "machine_configuration",
        _leaf("architecture", manifest.architecture),
        _leaf("kernel_id", manifest.kernel_id),
        _leaf("ramdisk_id", manifest.ramdisk_id),
    )
    parts = [
        _element(
            f'part index="{index}"',
            _leaf("filename", part.filename),
            _leaf("digest", part.digest, "SHA1"),
        )
        for index, part in enumerate(manifest.parts)
    ]
    image = _element(
        "image",
        _leaf("name", manifest.name),
        _leaf("user", manifest.user),
        _leaf("type", "machine"),
        _leaf("digest", manifest.digest, "SHA1"),
        _leaf("size", str(manifest.size)),
        _leaf("bundled_size", str(manifest.bundled_size)),
        _leaf("ec2_encrypted_key", manifest.cloud_key.hex(), "AES-128-CBC"),
        _leaf("user_encrypted_key", manifest.user_key.hex(), "AES-128-CBC"),
        _leaf("ec2_encrypted_iv", manifest.cloud_iv.hex()),
        _leaf("user_encrypted_iv", manifest.user_iv.hex()),
        _element(f'parts count="{len(parts)}"', *parts),
    )
    signature = sign((configuration + image).encode())
    bundler = _element(
        "bundler",
        _leaf("name", "euca-tools"),
        _leaf("version", "1.3"),
        _leaf("release", "31337"),
    )
    whole = _element(
        "manifest",
        _leaf("version", "2007-10-10"),
        bundler,
        configuration,
        image,
        _leaf("signature", signature.hex()),
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{whole}\n'.encode()


def _leaf(tag: str, value: str | None, algorithm: str | None = None) -> str:
    if value is None:
        return ""
    attribute = f' algorithm="{algorithm}"' if algorithm else ""
    return f"<{tag}{attribute}>{escape(value)}</{tag}>"


def _element(opening: str, *children: str) -> str:
    return f"<{opening}>{''.join(children)}</{opening.split()[0]}>"
