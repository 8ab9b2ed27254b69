"""
boto 2.49 on any Python: import what is needed of it from here.
                                                              [docs/dependencies.md]

Python 3.12 and later can't import it as it is: boto brings an old C{six}, asks
for C{imp} and uses two functions that are gone.  Nothing of the standard
library is changed: what boto needs is put where only boto looks for it.
"""

from __future__ import annotations

import configparser
import importlib
import ssl
import sys
import types
from typing import Any


class _OldParser(configparser.ConfigParser):
    def readfp(self, fp: Any, filename: str | None = None) -> None:
        """What C{read_file} was called."""
        self.read_file(fp, filename)


class _OldSsl(types.ModuleType):
    """Module C{ssl} with C{wrap_socket}, as boto calls it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(ssl, name)

    def wrap_socket(
        self,
        sock: Any,
        keyfile: str | None = None,
        certfile: str | None = None,
        cert_reqs: int = ssl.CERT_NONE,
        ca_certs: str | None = None,
    ) -> Any:
        """A TLS connection; boto itself compares the certificate's name with the host's."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.VerifyMode(cert_reqs)
        if ca_certs:
            context.load_verify_locations(ca_certs)
        if certfile:
            context.load_cert_chain(certfile, keyfile)
        return context.wrap_socket(sock)


def _vendor_six() -> None:
    six = importlib.import_module("six")
    sys.modules.setdefault("boto.vendored.six", six)
    for name in ("", ".urllib", ".urllib.parse", ".urllib.request", ".urllib.error"):
        sys.modules.setdefault(
            f"boto.vendored.six.moves{name}", importlib.import_module(f"six.moves{name}")
        )
    for name in ("http_client", "queue", "configparser"):
        sys.modules.setdefault(f"boto.vendored.six.moves.{name}", getattr(six.moves, name))


def install() -> None:
    """Do it, once; on Python 3.11 there is nothing to do."""
    if sys.version_info < (3, 12) or "boto" in sys.modules:
        return
    _vendor_six()
    lent = "imp" not in sys.modules
    if lent:
        sys.modules["imp"] = types.ModuleType("imp")
    try:
        importlib.import_module("boto")
        config = importlib.import_module("boto.pyami.config")
        https = importlib.import_module("boto.https_connection")
    finally:
        if lent:
            del sys.modules["imp"]
    for name, value in vars(config).items():
        if value is configparser.ConfigParser:
            setattr(config, name, _OldParser)
    https.ssl = _OldSsl("ssl")


install()

import boto  # noqa: E402
from boto.ec2.connection import EC2Connection  # noqa: E402
from boto.ec2.regioninfo import RegionInfo  # noqa: E402
from boto.exception import BotoClientError, BotoServerError  # noqa: E402
from boto.s3.bucket import Bucket  # noqa: E402
from boto.s3.connection import OrdinaryCallingFormat, S3Connection  # noqa: E402

__all__ = [
    "BotoClientError",
    "BotoServerError",
    "Bucket",
    "EC2Connection",
    "OrdinaryCallingFormat",
    "RegionInfo",
    "S3Connection",
    "boto",
]
