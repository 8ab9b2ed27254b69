"""The daemon nova-objectstore with TLS: whom it serves, and the day its certificate is renewed."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_tx import installed
from nova_tx.context import RequestContext
from nova_tx.errors import StartupError, Unavailable
from nova_tx.flags import S3Flags
from nova_tx.image.objectstore import ObjectstoreImages
from nova_tx.testing.certificates import Authority, Issued
from nova_tx.testing.daemons import until
from nova_tx.testing.objectstore_daemon import ObjectstoreDaemon, running_daemon
from nova_tx.testing.objectstore_server import known_users

ADDRESSES = ["127.0.0.1"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectstoreDaemon]:
    """One process."""
    directory = tmp_path_factory.mktemp("tls")
    authority = Authority(directory / "authority")
    with running_daemon(directory / "state", authority=authority) as made:
        yield made


def number(connection: socket.socket) -> str:
    """The number of the certificate that a server showed, as its log has it."""
    assert isinstance(connection, ssl.SSLSocket)
    certificate = connection.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"]).lower().lstrip("0")


def shown(daemon: ObjectstoreDaemon, tries: int = 20) -> set[str]:
    """What new connections are shown."""
    found = set()
    for _ in range(tries):
        with daemon.endpoint.connect() as connection:
            found.add(number(connection))
    return found


def ask(connection: socket.socket) -> bytes:
    """Ask something on a connection that is kept; returns the beginning of the answer."""
    connection.sendall(b"HEAD /nothing HTTP/1.1\r\nhost: x\r\n\r\n")
    found = b""
    while not found.endswith(b"\r\n\r\n"):
        more = connection.recv(65536)
        assert more, found
        found += more
    return found.partition(b"\r\n")[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_reloaded(tmp_path: Path, authority: Authority, workers: int) -> None:
    """SIGHUP to the first process has all of them show a new certificate to who comes then; who is
    there stays; a pair that is no good is logged, and the one before is shown on."""
    flags = f"--objectstore_workers={workers}"
    with running_daemon(tmp_path / "state", flags, authority=authority) as daemon:
        until(lambda: daemon.log().count(" ready\n") == workers, "all processes")

        def told(text: str) -> None:
            before = daemon.log().count(text)
            os.kill(daemon.pid, signal.SIGHUP)
            until(lambda: daemon.log().count(text) >= before + workers, f"{text} in the log")

        with daemon.endpoint.connect() as early:
            old = number(early)
            assert shown(daemon) == {old}
            assert ask(early) == b"HTTP/1.1 404 Not Found"

            issued = authority.issue("objectstore", ADDRESSES)
            told("TLS of the objectstore: CN=objectstore")
            [new] = shown(daemon)
            assert new != old and f"number {new}," in daemon.log()
            assert ask(early) == b"HTTP/1.1 404 Not Found"

            issued.key.write_bytes(authority.issue("another", ADDRESSES).key.read_bytes())
            told("does not fit the certificate")
            issued.certificate.unlink()
            told(f"can't read {issued.certificate}, needed for TLS of the objectstore")
            assert shown(daemon) == {new}
            assert ask(early) == b"HTTP/1.1 404 Not Found"
        assert daemon.log().count("what was read before stays in use") == 2 * workers
        assert "Traceback" not in daemon.log() and " ended: " not in daemon.log()
        assert daemon.stop() == 0


def test_killed_one_has_the_new_pair(tmp_path: Path, authority: Authority) -> None:
    """A process that is started again reads what is there then."""
    flags = "--objectstore_workers=2"
    with running_daemon(tmp_path / "state", flags, authority=authority) as daemon:
        until(lambda: daemon.log().count(" ready\n") == 2, "both processes")
        authority.issue("objectstore", ADDRESSES)
        [mate] = daemon.mates()
        os.kill(mate, signal.SIGKILL)
        until(lambda: daemon.log().count(" ready\n") == 3, "another process")
        until(lambda: len(shown(daemon)) == 2, "a connection to each")


def test_scheme_forgotten(tmp_path: Path, authority: Authority) -> None:
    """A daemon with TLS that others are told to ask by http warns of it."""
    daemon = ObjectstoreDaemon(tmp_path / "state", authority=authority)
    with daemon.flagfile.open("a") as file:
        file.write("--s3_scheme=http\n")
    try:
        daemon.start()
        assert "WARNING" in daemon.log()
        assert "the objectstore has TLS, but --s3_scheme is not https" in daemon.log()
    finally:
        daemon.close()


def context(daemon: ObjectstoreDaemon) -> ssl.SSLContext:
    """Of a client that would take anything."""
    made = ssl.create_default_context(cafile=daemon.endpoint.verify)
    made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    made.set_ciphers("ALL:@SECLEVEL=0")
    return made


def secured(daemon: ObjectstoreDaemon, how: ssl.SSLContext) -> tuple[str, str]:
    """The version and the cipher that a client gets."""
    with (
        socket.create_connection(("127.0.0.1", daemon.port), 120) as link,
        how.wrap_socket(link, server_hostname="127.0.0.1") as connection,
    ):
        assert connection.compression() is None
        cipher = connection.cipher()
        assert cipher is not None
        return connection.version() or "", cipher[0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_versions(daemon: ObjectstoreDaemon) -> None:
    """TLS 1.3 and 1.2 are spoken, 1.1 is refused; and so are ciphers without forward secrecy."""
    how = context(daemon)
    assert secured(daemon, how)[0] == "TLSv1.3"
    how.maximum_version = ssl.TLSVersion.TLSv1_2
    version, cipher = secured(daemon, how)
    assert version == "TLSv1.2" and cipher.startswith("ECDHE-") and "GCM" in cipher
    how.set_ciphers("kRSA:ECDHE+AES+SHA:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
        secured(daemon, how)
    how = context(daemon)
    how.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        secured(daemon, how)


def test_plain_http(daemon: ObjectstoreDaemon) -> None:
    """Who forgets the s of https is hung up on without an answer, and the log has no traceback."""
    before = len(daemon.log())
    with socket.create_connection(("127.0.0.1", daemon.port), 120) as link:
        link.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        found = b"".join(iter(lambda: link.recv(65536), b""))
    assert found == b""
    assert daemon.s3().list_buckets()["Owner"]["ID"] == "joe"
    assert "Traceback" not in daemon.log()[before:]


def test_who_does_not_trust_it(daemon: ObjectstoreDaemon, authority: Authority) -> None:
    """A client that has another CA does not send it a request."""
    how = ssl.create_default_context(cafile=str(authority.path))
    with pytest.raises(ssl.SSLCertVerificationError):
        secured(daemon, how)


async def test_services_that_do_not_trust_it(
    daemon: ObjectstoreDaemon, authority: Authority
) -> None:
    """Our own services ask nothing of an objectstore whose certificate is another's, and say so."""
    from twisted.internet import reactor

    users, ours = await known_users(), daemon.endpoint.verify or ""
    for host, ca, expected in (
        ("127.0.0.1", ours, ""),
        ("127.0.0.1", str(authority.path), "certificate verify failed"),
        ("127.0.0.1", "", "certificate verify failed"),
        ("localhost", ours, "its certificate is another host's"),
    ):
        flags = S3Flags(s3_scheme="https", s3_host=host, s3_port=daemon.port, s3_ssl_ca=ca)
        images = ObjectstoreImages(flags, users, reactor)
        await images.open()
        try:
            said = ""
            assert await images.list(RequestContext("joe", "joe")) == ()
        except Unavailable as error:
            said = str(error)
        finally:
            await images.close()
        assert said.endswith(expected) and bool(said) == bool(expected)
    missing = S3Flags(s3_scheme="https", s3_ssl_ca="/nowhere")
    with pytest.raises(StartupError, match="can't read /nowhere, needed for TLS to the objectsto"):
        await ObjectstoreImages(missing, users, reactor).open()


