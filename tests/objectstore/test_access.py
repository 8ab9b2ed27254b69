"""Who may do what, as a table."""

from __future__ import annotations

import pytest

from nova_tx.context import RequestContext
from nova_tx.objectstore.access import ALL_USERS, AUTHENTICATED_USERS, PERMISSIONS, may
from nova_tx.objectstore.calls import Caller
from nova_tx.objectstore.facts import Grants
from nova_tx.objectstore.grants import REGISTRY

JOE, EVE = (Caller(RequestContext(name, name), name) for name in ("joe", "eve"))
ADMIN = Caller(RequestContext("admin", "admin", is_admin=True), "admin")
ANYBODY = Caller(RequestContext(None, None))


@pytest.mark.parametrize("caller", [JOE, ADMIN])
@pytest.mark.parametrize("permission", [*PERMISSIONS, None])
def test_owner(caller: Caller, permission: str | None) -> None:
    """Owner and administrator may everything, whatever was granted to whom."""
    assert may(caller, "joe", (), permission)
    assert may(caller, "joe", (("eve", "READ"),), permission)


@pytest.mark.parametrize("permission", [*PERMISSIONS, None])
def test_nobody(permission: str | None) -> None:
    """Others may nothing that was not granted; who has no name does not own what has none."""
    for caller in (EVE, ANYBODY):
        assert not may(caller, "joe", (("other", "FULL_CONTROL"), (REGISTRY, "READ")), permission)
    assert not may(ANYBODY, "", (), permission)


@pytest.mark.parametrize(
    ("grants", "known", "anybody"),
    [
        ((("eve", "READ"),), True, False),
        ((("eve", "FULL_CONTROL"),), True, False),
        ((("eve", "WRITE"),), False, False),
        (((AUTHENTICATED_USERS, "READ"),), True, False),
        (((ALL_USERS, "READ"),), True, True),
        (((ALL_USERS, "FULL_CONTROL"),), True, True),
        (((ALL_USERS, "WRITE"), ("eve", "READ_ACP")), False, False),
    ],
)
def test_granted(grants: Grants, known: bool, anybody: bool) -> None:
    """A grant is for its grantee, a group's for all in it, FULL_CONTROL for each permission."""
    assert may(EVE, "joe", grants, "READ") is known
    assert may(ANYBODY, "joe", grants, "READ") is anybody
    # to remove a bucket is not granted by any
    assert not may(EVE, "joe", grants, None)
