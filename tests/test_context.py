"""Who asks, on its way through messages."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

import pytest

from nova_tx.context import RequestContext, Seal, admin_context

JOHN = RequestContext(
    user="john",
    project="physics",
    is_admin=True,
    read_deleted=True,
    remote_address="192.0.2.7",
    timestamp=datetime(2011, 2, 15, 7, 28, 32, tzinfo=UTC),
    request_id="ABCDEFGHIJ0123456789",
)


def test_wire() -> None:
    """Each field is a key with Bexar's prefix; the time is UTC without a fraction."""
    assert JOHN.to_wire() == {
        "_context_user": "john",
        "_context_project": "physics",
        "_context_is_admin": True,
        "_context_read_deleted": True,
        "_context_remote_address": "192.0.2.7",
        "_context_timestamp": "2011-02-15T07:28:32Z",
        "_context_request_id": "ABCDEFGHIJ0123456789",
    }


def test_a_seal_stays_here() -> None:
    """What was signed is in no message, and in no log: neither is it part of who asks."""
    sealed = dataclasses.replace(JOHN, seal=Seal("digest", datetime(2011, 2, 15)))
    assert sealed.to_wire() == JOHN.to_wire()
    assert RequestContext.from_wire(sealed.to_wire()).seal is None
    assert RequestContext.from_wire({"_context_seal": "x"}).seal is None
    assert "digest" not in repr(sealed)


@pytest.mark.parametrize("context", [JOHN, RequestContext("joe", "p"), admin_context()])
def test_there_and_back(context: RequestContext) -> None:
    """A context comes out of JSON as it went in."""
    message = {"method": "run_instance", "args": {}, **context.to_wire()}
    assert RequestContext.from_wire(json.loads(json.dumps(message))) == context


def test_missing() -> None:
    """Who sends nothing asks as nobody, without rights, with a request id of its own."""
    found = RequestContext.from_wire({"_context_colour": "red"})
    assert (found.user, found.project, found.is_admin, found.read_deleted) == (
        None,
        None,
        False,
        False,
    )
    assert len(found.request_id) == 20


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("is_admin", "false"),
        ("is_admin", 1),
        ("read_deleted", "no"),
        ("user", 7),
        ("project", ["physics"]),
        ("timestamp", "yesterday"),
        ("timestamp", 1297754912),
        ("request_id", {}),
    ],
)
def test_wrong_type(key: str, value: object) -> None:
    """A field of the wrong type is refused: a text "false" must not make an administrator."""
    with pytest.raises(ValueError):
        RequestContext.from_wire({f"_context_{key}": value})


def test_elevated() -> None:
    """An elevated context differs in nothing but its rights."""
    plain = dataclasses.replace(JOHN, is_admin=False)
    assert plain.elevated() == JOHN
    assert not plain.is_admin


def test_new_request() -> None:
    """Each request has an id and a time of its own."""
    one, two = admin_context(), admin_context()
    assert one.request_id != two.request_id
    assert one.timestamp.tzinfo is UTC
