"""A pair of files becomes what a listener is known by; a pair that is no good does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from nova_tx.errors import StartupError
from nova_tx.taps.tls import Identity, identify, load
from nova_tx.testing.certificates import Authority, Issued


def now_deferred(fn: Callable[..., Any], *args: Any) -> Deferred[Any]:
    """What a thread would do, at once."""
    return maybeDeferred(fn, *args)


@pytest.fixture
def clock() -> Clock:
    made = Clock()
    made.advance(time.time())
    return made


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def issued(authority: Authority) -> Issued:
    return authority.issue("door", ["127.0.0.1"])


def warnings(issued: Issued) -> list[str]:
    """What is to be said of a pair that is used."""
    return load(str(issued.certificate), str(issued.key), "a test", datetime.now(UTC))[2]


def made(issued: Issued, clock: Clock) -> Identity:
    """Of a pair, not opened yet."""
    return Identity("door", str(issued.certificate), str(issued.key), clock, now_deferred)


def number(identity: Identity) -> int:
    """Of the certificate that a new connection shows."""

    class Factory:
        wrappedFactory = None

    class Wrapper:
        factory = Factory

    server = identity.serverConnectionForTLS(Wrapper())
    server.set_accept_state()
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    client.set_connect_state()
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                pass
            try:
                other.bio_write(one.bio_read(2**16))
            except SSL.WantReadError:
                pass
    found = client.get_peer_certificate(as_cryptography=True)
    assert found is not None
    return int(found.serial_number)


def test_good(issued: Issued) -> None:
    """There is nothing to say of a pair that is valid and kept from others."""
    assert warnings(issued) == []


def test_chain(authority: Authority, issued: Issued) -> None:
    """What a certificate comes from is in its file, after it, and sent with it."""
    with issued.certificate.open("ab") as file:
        file.write(authority.path.read_bytes())
    options, found, _ = load(str(issued.certificate), str(issued.key), "x", datetime.now(UTC))
    assert "CN=door" in found.subject.rfc4514_string()
    assert len(options.extraCertChain) == 1


def test_ended(authority: Authority) -> None:
    """A certificate that is valid no longer is used, with a warning."""
    [text] = warnings(authority.issue("door", ["127.0.0.1"], ended=True))
    assert "has expired" in text


def test_not_begun(issued: Issued) -> None:
    """So is one that is not valid yet."""
    past = datetime(2020, 1, 1, tzinfo=UTC)
    [text] = load(str(issued.certificate), str(issued.key), "a test", past)[2]
    assert "not valid yet" in text


@pytest.mark.parametrize(("mode", "count"), [(0o600, 0), (0o640, 0), (0o644, 1), (0o602, 1)])
def test_key_of_all(issued: Issued, mode: int, count: int) -> None:
    """A key that everyone can read is used, with a warning; a group may be meant to."""
    issued.key.chmod(mode)
    found = warnings(issued)
    assert len(found) == count and all(str(issued.key) in each for each in found)


def test_weak(issued: Issued, tmp_path: Path) -> None:
    """A key that OpenSSL finds too weak is refused with OpenSSL's reason."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.public_key(key.public_key()).not_valid_before(datetime(2020, 1, 1))
    signed = builder.not_valid_after(datetime(2100, 1, 1)).sign(key, hashes.SHA256())
    issued.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
    issued.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(StartupError, match=r"no good for a test: .*key too small"):
        warnings(issued)


async def test_reloaded(authority: Authority, clock: Clock, logged_errors: Any) -> None:
    """A new pair is shown from then on; one that is no good is logged and leaves the last."""
    issued = authority.issue("door", ["127.0.0.1"])
    identity = made(issued, clock)
    await identity.open()
    first = number(identity)
    authority.issue("door", ["127.0.0.1"])
    await identity.reload()
    second = number(identity)
    assert second != first
    issued.key.unlink()
    await identity.reload()
    assert number(identity) == second
    [text] = logged_errors.flush()
    assert text == (
        f"can't read {issued.key}, needed for TLS of the door: No such file or directory; "
        "what was read before stays in use"
    )


async def test_not_opened(issued: Issued, clock: Clock) -> None:
    """Before it is opened there is nothing to reload, and what is wrong then ends the start."""
    identity = made(issued, clock)
    issued.key.unlink()
    await identity.reload()
    with pytest.raises(StartupError, match="can't read"):
        await identity.open()


async def test_in_turn(authority: Authority, clock: Clock) -> None:
    """Told twice at once, it reads twice, and what it read last counts."""
    issued = authority.issue("door", ["127.0.0.1"])
    begun: list[Deferred[None]] = []

    def slowly(fn: Callable[..., Any], *args: Any) -> Deferred[Any]:
        begun.append(Deferred())
        return begun[-1].addCallback(lambda _: fn(*args))

    identity = Identity("door", str(issued.certificate), str(issued.key), clock, slowly)
    opening = Deferred.fromCoroutine(identity.open())
    begun[0].callback(None)
    await opening
    told = [Deferred.fromCoroutine(identity.reload()) for _ in range(2)]
    assert len(begun) == 2
    first = number(identity)
    begun[1].callback(None)
    authority.issue("door", ["127.0.0.1"])
    begun[2].callback(None)
    for each in told:
        await each
    assert len(begun) == 3 and number(identity) != first


@pytest.mark.parametrize("paths", [("a", ""), ("", "b")])
def test_both_or_none(paths: tuple[str, str], clock: Clock) -> None:
    """A certificate without a key is a mistake, and so is a key without a certificate."""
    with pytest.raises(StartupError, match="--s3_ssl_cert and --s3_ssl_key go together"):
        identify("objectstore", "s3", paths, clock)
    assert identify("objectstore", "s3", ("", ""), clock) is None
