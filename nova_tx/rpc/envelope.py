"""
Messages as bytes: Bexar's JSON objects, with an address for the answer.   [spec/01 section 4]

A request is C{{"method", "args", "_context_*"}}; a call has C{_msg_id} and
C{_reply_to}, the name of the queue where its sender waits.  A reply is
C{{"result", "failure", "_msg_id"}}.  Both addresses are keys of the object, not
properties of AMQP, so that a message is the same bytes on every transport.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from nova_tx.context import RequestContext
from nova_tx.errors import InvalidInput, NovaError, from_wire

_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False)


@dataclass(frozen=True)
class ReplyAddress:
    """Where the answer to a call goes: a queue, and the id by which the sender knows it."""

    queue: str
    msg_id: str


@dataclass(frozen=True)
class Request:
    """
    A message to a service.

    @ivar reply: None for a cast.
    """

    method: str
    args: Mapping[str, object]
    context: RequestContext
    reply: ReplyAddress | None = None


@dataclass(frozen=True)
class Reply:
    """
    The answer to a call.

    @ivar failure: the class name and the text of what was raised.
    """

    msg_id: str
    result: object = None
    failure: tuple[str, str] | None = None

    def value(self) -> object:
        """
        The result, or the failure raised.

        @raise NovaError: of the class that the other side declared.
        """
        if self.failure is not None:
            raise from_wire(*self.failure)
        return self.result


def encode_request(request: Request) -> bytes:
    """
    A request as bytes.

    @raise TypeError: an argument can't be said in JSON.
    """
    message: dict[str, object] = {"method": request.method, "args": dict(request.args)}
    if request.reply is not None:
        message["_msg_id"] = request.reply.msg_id
        message["_reply_to"] = request.reply.queue
    message.update(request.context.to_wire())
    return _encode(message)


def decode_request(body: bytes) -> Request:
    """
    The request in a message.

    @raise InvalidInput: the message is not a request; the text says why.
    """
    message = _decode(body)
    method = message.get("method")
    if not isinstance(method, str) or not method:
        raise InvalidInput("the message names no method")
    args = message.get("args", {})
    if not isinstance(args, dict):
        raise InvalidInput("the arguments of the message are not an object")
    try:
        context = RequestContext.from_wire(message)
    except ValueError as error:
        raise InvalidInput(f"the context of the message is wrong: {error}") from None
    return Request(method, args, context, _address(message))


def reply_address(body: bytes) -> ReplyAddress | None:
    """Where to answer a message that may be no good request; None if it does not say."""
    try:
        return _address(_decode(body))
    except InvalidInput:
        return None


def encode_reply(msg_id: str, result: object) -> bytes:
    """
    The answer of a method that ended well.

    @raise TypeError: the result can't be said in JSON.
    """
    return _encode({"result": result, "failure": None, "_msg_id": msg_id})


def encode_failure(msg_id: str, error: NovaError) -> bytes:
    """The answer of a method that raised a declared error: Bexar's triple, without traceback."""
    failure = [type(error).__name__, str(error), []]
    return _encode({"result": None, "failure": failure, "_msg_id": msg_id})


def decode_reply(body: bytes) -> Reply:
    """
    The reply in a message.

    @raise InvalidInput: the message is not a reply.
    """
    message = _decode(body)
    msg_id, failure = message.get("_msg_id"), message.get("failure")
    if not isinstance(msg_id, str):
        raise InvalidInput("the message answers no call")
    if failure is None:
        return Reply(msg_id, message.get("result"))
    if not (isinstance(failure, list) and [type(part) for part in failure[:2]] == [str, str]):
        raise InvalidInput("the failure in the message is not a class name and a text")
    return Reply(msg_id, failure=(failure[0], failure[1]))


def _address(message: Mapping[str, object]) -> ReplyAddress | None:
    queue, msg_id = message.get("_reply_to"), message.get("_msg_id")
    if isinstance(queue, str) and isinstance(msg_id, str):
        return ReplyAddress(queue, msg_id)
    return None


def _encode(message: Mapping[str, object]) -> bytes:
    try:
        for key, value in message.items():
            _check(value, key)
    except RecursionError:
        raise TypeError("a value contains itself") from None
    return _JSON.encode(message).encode("ascii")


def _check(value: object, where: str) -> None:
    """json.dumps would turn keys into texts and write NaN; we refuse both. A tuple is a list."""
    if value is None or isinstance(value, (str, int)):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{where} is {value}, which JSON can't say")
    elif isinstance(value, (list, tuple)):
        for part in value:
            _check(part, where)
    elif isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where} has a key of type {type(key).__name__}, not a text")
            _check(part, where)
    else:
        raise TypeError(f"{where} is of type {type(value).__name__}, which JSON can't say")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_READER = json.JSONDecoder(parse_constant=_refuse)


def _decode(body: bytes) -> dict[str, object]:
    try:
        message = _READER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidInput("the message is not JSON") from None
    if not isinstance(message, dict):
        raise InvalidInput("the message is not a JSON object")
    return message
