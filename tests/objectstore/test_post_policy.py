"""Policies of forms."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from nova_tx.objectstore.faults import AccessDenied, InvalidPolicyDocument
from nova_tx.objectstore.post_policy import check_policy, read_policy

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = "2026-11-22T12:00:01Z"


def _coded(policy: Any) -> str:
    return base64.b64encode(json.dumps(policy).encode()).decode()


def _check(fields: dict[str, str], *conditions: Any, expiration: str = LATER) -> None:
    policy = {"expiration": expiration, "conditions": [{"bucket": "b"}, *conditions]}
    check_policy(read_policy(_coded(policy)), "b", fields, NOW)


@pytest.mark.parametrize(
    ("condition", "right", "wrong"),
    [
        ({"key": "a"}, "a", "A"),
        (["eq", "$Key", "a"], "a", "ab"),
        (["EQ", "$key", ""], "", "a"),
        (["starts-with", "$key", "up/"], "up/", "up"),
        (["starts-with", "$key", ""], "anything", None),
    ],
)
def test_conditions(condition: Any, right: str, wrong: str | None) -> None:
    """A field is as a condition has it; names in either case, values not."""
    _check({"key": right}, condition)
    if wrong is not None:
        with pytest.raises(AccessDenied, match="Condition failed"):
            _check({"key": wrong}, condition)


def test_content_types() -> None:
    """Each of several content types begins as it must."""
    condition = ["starts-with", "$Content-Type", "image/"]
    _check({"content-type": "image/png, image/gif"}, condition)
    with pytest.raises(AccessDenied):
        _check({"content-type": "image/png,text/html"}, condition)


def test_extra() -> None:
    """A field that no condition names is refused, but those that sign, and x-ignore-…"""
    _check({"policy": "x", "x-amz-signature": "x", "awsaccesskeyid": "x", "x-ignore-me": "x"})
    with pytest.raises(AccessDenied, match="Extra input fields: acl"):
        _check({"acl": "public-read"})
    # and so is a bucket that it does not name
    policy = read_policy(_coded({"expiration": LATER, "conditions": []}))
    with pytest.raises(AccessDenied, match="bucket"):
        check_policy(policy, "b", {}, NOW)
    with pytest.raises(AccessDenied):
        check_policy(read_policy(_coded({"expiration": LATER, "conditions": []})), "c", {}, NOW)


def test_expiration() -> None:
    """A policy is good until its time, in whatever zone that is told."""
    for good in (LATER, "2026-11-22T12:00:00.001Z", "2026-11-22T13:30:00+01:00"):
        _check({}, expiration=good)
    for old in ("2026-11-22T12:00:00Z", "2026-11-22T12:30:00+01:00"):
        with pytest.raises(AccessDenied, match="expired"):
            _check({}, expiration=old)


def test_range() -> None:
    """All ranges of lengths hold at once."""
    ranges = [["content-length-range", 1, "10"], ["content-length-range", 2, 20]]
    policy = read_policy(_coded({"expiration": LATER, "conditions": ranges}))
    assert (policy.least, policy.most) == (2, 10)


@pytest.mark.parametrize(
    "policy",
    [
        [],
        {"expiration": LATER},
        {"conditions": []},
        {"expiration": "soon", "conditions": []},
        {"expiration": "2026-11-22T12:00:00", "conditions": []},
        {"expiration": LATER, "conditions": [{"a": "b", "c": "d"}]},
        {"expiration": LATER, "conditions": [{}]},
        {"expiration": LATER, "conditions": [{"a": 1}]},
        {"expiration": LATER, "conditions": [["eq", "a", "b"]]},
        {"expiration": LATER, "conditions": [["eq", "$a"]]},
        {"expiration": LATER, "conditions": [["ends-with", "$a", "b"]]},
        {"expiration": LATER, "conditions": [["content-length-range", 1, "many"]]},
        {"expiration": LATER, "conditions": [["content-length-range", -1, 2]]},
        {"expiration": LATER, "conditions": ["a"]},
    ],
)
def test_malformed(policy: Any) -> None:
    """What can't be read as a policy is refused."""
    with pytest.raises(InvalidPolicyDocument):
        read_policy(_coded(policy))


def test_no_json() -> None:
    """So is what is no JSON, no base64, or deeper than can be read."""
    deep = base64.b64encode(b"[" * 15_000).decode()
    for text in ("", "%", base64.b64encode(b"{").decode(), deep):
        with pytest.raises(InvalidPolicyDocument):
            read_policy(text)
