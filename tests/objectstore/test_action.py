"""Which S3 call a request asks for."""

from __future__ import annotations

from typing import cast

import pytest
from twisted.web.http_headers import Headers

from nova_tx.auth.interfaces import IUsers
from nova_tx.errors import NovaError
from nova_tx.objectstore.action import Actions
from nova_tx.objectstore.calls import read_call
from nova_tx.objectstore.faults import InvalidArgument, MethodNotAllowed, NotImplementedHere
from nova_tx.objectstore.interfaces import IStore


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("GET /", "ListBuckets"),
        ("HEAD /", "ListBuckets"),
        ("PUT /bucket", "CreateBucket"),
        ("PUT /bucket/", "CreateBucket"),
        ("HEAD /bucket", "HeadBucket"),
        ("GET /bucket?prefix=location", "ListObjects"),
        ("GET /bucket?list-type=2&prefix=location", "ListObjectsV2"),
        ("GET /bucket?tagging", "GetBucketTagging"),
        ("DELETE /bucket/key?tagging", "DeleteObjectTagging"),
        ("GET /bucket/key?attributes", "GetObjectAttributes"),
        ("GET /bucket?location", "GetBucketLocation"),
        ("GET /bucket?acl", "GetBucketAcl"),
        ("DELETE /bucket", "DeleteBucket"),
        ("PUT /bucket/acl", "PutObject"),
        ("PUT /bucket/key?acl", "PutObjectAcl"),
        ("DELETE /bucket?cors", "DeleteBucketCors"),
        ("POST /bucket", "PostObject"),
        ("OPTIONS /bucket?uploads", "OptionsBucket"),
        ("OPTIONS /bucket/key?uploadId=1&partNumber=1", "OptionsObject"),
        ("HEAD /bucket/key", "GetObject"),
        ("GET /bucket/key?acl=", "GetObjectAcl"),
        ("GET /bucket/key?response-expires=never&x-id=GetObject", "GetObject"),
        ("DELETE /bucket/key", "DeleteObject"),
        ("DELETE /bucket/key?versionId=1", "DeleteObject"),
    ],
)
def test_find(line: str, name: str) -> None:
    """Method, place and the marks in the query tell the call; other names mean nothing."""
    assert type(_find(line)).__name__ == name


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("GET /bucket?versioning", NotImplementedHere),
        ("PUT /bucket?policy", NotImplementedHere),
        ("GET /bucket/key?torrent", NotImplementedHere),
        ("PUT /bucket/key?versionId=null", NotImplementedHere),
        ("PATCH /bucket/key", MethodNotAllowed),
        ("DELETE /", MethodNotAllowed),
        ("GET //key", InvalidArgument),
    ],
)
def test_find_none(line: str, error: type[NovaError]) -> None:
    """What S3 has and we have not is said to be so, and never done as something else."""
    with pytest.raises(error):
        _find(line)


def _find(line: str) -> object:
    method, uri = line.encode().split()
    return Actions(cast(IStore, None), cast(IUsers, None)).find(read_call(method, uri, Headers()))