def test_closed_at_once(daemon: ObjectstoreDaemon) -> None:
    """A connection that is not to be kept is closed by the daemon, without the client's word."""
    with daemon.endpoint.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        below = connection.detach()
    with socket.socket(fileno=below) as link:
        link.settimeout(120)
        while link.recv(65536):
            pass


@pytest.mark.parametrize(
    "fault", ["half", "missing", "unreadable", "unfit", "no key", "no certificate", "encrypted"]
)
def test_refused_at_start(tmp_path: Path, authority: Authority, fault: str) -> None:
    """A pair that can't be used ends the daemon with one sentence that says why."""
    issued = authority.issue("objectstore", ADDRESSES)
    made = ObjectstoreDaemon(tmp_path / "state", *_flags(authority, issued, fault))
    done = subprocess.run(
        made.argv, capture_output=True, text=True, cwd=installed.base(), timeout=120
    )
    certificate, key = issued.certificate, issued.key
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[-1].partition(": ")[2]
        == {
            "half": "--s3_ssl_cert and --s3_ssl_key go together: both or none",
            "missing": f"can't read {certificate}, needed for TLS of the objectstore: "
            "No such file or directory",
            "unreadable": f"can't read {key}, needed for TLS of the objectstore: Is a directory",
            "unfit": f"the key in {key} does not fit the certificate in {certificate}",
            "no key": f"there is no key in {key}, needed for TLS of the objectstore",
            "no certificate": f"{certificate}, needed for TLS of the objectstore, is no good: "
            "there is no certificate in it",
            "encrypted": f"the key in {key}, needed for TLS of the objectstore, is encrypted: "
            "it must have no passphrase",
        }[fault]
    )
    assert "Traceback" not in done.stderr + done.stdout


def _flags(authority: Authority, issued: Issued, fault: str) -> list[str]:
    key = issued.key
    if fault == "half":
        return [f"--s3_ssl_cert={issued.certificate}"]
    if fault == "missing":
        issued.certificate.unlink()
    elif fault == "unreadable":
        key.unlink()
        key.mkdir()
    elif fault == "unfit":
        key.write_bytes(authority.issue("another", ADDRESSES).key.read_bytes())
    elif fault == "no key":
        key.write_text("nothing")
    elif fault == "no certificate":
        issued.certificate.write_text("nothing")
    else:
        argv = ["openssl", "pkcs8", "-topk8", "-in", str(key), "-out", f"{key}.new"]
        subprocess.run([*argv, "-passout", "pass:word"], check=True)
        os.replace(f"{key}.new", key)
    return [f"--s3_ssl_cert={issued.certificate}", f"--s3_ssl_key={key}"]
