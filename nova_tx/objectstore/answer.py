"""What a request is answered with, and short bodies."""

from __future__ import annotations

from dataclasses import dataclass, field

from nova_tx.auth.s3_payload import Payload
from nova_tx.objectstore import xml
from nova_tx.objectstore.bounds import SMALL
from nova_tx.objectstore.request import StreamingRequest


@dataclass(frozen=True)
class Answer:
    """An answer that fits into memory."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def xml_answer(body: bytes, status: int = 200) -> Answer:
    """An XML document."""
    return Answer(status, {"content-type": xml.CONTENT_TYPE}, body)


async def swallow(request: StreamingRequest, payload: Payload, most: int = SMALL) -> bytes:
    """
    Read a short body, and check that it is the signed one.

    @param most: bytes that it may have.
    @raise RequestTooLong: it is long.
    """
    content = payload.feed(await request.body.whole(most))
    payload.finish()
    return bytes(content)
