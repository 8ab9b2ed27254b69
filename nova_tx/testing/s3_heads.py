"""Heads of S3 requests, for clients that count bytes and not requests: signed once, sent often."""

from __future__ import annotations

from email.utils import formatdate
from urllib.parse import parse_qsl

from nova_tx.auth.s3_signatures import S3Request, v2_signature


def signed(method: str, target: str, access: str, secret: str, size: int) -> bytes:
    """A request's first line and headers, with a version 2 signature."""
    # not "date", which s3rver forgets to sign
    fields = {"host": "127.0.0.1", "x-amz-date": formatdate(usegmt=True)}
    if method != "GET":
        fields["content-length"] = str(size)
        fields["content-type"] = "binary/octet-stream"
    path, _, query = target.partition("?")
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    signature = v2_signature(secret, S3Request(method, path, pairs, fields))
    fields["authorization"] = f"AWS {access}:{signature}"
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {each}" for name, each in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()
