"""Certificates in files that flags name, and why TLS did not come about."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet import ssl

from nova_tx.errors import StartupError

_END = b"-----END CERTIFICATE-----"


def read(path: str, purpose: str) -> bytes:
    """
    What is in a file.

    @param purpose: what it is needed for, in words.
    @raise StartupError: it can't be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise StartupError(f"can't read {path}, needed for {purpose}: {error.strerror}") from None


def certificates(path: str, purpose: str) -> list[ssl.Certificate]:
    """
    The certificates in a file, in their order; at least one.

    @raise StartupError: it can't be read, or holds none, or one that can't be understood.
    """
    parts = read(path, purpose).split(_END)[:-1]
    if not parts:
        raise StartupError(
            f"{path}, needed for {purpose}, is no good: there is no certificate in it"
        )
    try:
        return [ssl.Certificate.loadPEM(part + _END) for part in parts]
    except (crypto.Error, ValueError) as error:
        raise StartupError(
            f"a certificate in {path}, needed for {purpose}, is no good: {explain(error)}"
        ) from None


def trust(path: str, purpose: str) -> Any:
    """
    What a certificate must come from, a trust root of Twisted's: those in a file.

    @raise StartupError: see L{certificates}.
    """
    return ssl.trustRootFromCertificates(certificates(path, purpose))


def explain(error: Exception) -> str:
    """Why OpenSSL refused something."""
    if (
        isinstance(error, (SSL.Error, crypto.Error))
        and error.args
        and isinstance(error.args[0], list)
    ):
        return ", ".join(str(part[-1]) for part in error.args[0]) or "the connection was closed"
    return str(error) or type(error).__name__
