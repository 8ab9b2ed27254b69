"""Grants as XML."""

from __future__ import annotations

import pytest

from nova_tx.errors import NovaError
from nova_tx.objectstore.access import ALL_USERS
from nova_tx.objectstore.facts import Grants
from nova_tx.objectstore.faults import (
    AccessDenied,
    InvalidArgument,
    MalformedACL,
    UnresolvableGrant,
)
from nova_tx.objectstore.grants import REGISTRY
from nova_tx.objectstore.xml_acl import acl, read_grants
from nova_tx.objectstore.xml_read import read_xml

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def _read(content: bytes) -> Grants:
    return read_grants(read_xml(content, "AccessControlPolicy"), "joe")


def test_written() -> None:
    """What is told of grants can be sent back."""
    grants = (("eve", "READ"), (ALL_USERS, "WRITE_ACP"), (REGISTRY, "READ"))
    assert _read(acl("joe", grants)) == (("joe", "FULL_CONTROL"), *grants)
    assert _read(acl("joe", ())) == (("joe", "FULL_CONTROL"),)


def _policy(grantee: str, permission: str = "READ", owner: str = "<ID>joe</ID>") -> bytes:
    return (
        f"<AccessControlPolicy><Owner>{owner}</Owner><AccessControlList><Grant>{grantee}"
        f"<Permission>{permission}</Permission></Grant></AccessControlList></AccessControlPolicy>"
    ).encode()


EVE = f'<Grantee {XSI} xsi:type="CanonicalUser"><ID>eve</ID></Grantee>'


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"<AccessControlPolicy/>", MalformedACL),
        (_policy(EVE, owner=""), MalformedACL),
        (_policy(EVE, owner="<ID>eve</ID>"), AccessDenied),
        (_policy(EVE, "OWN"), MalformedACL),
        (_policy(EVE + EVE), MalformedACL),
        (_policy(""), MalformedACL),
        (_policy("<Grantee><ID>eve</ID></Grantee>"), MalformedACL),
        (_policy(EVE.replace("CanonicalUser", "Group")), MalformedACL),
        (_policy(EVE.replace("CanonicalUser", "Person")), MalformedACL),
        (_policy(EVE.replace("eve", "")), InvalidArgument),
        (_policy(EVE.replace("eve", ALL_USERS)), InvalidArgument),
        (
            _policy(f'<Grantee {XSI} xsi:type="Group"><URI>http://x</URI></Grantee>'),
            InvalidArgument,
        ),
        (
            _policy(
                f'<Grantee {XSI} xsi:type="AmazonCustomerByEmail">'
                "<EmailAddress>a@b</EmailAddress></Grantee>"
            ),
            UnresolvableGrant,
        ),
        (acl("joe", tuple((f"p{each}", "READ") for each in range(100))), MalformedACL),
    ],
)
def test_refused(content: bytes, error: type[NovaError]) -> None:
    """What is not of its form is MalformedACLError, and what names nobody says whom."""
    with pytest.raises(NovaError) as caught:
        _read(content)
    assert type(caught.value) is error
