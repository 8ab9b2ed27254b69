"""Who signed a form."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.auth import HmacV1PostAuth, S3SigV4PostAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nova_tx.auth.s3_post import claim
from nova_tx.errors import InvalidInput, SignatureMismatch

_CREDENTIALS = Credentials("key:project", "a secret")
_V2 = HmacV1PostAuth(_CREDENTIALS)
_V4 = S3SigV4PostAuth(_CREDENTIALS, "s3", "anywhere")


def _fields(auth: Any) -> dict[str, str]:
    request = AWSRequest("POST", "http://h:1/bucket")
    request.context["s3-presign-post-policy"] = {"expiration": "x", "conditions": []}
    auth.add_auth(request)
    signed = request.context["s3-presign-post-fields"]
    return {name.lower(): value for name, value in signed.items()}


@pytest.mark.parametrize("auth", [_V2, _V4])
def test_signed(auth: Any) -> None:
    """A form whose policy botocore signed is its signer's, and nobody else's."""
    fields = _fields(auth)
    found = claim(fields)
    assert found is not None
    assert (found.access_key, found.project_id) == ("key", "project")
    found.verify("a secret")
    with pytest.raises(SignatureMismatch):
        found.verify("another secret")
    other = claim({**fields, "policy": fields["policy"][::-1]})
    assert other is not None
    with pytest.raises(SignatureMismatch):
        other.verify("a secret")


@pytest.mark.parametrize("auth", [_V2, _V4])
def test_incomplete(auth: Any) -> None:
    """A form that lacks a part of its signature is nobody's; one that has none is anybody's."""
    assert claim({"key": "key", "acl": "private"}) is None
    fields = _fields(auth)
    for name in fields:
        with pytest.raises(InvalidInput):
            claim({each: value for each, value in fields.items() if each != name})


@pytest.mark.parametrize(
    "change",
    [
        {"x-amz-algorithm": "HMAC"},
        {"x-amz-credential": "key/of/nothing"},
        {"x-amz-date": "20070327T193642Z"},
    ],
)
def test_malformed(change: dict[str, str]) -> None:
    """Version 4: algorithm, credential and date are of their form and of one day."""
    with pytest.raises(InvalidInput):
        claim({**_fields(_V4), **change})
