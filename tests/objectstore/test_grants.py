"""Grants in headers."""

from __future__ import annotations

import pytest

from nova_tx.errors import NovaError
from nova_tx.objectstore.access import ALL_USERS, AUTHENTICATED_USERS
from nova_tx.objectstore.facts import Grants
from nova_tx.objectstore.faults import (
    InvalidArgument,
    InvalidRequest,
    NotImplementedHere,
    UnresolvableGrant,
)
from nova_tx.objectstore.grants import LOG_DELIVERY, REGISTRY, canned, checked, grants_of
from nova_tx.testing.objectstore_server import known_users


@pytest.mark.parametrize(
    ("name", "grants"),
    [
        ("private", ()),
        ("public-read", ((ALL_USERS, "READ"),)),
        ("public-read-write", ((ALL_USERS, "READ"), (ALL_USERS, "WRITE"))),
        ("authenticated-read", ((AUTHENTICATED_USERS, "READ"),)),
        ("aws-exec-read", ((REGISTRY, "READ"),)),
        ("bucket-owner-read", (("joe", "READ"),)),
        ("bucket-owner-full-control", (("joe", "FULL_CONTROL"),)),
    ],
)
def test_canned(name: str, grants: Grants) -> None:
    """A canned ACL grants what S3's documentation says of it."""
    assert canned(name, "eve", "joe") == grants
    if name.startswith("bucket-owner"):
        assert canned(name, "joe", "joe") == ()


def test_one_by_one() -> None:
    """Each header is a permission, each of its parts a grantee, quoted or not."""
    headers = {
        "x-amz-grant-read": f'id="eve", uri="{ALL_USERS}"',
        "x-amz-grant-write-acp": "id=eve,ID=admin",
    }
    assert grants_of(headers, "joe", "joe") == (
        ("eve", "READ"),
        (ALL_USERS, "READ"),
        ("eve", "WRITE_ACP"),
        ("admin", "WRITE_ACP"),
    )
    assert grants_of({}, "joe", "joe") == ()


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"acl": "public"}, InvalidArgument),
        ({"acl": ""}, InvalidArgument),
        ({"acl": "log-delivery-write"}, NotImplementedHere),
        ({"acl": "private", "grant-read": "id=eve"}, InvalidRequest),
        ({"grant-read": "eve"}, InvalidArgument),
        ({"grant-read": 'id="eve" id="joe"'}, InvalidArgument),
        ({"grant-read": "name=eve"}, InvalidArgument),
        ({"grant-read": 'id=""'}, InvalidArgument),
        ({"grant-read": f'id="{ALL_USERS}"'}, InvalidArgument),
        ({"grant-read": 'uri="http://acs.amazonaws.com/groups/global/Nobody"'}, InvalidArgument),
        ({"grant-read": f'uri="{LOG_DELIVERY}"'}, NotImplementedHere),
        ({"grant-read": 'emailAddress="eve@example.org"'}, UnresolvableGrant),
    ],
)
def test_refused(headers: dict[str, str], error: type[NovaError]) -> None:
    """A grant that can't be is refused, and with S3's code."""
    with pytest.raises(error):
        grants_of({f"x-amz-{name}": value for name, value in headers.items()}, "joe", "joe")


async def test_checked() -> None:
    """Grantees exist, are named once for a permission, and are not the owner; there are 100."""
    users = await known_users()
    asked = (("eve", "READ"), ("joe", "WRITE"), (REGISTRY, "READ"), ("eve", "READ"))
    assert await checked(users, asked, "joe") == (("eve", "READ"), (REGISTRY, "READ"))
    with pytest.raises(InvalidArgument):
        await checked(users, (("nobody", "READ"),), "joe")
    with pytest.raises(InvalidRequest):
        await checked(users, ((f"p{each}", "READ") for each in range(101)), "joe")
