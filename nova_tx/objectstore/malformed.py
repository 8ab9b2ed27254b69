"""What is answered to what is no HTTP request, before anybody is asked. Pure."""

from __future__ import annotations

from http import HTTPStatus

from nova_tx.ids import new_request_id
from nova_tx.objectstore import xml
from nova_tx.objectstore.conditions import http_date
from nova_tx.objectstore.faults import BadRequest, HeadTooLong
from nova_tx.objectstore.telling import HOST_ID


def malformed_answer(now: float, too_long: bool) -> bytes:
    """
    An answer, after which the connection is to be closed.

    @param now: seconds since 1970.
    @param too_long: the head of the request is longer than any may be.
    """
    if too_long:
        kind: type[BadRequest | HeadTooLong] = HeadTooLong
        text = "Your request header and metadata exceed the maximum allowed size"
    else:
        kind, text = BadRequest, "An error occurred when parsing the HTTP request."
    request_id = new_request_id()
    body = xml.error(kind.code, text, "", request_id, HOST_ID)
    head = (
        f"HTTP/1.1 {kind.status} {HTTPStatus(kind.status).phrase}",
        "Server: nova-objectstore",
        f"Date: {http_date(now)}",
        f"x-amz-request-id: {request_id}",
        f"x-amz-id-2: {HOST_ID}",
        f"Content-Type: {xml.CONTENT_TYPE}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join((*head, "", "")).encode() + body
