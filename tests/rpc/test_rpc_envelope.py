"""Messages as bytes: Bexar's keys, and a declared error for everything else."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from nova_tx.context import RequestContext
from nova_tx.errors import InstanceNotFound, InvalidInput, ProcessFailed, RemoteError
from nova_tx.rpc.envelope import (
    ReplyAddress,
    Request,
    decode_reply,
    decode_request,
    encode_failure,
    encode_reply,
    encode_request,
    reply_address,
)

CONTEXT = RequestContext(
    user="john",
    project="john_project",
    remote_address="1.2.3.4",
    timestamp=datetime(2011, 2, 11, 6, 58, 46, tzinfo=UTC),
    request_id="R" * 20,
)


def test_keys_of_a_call() -> None:
    """A call is the JSON object that Bexar sends, and our address for the answer."""
    request = Request("run_instance", {"instance_id": 10}, CONTEXT, ReplyAddress("reply.a", "m"))
    assert json.loads(encode_request(request)) == {
        "method": "run_instance",
        "args": {"instance_id": 10},
        "_msg_id": "m",
        "_reply_to": "reply.a",
        "_context_user": "john",
        "_context_project": "john_project",
        "_context_is_admin": False,
        "_context_read_deleted": False,
        "_context_remote_address": "1.2.3.4",
        "_context_timestamp": "2011-02-11T06:58:46Z",
        "_context_request_id": "R" * 20,
    }


@pytest.mark.parametrize("reply", [None, ReplyAddress("queue", "id")])
def test_request_round_trip(reply: ReplyAddress | None) -> None:
    """A request is the same after the wire, with and without an address."""
    request = Request("m", {"a": [1, {"b": None}]}, CONTEXT, reply)
    assert decode_request(encode_request(request)) == request


def test_request_of_bexar() -> None:
    """A cast as Bexar writes it, without our keys and without args, is understood."""
    request = decode_request(b'{"method": "x", "_context_user": "a", "_context_extra": 1}')
    assert (request.method, request.args, request.reply) == ("x", {}, None)
    assert request.context.user == "a"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b'{"method": "x", "args": {"a": Infinity}}', "not JSON"),
        (b"3", "not a JSON object"),
        (b"{}", "no method"),
        (b'{"method": ""}', "no method"),
        (b'{"method": ["x"]}', "no method"),
        (b'{"method": "x", "args": null}', "not an object"),
        (b'{"method": "x", "_context_is_admin": 1}', "context"),
        (b'{"method": "x", "_context_timestamp": "now"}', "context"),
    ],
)
def test_no_request(body: bytes, why: str) -> None:
    """What is no request is a declared error that says why."""
    with pytest.raises(InvalidInput, match=why):
        decode_request(body)


def test_address_of_a_bad_request() -> None:
    """Where to answer is known even of a request that is no good; if it is known at all."""
    assert reply_address(b'{"_msg_id": "m", "_reply_to": "q"}') == ReplyAddress("q", "m")
    for body in (b"", b"[]", b"{}", b'{"_msg_id": "m"}', b'{"_msg_id": 1, "_reply_to": "q"}'):
        assert reply_address(body) is None


def test_result() -> None:
    """A result comes back as it was; the message has Bexar's two keys and the id."""
    body = encode_reply("m", {"a": [None]})
    assert json.loads(body) == {"result": {"a": [None]}, "failure": None, "_msg_id": "m"}
    assert decode_reply(body).value() == {"a": [None]}


def test_failure() -> None:
    """A declared error is Bexar's triple, and raised again with its class and text."""
    body = encode_failure("m", InstanceNotFound("instance é"))
    assert json.loads(body)["failure"] == ["InstanceNotFound", "instance é", []]
    with pytest.raises(InstanceNotFound, match="instance é"):
        decode_reply(body).value()


@pytest.mark.parametrize("name", ["ValueError", "ProcessFailed", "SystemExit", "builtins.int"])
def test_undeclared_failure(name: str) -> None:
    """A class that is not declared here, or whose parts do not travel, is a RemoteError."""
    body = json.dumps({"result": None, "failure": [name, "text", ["line"]], "_msg_id": "m"})
    with pytest.raises(RemoteError, match="text"):
        decode_reply(body.encode()).value()


def test_failure_of_a_process() -> None:
    """An error whose constructor takes more than a text travels as its text."""
    error = ProcessFailed(("ls",), 2, "no such file")
    with pytest.raises(RemoteError, match="ls ended with status 2: no such file"):
        decode_reply(encode_failure("m", error)).value()


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"{}",
        b'{"_msg_id": 1}',
        b'{"_msg_id": "m", "failure": "x"}',
        b'{"_msg_id": "m", "failure": ["x"]}',
        b'{"_msg_id": "m", "failure": [1, 2, 3]}',
    ],
)
def test_no_reply(body: bytes) -> None:
    """What is no reply is a declared error."""
    with pytest.raises(InvalidInput):
        decode_reply(body)


def test_value_in_itself() -> None:
    """A list that contains itself is refused, not followed for ever."""
    value: list[object] = []
    value.append(value)
    with pytest.raises(TypeError, match="itself"):
        encode_reply("m", value)


def test_tuples_are_lists() -> None:
    """A tuple may be sent; it arrives as a list."""
    assert decode_reply(encode_reply("m", (1, ("a",)))).value() == [1, ["a"]]
