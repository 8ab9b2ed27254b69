"""Where another S3 is, and how requests to it are signed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nova_tx.auth.s3_signatures import sign
from nova_tx.errors import StartupError
from nova_tx.flags import BackendFlags
from nova_tx.objectstore.remote.place import place

FLAGS = BackendFlags("https://s3.example.org:8443/some-bucket/a/b/", "access", "the secret")
#: Of AWS's examples.                              [AWS S3 API, "Authorization header", examples]
_ACCESS, _SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_HOST = "examplebucket.s3.amazonaws.com"


def test_place() -> None:
    """A URL says where, and names are behind its prefix."""
    found = place(FLAGS)
    assert (found.scheme, found.host, found.bucket) == (
        "https",
        "s3.example.org:8443",
        "some-bucket",
    )
    assert found.prefix == "a/b/"
    assert found.url("a/b/!ü", [("max-keys", "1"), ("prefix", "a b")]) == (
        b"https://s3.example.org:8443/some-bucket/a/b/%21%C3%BC?max-keys=1&prefix=a%20b"
    )
    short = place(replace(FLAGS, s3_backend_url="http://[::1]:80/bucket"))
    assert (short.host, short.prefix) == ("[::1]", "")
    assert "the secret" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "s3.example.org/bucket",
        "ftp://s3.example.org/bucket",
        "https://s3.example.org",
        "https://s3.example.org/",
        "https:///bucket",
        "https://s3.example.org/bucket?x=y",
        "https://s3.example.org/bucket#x",
        "https://s3.example.org/bucket/a//b",
        "https://s3.example.org/bucket/../b",
        "https://s3.example.org/bucket/" + "x" * 65,
        "https://s3.example.org:port/bucket",
        "https://access:the%20secret@s3.example.org/bucket",
        "https://s3.example.org/bü",
    ],
)
def test_not_a_place(url: str) -> None:
    """What is no place is told in one sentence, without a secret."""
    with pytest.raises(StartupError, match="s3_backend_url can't be used: ") as caught:
        place(replace(FLAGS, s3_backend_url=url))
    assert "secret@" not in str(caught.value) and "the" + "%20" not in str(caught.value)


@pytest.mark.parametrize("missing", ["s3_backend_access_key", "s3_backend_secret_key"])
def test_no_keys(missing: str) -> None:
    """Without both keys nothing begins."""
    with pytest.raises(StartupError, match="needs s3_backend_access_key"):
        place(replace(FLAGS, **{missing: ""}))


@pytest.mark.parametrize(
    ("method", "path", "query", "more", "content", "signature"),
    [
        (
            "GET",
            "/test.txt",
            (),
            {"range": "bytes=0-9"},
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test%24file.text",
            (),
            {
                "date": "Fri, 24 May 2013 00:00:00 GMT",
                "x-amz-storage-class": "REDUCED_REDUNDANCY",
            },
            "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/",
            (("max-keys", "2"), ("prefix", "J")),
            {},
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_signed_as_aws_has_it(
    method: str,
    path: str,
    query: tuple[tuple[str, str], ...],
    more: dict[str, str],
    content: str,
    signature: str,
) -> None:
    """AWS's own examples get AWS's own signatures."""
    now = datetime(2013, 5, 24, tzinfo=UTC)
    headers = sign(method, _HOST, path, query, _ACCESS, _SECRET, now, content, "us-east-1", more)
    assert headers["authorization"].endswith(f"Signature={signature}")
    assert all(headers[name] == value for name, value in more.items())
