"""SSH keys in the forms that they are brought in, and their fingerprints."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_tx.errors import MalformedKey
from nova_tx.operations.public_keys import (
    ED25519,
    RSA,
    fingerprint_of_2011,
    generate,
    imported,
)

#: Made by ssh-keygen; the fingerprints are what openssl and ssh-keygen say of them.
RSA_BLOB = (
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQDWw05kd660n/XrzqUbsAAXiG5v61dngRWBWLDKZUHNmyxR7KPJ"
    "aCZjPTpYMrXVXXgnQMc1E/h2dU+ZpVpcNqksvEwGMe4gGtMxx0/0kTTuxakpT5EJRz9sxUfn1/Vi/l8o"
    "G1SfwQOVXATHElY6TKHmi4ld+VPwV+E7oG0OPnz1WMcl8UNmZhEK/lcMLgPjxAN7mriokirO3OG7QWyg"
    "LufCZg9BH1l1tNYvxoDSZNEhOiHXQsX03BbgTm0VuSOPGNE+sys8gt3qZ8Vmg7oh/L8nmhM7yehczCgO"
    "dMnxkzZr2d7j4e8QHRCsuu6wINxeqwkBjKyuaYR0rhITjUFVqATz"
)
RSA_DER = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1sNOZHeutJ/1686lG7AAF4hub+tXZ4EVgViw"
    "ymVBzZssUeyjyWgmYz06WDK11V14J0DHNRP4dnVPmaVaXDapLLxMBjHuIBrTMcdP9JE07sWpKU+RCUc/"
    "bMVH59f1Yv5fKBtUn8EDlVwExxJWOkyh5ouJXflT8FfhO6BtDj589VjHJfFDZmYRCv5XDC4D48QDe5q4"
    "qJIqztzhu0FsoC7nwmYPQR9ZdbTWL8aA0mTRIToh10LF9NwW4E5tFbkjjxjRPrMrPILd6mfFZoO6Ify/"
    "J5oTO8noXMwoDnTJ8ZM2a9ne4+HvEB0QrLrusCDcXqsJAYysrmmEdK4SE41BVagE8wIDAQAB"
)
RSA_MD5 = "26:aa:c7:e4:d9:eb:a0:e6:bd:94:ed:0a:b6:2f:f2:94"
RSA_MD5_OF_2011 = "99:e3:2c:d3:1a:0c:08:50:5a:ab:d5:fb:70:b3:d8:d7"
ED25519_BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAID6A/m5YjRRPtXw2GvHm79yEcn23iWIoi6UsJIk99Pex"
ED25519_SHA256 = "vl5dIA9TFTrFwZqJ8pbuZh4DAejv1fzjEP8NYnqVN34="


def wrapped(text: str) -> str:
    """Text in lines of 70."""
    return "\n".join(text[at : at + 70] for at in range(0, len(text), 70))


def ssh2(blob: str) -> str:
    """The form of RFC 4716, with headers, one of which goes on in the next line."""
    return (
        "---- BEGIN SSH2 PUBLIC KEY ----\n"
        'Comment: "This is a comment of \\\njoe@home"\nx-command: /home/joe\n'
        f"{wrapped(blob)}\n---- END SSH2 PUBLIC KEY ----\n"
    )


def brought(text: str) -> str:
    """As it is sent."""
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"ssh-rsa {RSA_BLOB}",
        f"ssh-rsa {RSA_BLOB} joe@home\n",
        f"ssh-rsa {RSA_BLOB} a longer comment\r\n",
        ssh2(RSA_BLOB),
        ssh2(RSA_BLOB).replace("\n", "\r\n"),
        RSA_DER,
        wrapped(RSA_DER),
        f"-----BEGIN PUBLIC KEY-----\n{wrapped(RSA_DER)}\n-----END PUBLIC KEY-----\n",
    ],
)
def test_rsa(text: str) -> None:
    """Every form gives the same line, and the fingerprint that openssl makes of the DER."""
    key = imported(brought(text))
    assert (key.kind, key.line) == (RSA, f"ssh-rsa {RSA_BLOB}")
    assert key.fingerprint == RSA_MD5
    assert fingerprint_of_2011(f"{key.line} k") == RSA_MD5_OF_2011


@pytest.mark.parametrize("text", [f"ssh-ed25519 {ED25519_BLOB} joe@home", ssh2(ED25519_BLOB)])
def test_ed25519(text: str) -> None:
    """The fingerprint of ED25519 is what ssh-keygen says, padded."""
    key = imported(brought(text))
    assert (key.kind, key.line) == (ED25519, f"ssh-ed25519 {ED25519_BLOB}")
    assert key.fingerprint == ED25519_SHA256


def _ecdsa() -> str:
    return (
        generate_private_key(SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode()
    )


@pytest.mark.parametrize(
    "material",
    [
        "",
        "%",
        f"ssh-rsa {RSA_BLOB}",
        brought(""),
        brought("ssh-rsa"),
        brought("ssh-rsa "),
        brought("ssh-rsa AAAA"),
        brought(f"ssh-rsa {RSA_BLOB[:-8]}"),
        brought(f"ssh-rsa {RSA_BLOB}\nssh-rsa {RSA_BLOB}"),
        brought(f'command="/bin/sh" ssh-rsa {RSA_BLOB}'),
        brought(f"ssh-dss {RSA_BLOB}"),
        brought(_ecdsa()),
        brought(ssh2(_ecdsa().split()[1])),
        brought(ssh2("AAAA")),
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(bytes(40_000)).decode(),
    ],
)
def test_none(material: str) -> None:
    """What is no RSA or ED25519 key, or more than one, is refused."""
    with pytest.raises(MalformedKey):
        imported(material)


def test_private() -> None:
    """A private key sent by mistake is refused without a word of it."""
    with pytest.raises(MalformedKey) as caught:
        imported(brought(generate(ED25519).private))
    assert str(caught.value) == "Key is not in valid OpenSSH public key format"
    assert caught.value.__suppress_context__


def test_too_long() -> None:
    """An RSA key longer than guests' sshd takes is refused."""
    number = rsa.RSAPublicNumbers(65537, 2**16500 + 1).public_key()
    line = number.public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    ).decode()
    with pytest.raises(MalformedKey, match="1024 to 16384 bits"):
        imported(brought(line))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(RSA_BLOB) - 1), st.binary(max_size=6), st.booleans())
