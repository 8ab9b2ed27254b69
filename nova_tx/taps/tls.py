"""
Who a listener is to those who come by TLS: a certificate with its chain, and the key to it.

Both are files that flags name.  They are read at start, and again when the daemon is told so
(SIGHUP): a pair that is no good is logged, and the one in use stays.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from zope.interface import implementer

from nova_tx import pem
from nova_tx.errors import StartupError

_log = Logger()

#: For TLS 1.2: forward secrecy and authenticated encryption; all of TLS 1.3's have both.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


@implementer(IOpenSSLServerConnectionCreator)
class Identity:
    """A certificate and its key, by which each new connection is served."""

    def __init__(
        self,
        door: str,
        certificate: str,
        key: str,
        clock: IReactorTime,
        in_thread: Callable[..., Awaitable[Any]] = deferToThread,
    ) -> None:
        """
        Nothing is read yet.

        @param door: what it is for, in words.
        @param certificate: path of a PEM file: the certificate, then what it comes from.
        @param key: path of a PEM file.
        @param in_thread: where files are read and checked.
        """
        self._purpose = f"TLS of the {door}"
        self._paths = certificate, key
        self._clock = clock
        self._in_thread = in_thread
        self._turn = DeferredLock()
        self._options: CertificateOptions | None = None

    async def open(self) -> None:
        """
        Read both.

        @raise StartupError: they can't be read, or are no good.
        """
        async with self._turn:
            await self._read()

    async def reload(self) -> None:
        """Read both again; connections from now on have them, if they are good."""
        async with self._turn:
            if self._options is None:
                return
            try:
                await self._read()
            except StartupError as error:
                _log.error("{error}; what was read before stays in use", error=str(error))

    async def _read(self) -> None:
        now = datetime.fromtimestamp(self._clock.seconds(), UTC)
        options, certificate, warnings = await self._in_thread(
            load, *self._paths, self._purpose, now
        )
        self._options = options
        for warning in warnings:
            _log.warn("{warning}", warning=warning)
        _log.info(
            "{purpose}: {subject}, number {number:x}, until {until:%Y-%m-%d %H:%M} UTC",
            purpose=self._purpose,
            subject=certificate.subject.rfc4514_string() or "a certificate without a name",
            number=certificate.serial_number,
            until=certificate.not_valid_after_utc,
        )

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """What encrypts a new connection."""
        assert self._options is not None, "not opened"
        return self._options.serverConnectionForTLS(protocol)


def identify(
    door: str, prefix: str, paths: tuple[str, str], clock: IReactorTime
) -> Identity | None:
    """
    What two flags say a listener is; None for no TLS.

    @param prefix: of their names.
    @param paths: their values: the certificate's, the key's.
    @raise StartupError: only one of them says something.
    """
    if not any(paths):
        return None
    if not all(paths):
        raise StartupError(f"--{prefix}_ssl_cert and --{prefix}_ssl_key go together: both or none")
    return Identity(door, *paths, clock)


def load(
    certificate: str, key: str, purpose: str, now: datetime
) -> tuple[CertificateOptions, x509.Certificate, list[str]]:
    """
    In a thread: a pair of files; what it is used by, its certificate, and warnings.

    @raise StartupError: it can't be read, or is no good.
    """
    found, *chain = (
        each.original.to_cryptography() for each in pem.certificates(certificate, purpose)
    )
    secret = _key(key, purpose)
    if secret.public_key() != found.public_key():
        raise StartupError(f"the key in {key} does not fit the certificate in {certificate}")
    try:
        options = CertificateOptions(
            privateKey=secret,
            certificate=found,
            extraCertChain=chain,
            raiseMinimumTo=TLSVersion.TLSv1_2,
            acceptableCiphers=AcceptableCiphers.fromOpenSSLCipherString(_CIPHERS),
            # clients that offer any are refused by who has none                  [RFC 7301, 3.2]
            acceptableProtocols=[b"http/1.1"],
            enableSessionTickets=True,
        )
        options.getContext()
    except (SSL.Error, ValueError, TypeError) as error:
        raise StartupError(
            f"{certificate} and {key} are no good for {purpose}: {pem.explain(error)}"
        ) from None
    return options, found, [*_dates(found, certificate, now), *_readers(key)]


def _key(path: str, purpose: str) -> Any:
    content = pem.read(path, purpose)
    try:
        return load_pem_private_key(content, None)
    except TypeError:
        raise StartupError(
            f"the key in {path}, needed for {purpose}, is encrypted: it must have no passphrase"
        ) from None
    except Exception:  # whose text may be of the key
        raise StartupError(f"there is no key in {path}, needed for {purpose}") from None


def _dates(found: x509.Certificate, path: str, now: datetime) -> list[str]:
    if now > found.not_valid_after_utc:
        return [f"the certificate in {path} has expired: clients will refuse it"]
    if now < found.not_valid_before_utc:
        return [f"the certificate in {path} is not valid yet: clients will refuse it"]
    return []


def _readers(path: str) -> list[str]:
    if os.stat(path).st_mode & (stat.S_IROTH | stat.S_IWOTH):
        return [f"{path} holds a key, and every user of this host can read or write it"]
    return []
