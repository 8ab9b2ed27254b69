"""
SSH keys: made here, or brought along in one of the forms that EC2 takes; and their fingerprints.

Pure, but for the making of keys, which takes a while.
           [spec/09 section 8; AWS, ImportKeyPair and "Verify the fingerprint of your key pair"]
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)

from nova_tx.errors import MalformedKey

RSA, ED25519 = KINDS = "rsa", "ed25519"
#: Of keys made here; and of those brought along, as guests' sshd takes them.
KEY_BITS = 2048
SHORTEST, LONGEST = 1024, 16384
#: Bytes of a key that is brought along.
MOST_BYTES = 16 * 1024

_DER = serialization.Encoding.DER
_SSH_NAMES = {"ssh-rsa", "ssh-ed25519"}
_SSH2 = re.compile(
    r"---- BEGIN SSH2 PUBLIC KEY ----\n(.*?)\n---- END SSH2 PUBLIC KEY ----", re.DOTALL
)
_PEM = re.compile(r"-----BEGIN ((?:RSA )?PUBLIC KEY)-----\n(.*?)\n-----END \1-----", re.DOTALL)
_HEADER = re.compile(r"^[^\s:]{1,64}:(?:.*\\\n)*.*(?:\n|\Z)", re.MULTILINE)


@dataclass(frozen=True)
class PublicKey:
    """
    A key as guests get it.

    @ivar kind: one of L{KINDS}.
    @ivar line: a line of OpenSSH's C{authorized_keys}, without comment.
    @ivar fingerprint: as AWS shows it.
    """

    kind: str
    line: str
    fingerprint: str


@dataclass(frozen=True)
class NewKey:
    """
    A key made here.

    @ivar private: PEM, as ssh of its time reads it.
    """

    public: PublicKey
    private: str = field(repr=False)


def generate(kind: str) -> NewKey:
    """
    Make a key of one of the L{KINDS}.

    RSA is traditional PEM, as clients of 2011 expect it; ED25519 has OpenSSH's form only.
    """
    if kind == ED25519:
        young = Ed25519PrivateKey.generate()
        private = _private(young, serialization.PrivateFormat.OpenSSH)
        return NewKey(_ed25519(young.public_key()), private)
    key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    whole = key.private_bytes(_DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    digest = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    public = PublicKey(RSA, _line(key.public_key()), _with_colons(digest))
    return NewKey(public, _private(key, serialization.PrivateFormat.TraditionalOpenSSL))


def imported(material: str) -> PublicKey:
    """
    A key that was brought along: base64 of a line of OpenSSH, of SSH2's form (RFC 4716), of DER
    in base64, or of its PEM.

    @raise MalformedKey: it is none of these, not RSA or ED25519, too short or too long.
    """
    if len(material) > MOST_BYTES * 2:
        raise MalformedKey(f"The public key has more than {MOST_BYTES} bytes")
    try:
        text = _base64(material).decode("utf-8").replace("\r\n", "\n").strip()
        key = _loaded(text)
    except (ValueError, UnsupportedAlgorithm):
        # not a word of what it was: it may have been the private key
        raise MalformedKey("Key is not in valid OpenSSH public key format") from None
    if isinstance(key, Ed25519PublicKey):
        return _ed25519(key)
    if not isinstance(key, RSAPublicKey):
        raise MalformedKey("Only RSA and ED25519 keys can be imported")
    if not SHORTEST <= key.key_size <= LONGEST:
        raise MalformedKey(f"An RSA key has {SHORTEST} to {LONGEST} bits, not {key.key_size}")
    whole = key.public_bytes(_DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.md5(whole, usedforsecurity=False).hexdigest()
    return PublicKey(RSA, _line(key), _with_colons(digest))


def fingerprint_of_2011(line: str) -> str:
    """What ssh-keygen said then of a line of OpenSSH: MD5 with colons."""
    blob = b64decode(line.split()[1])
    return _with_colons(hashlib.md5(blob, usedforsecurity=False).hexdigest())


def _loaded(text: str) -> object:
    ssh2, pem = _SSH2.fullmatch(text), _PEM.fullmatch(text)
    if ssh2 is not None:
        return _from_blob(_base64(_HEADER.sub("", ssh2[1])))
    if pem is not None:
        return serialization.load_der_public_key(_base64(pem[2]))
    if "\n" not in text and text.partition(" ")[0] in _SSH_NAMES:
        return _from_blob(_base64(text.split()[1] if " " in text else ""))
    return serialization.load_der_public_key(_base64(text))


def _from_blob(blob: bytes) -> object:
    """A key of SSH's wire form, which begins with the length of its kind's name, and the name."""
    name = blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("ascii")
    if name not in _SSH_NAMES:
        raise ValueError(name)
    return serialization.load_ssh_public_key(f"{name} {b64encode(blob).decode()}".encode())


def _base64(text: str) -> bytes:
    return b64decode("".join(text.split()), validate=True)


def _ed25519(key: Ed25519PublicKey) -> PublicKey:
    line = _line(key)
    digest = hashlib.sha256(b64decode(line.split()[1])).digest()
    return PublicKey(ED25519, line, b64encode(digest).decode())


def _line(key: RSAPublicKey | Ed25519PublicKey) -> str:
    return key.public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    ).decode()


def _private(key: RSAPrivateKey | Ed25519PrivateKey, form: serialization.PrivateFormat) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    ).decode()


def _with_colons(digest: str) -> str:
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