def test_broken(at: int, instead: bytes, as_ssh2: bool) -> None:
    """Whatever is wrong inside a key, it is taken or refused, and nothing else."""
    blob = base64.b64decode(RSA_BLOB)
    place = at * len(blob) // len(RSA_BLOB)
    spoilt = base64.b64encode(blob[:place] + instead + blob[place + len(instead) :]).decode()
    text = ssh2(spoilt) if as_ssh2 else f"ssh-rsa {spoilt}"
    try:
        assert imported(brought(text)).kind == RSA
    except MalformedKey:
        pass


def test_made_rsa() -> None:
    """RSA made here: 2048 bits, traditional PEM, SHA-1 of the private key's DER."""
    made = generate(RSA)
    key = serialization.load_pem_private_key(made.private.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey) and key.key_size == 2048
    assert made.private.startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    assert made.public.fingerprint.replace(":", "") == hashlib.sha1(der).hexdigest()
    assert imported(brought(made.public.line)).line == made.public.line


def test_made_ed25519() -> None:
    """ED25519 made here: OpenSSH's private form; imported again it has the same fingerprint."""
    made = generate(ED25519)
    key = serialization.load_ssh_private_key(made.private.encode(), None)
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    assert made.public.line == public.decode()
    assert imported(brought(made.public.line)) == made.public


def test_not_printed() -> None:
    """The printed form of a new key has no private half."""
    made = generate(ED25519)
    assert made.private[40:80] not in repr(made)
