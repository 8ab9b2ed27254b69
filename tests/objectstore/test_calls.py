"""What a request asks for, by its path and host."""

from __future__ import annotations

import pytest
from twisted.web.http_headers import Headers

from nova_tx.objectstore.calls import as_headers, bucket_of_host, read_call
from nova_tx.objectstore.faults import InvalidArgument

DOMAINS = ("s3.example.org", "example.org")


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("s3.example.org", ""),
        ("s3.example.org:3333", ""),
        ("bucket.s3.example.org:3333", "bucket"),
        ("Bucket.S3.example.org.", "bucket"),
        ("a.b.s3.example.org", "a.b"),
        ("bucket.example.org", "bucket"),
        ("s3-example.org", ""),
        ("10.0.0.1:3333", ""),
        ("[::1]:3333", ""),
        ("", ""),
    ],
)
def test_hosts(host: str, bucket: str) -> None:
    """What is before the longest domain that fits is the bucket."""
    assert bucket_of_host(host, DOMAINS) == bucket


def test_calls() -> None:
    """With a bucket in the host all of the path is the key."""
    headers = Headers({b"host": [b"bucket.s3.example.org"]})
    call = read_call(b"GET", b"/a/b%20c?acl", headers, DOMAINS)
    assert (call.bucket, call.key, call.query) == ("bucket", "a/b c", {"acl": ""})
    assert (call.signed.path, call.signed.host_bucket) == ("/a/b%20c", "bucket")
    call = read_call(b"GET", b"/a/b%20c", headers)
    assert (call.bucket, call.key, call.signed.host_bucket) == ("a", "b c", "")


@pytest.mark.parametrize(
    ("host", "path", "secure", "url"),
    [
        ("bucket.s3.example.org:3333", b"/a/%C3%BC", False, "http://bucket.s3.example.org:3333/"),
        ("s3.example.org", b"/bucket/a/%C3%BC", True, "https://s3.example.org/bucket/"),
    ],
)
def test_url(host: str, path: bytes, secure: bool, url: str) -> None:
    """Where an object is names its bucket once, be it a host or not."""
    call = read_call(b"POST", path, Headers({b"host": [host.encode()]}), DOMAINS)
    assert call.url(secure) == f"{url}a/%C3%BC"


def test_as_headers() -> None:
    """What could not be a header does not become one."""
    assert as_headers({"x-amz-meta-a": " ü "}) == {"x-amz-meta-a": "ü"}
    for name, value in (("x-amz-meta-a b", "1"), ("x-amz-\u00fc", "1"), ("a", "1\r\nb: 2")):
        with pytest.raises(InvalidArgument):
            as_headers({name: value})
