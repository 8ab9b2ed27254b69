"""Where another S3 is, and how it is asked, as the flags say. Pure, but for the certificates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode, urlsplit

from nova_tx.auth.s3_signatures import sign
from nova_tx.auth.signatures import encode
from nova_tx.errors import StartupError
from nova_tx.flags import BackendFlags

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}\Z")
_PREFIX = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*\Z")
#: Bytes of the longest prefix: keys are to have room behind it.
_LONGEST_PREFIX = 64

Query = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Place:
    """
    A bucket of another S3.

    @ivar scheme: http or https.
    @ivar host: with its port, if it has one of its own.
    @ivar prefix: what all names there begin with: nothing, or what ends with a slash.
    """

    scheme: str
    host: str
    bucket: str
    prefix: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)

    def url(self, name: str, query: Query) -> bytes:
        """Of an object, or of the bucket if the name is empty."""
        text = urlencode([*query], safe="-_.~", quote_via=quote)
        return f"{self.scheme}://{self.host}{self._path(name)}{'?' if text else ''}{text}".encode()

    def _path(self, name: str) -> str:
        return encode(f"/{self.bucket}/{name}" if name else f"/{self.bucket}", "/")

    def source(self, name: str) -> str:
        """An object, as the source of a copy."""
        return self._path(name)

    def signed(
        self,
        method: str,
        name: str,
        query: Query,
        more: dict[str, str],
        content: str,
        now: datetime,
    ) -> dict[str, str]:
        """
        The headers of a request.

        @param more: those that say something, by lower-case name.
        @param content: the SHA-256 of its body, or that it is not signed.
        """
        return sign(
            method,
            self.host,
            self._path(name),
            query,
            self.access_key,
            self.secret_key,
            now,
            content,
            self.region,
            more,
        )


def place(flags: BackendFlags) -> Place:
    """
    Where the flags say it is.

    @raise StartupError: they make no sense.
    """
    try:
        url = urlsplit(flags.s3_backend_url)
        port = url.port
    except ValueError:
        raise _wrong("it is no URL") from None
    if url.username is not None or url.password is not None:
        # not told what it is: there is a secret in it
        raise _wrong("keys belong into s3_backend_access_key and s3_backend_secret_key")
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
        raise _wrong("it has to be http(s)://host[:port]/bucket[/prefix]")
    bucket, _, prefix = url.path.strip("/").partition("/")
    if not _BUCKET.match(bucket):
        raise _wrong("it does not name a bucket: http(s)://host[:port]/bucket[/prefix]")
    if prefix and (not _PREFIX.match(prefix) or len(prefix) > _LONGEST_PREFIX):
        raise _wrong(
            f"a prefix has at most {_LONGEST_PREFIX} letters, digits, '_', '.', '-' and '/'"
        )
    if not (flags.s3_backend_access_key and flags.s3_backend_secret_key):
        raise StartupError(
            "s3_backend_url needs s3_backend_access_key and s3_backend_secret_key beside it"
        )
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    usual = {"http": 80, "https": 443}[url.scheme]
    return Place(
        url.scheme,
        host if port in (None, usual) else f"{host}:{port}",
        bucket,
        f"{prefix}/" if prefix else "",
        flags.s3_backend_region,
        flags.s3_backend_access_key,
        flags.s3_backend_secret_key,
    )


def _wrong(why: str) -> StartupError:
    return StartupError(f"s3_backend_url can't be used: {why}")
