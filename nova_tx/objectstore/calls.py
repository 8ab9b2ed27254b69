"""
What a request asks for, taken from its first line and headers.

From the raw path, so that any key is one: with C{//}, with C{%2F}, with dots.  [spec/15 C23, W27]
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from twisted.web.http_headers import Headers

from nova_tx.auth.s3_signatures import S3Request
from nova_tx.auth.signatures import without_port
from nova_tx.context import RequestContext
from nova_tx.ids import is_request_id
from nova_tx.objectstore.faults import InvalidArgument, InvalidURI

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True)
class Call:
    """
    A request, read.

    @ivar bucket: "" for the service itself.
    @ivar key: "" for the bucket itself.
    @ivar query: the first value of each name; "" for a name alone.
    @ivar headers: by lower-case name.
    """

    method: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    signed: S3Request

    @property
    def of_2011(self) -> bool:
        """Whether it is signed as clients did then: version 2."""
        signed = self.headers.get("authorization", "")
        return signed.startswith("AWS ") or "AWSAccessKeyId" in self.query

    def url(self, secure: bool) -> str:
        """Where the object is, as the client reaches it: by its bucket's host, or by a path."""
        above = "" if self.signed.host_bucket else f"/{self.bucket}"
        host = self.headers.get("host", "")
        return f"http{'s' if secure else ''}://{host}{above}/{quote(self.key)}"

    def number(self, name: str, default: int) -> int:
        """
        A number of the query.

        @raise InvalidArgument: it is none.
        """
        text = self.query.get(name) or str(default)
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 10:
            raise InvalidArgument(
                f"Provided {name} not an integer or within integer range",
                ArgumentName=name,
                ArgumentValue=text,
            )
        if not 0 <= int(text) < 2**31:
            raise InvalidArgument(
                f"Argument {name} must be an integer between 0 and 2147483647",
                ArgumentName=name,
                ArgumentValue=text,
            )
        return int(text)


@dataclass(frozen=True)
class Caller:
    """
    Who asks, proven.

    @ivar project: "" if it may be anybody.
    """

    context: RequestContext
    project: str = field(default="")

    @property
    def known(self) -> bool:
        """Whether it is a user of this cloud."""
        return self.project != ""

    def on_behalf(self, request_id: str) -> Caller:
        """The same, for a request that another daemon has in hand, if that is the id of one."""
        if not is_request_id(request_id):
            return self
        return replace(self, context=replace(self.context, request_id=request_id))

    def may_use(self, owner: str) -> bool:
        """Whether something of a project is the caller's to use.      [spec/04 section 2]"""
        return self.context.is_admin or (self.known and self.project == owner)


def as_headers(pairs: Mapping[str, str]) -> dict[str, str]:
    """
    What was sent elsewhere than in headers, and counts as if it had been.

    @raise InvalidArgument: it could not have been.
    """
    for name, value in pairs.items():
        if not _TOKEN.match(name) or _CONTROL.search(value):
            raise InvalidArgument(f"{name!r} can't be a header with that value")
    return {name: value.strip() for name, value in pairs.items()}


def bucket_of_host(host: str, domains: Sequence[str]) -> str:
    """
    The bucket that a Host header names; "" if the path does.

    @param domains: what comes after a bucket's name, in lower case.
    """
    name = without_port(host).lower().rstrip(".")
    above = [each for each in domains if name == each or name.endswith(f".{each}")]
    return name[: -len(max(above, key=len))].rstrip(".") if above else ""


def read_call(method: bytes, uri: bytes, headers: Headers, domains: Sequence[str] = ()) -> Call:
    """
    The call of a request.

    @param domains: see L{bucket_of_host}.
    @raise InvalidURI: a part of it can't be read as UTF-8.
    """
    raw_path, _, raw_query = uri.partition(b"?")
    if not raw_path.startswith(b"/"):
        raise InvalidURI("the request's path does not begin with /")
    fields = {
        name.decode("ascii", "replace").lower(): ",".join(
            value.decode("utf-8", "surrogateescape").strip() for value in values
        )
        for name, values in headers.getAllRawHeaders()
    }
    host_bucket = bucket_of_host(fields.get("host", ""), domains) if domains else ""
    bucket, _, key = raw_path[1:].partition(b"/")
    try:
        path = raw_path.decode()
        pairs = parse_qsl(
            raw_query.decode(), keep_blank_values=True, errors="strict", max_num_fields=100
        )
        names = unquote_to_bytes(bucket).decode(), unquote_to_bytes(key).decode()
        if host_bucket:
            names = host_bucket, unquote_to_bytes(raw_path[1:]).decode()
    except ValueError:
        raise InvalidURI("the request's path or query is not UTF-8") from None
    verb = method.decode("ascii", "replace")
    query: dict[str, str] = {}
    for name, value in pairs:
        query.setdefault(name, value)
    signed = S3Request(verb, path, tuple(pairs), fields, host_bucket)
    return Call(verb, *names, query, fields, signed)
