"""Requests whose body is an XML document."""

from __future__ import annotations

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.threads import deferToThread

from nova_tx.objectstore.action import Asked
from nova_tx.objectstore.bounds import DOCUMENTS, SMALL
from nova_tx.objectstore.digests import CHECKSUM, digests
from nova_tx.objectstore.faults import InvalidRequest
from nova_tx.objectstore.intake import Intake
from nova_tx.objectstore.xml_read import Element, read_xml

#: For those that are long: others wait, and send nothing meanwhile.
_room = DeferredSemaphore(DOCUMENTS)


async def document(
    asked: Asked, root: str, *, most: int = SMALL, elements: int = 4096, digest: bool = False
) -> Element:
    """
    The document that a request brings: what was signed, and of the digests that were announced.

    @param root: what its outermost element must be called.
    @param most, elements: bytes and elements that there may be.
    @param digest: one must be announced.
    @raise InvalidRequest: none is.
    @raise BadDigest, InvalidDigest, PayloadMismatch: it is another one.
    @raise RequestTooLong, MalformedXML: it is none such.
    """
    if asked.request.body.small:
        return await _read(asked, root, elements, SMALL, digest)
    async with _room:
        return await _read(asked, root, elements, most, digest)


async def _read(asked: Asked, root: str, elements: int, most: int, digest: bool) -> Element:
    headers = asked.call.headers
    if digest and "content-md5" not in headers and not digests(headers):
        raise InvalidRequest(f"Content-MD5 or one of {CHECKSUM}… is needed")
    intake = Intake(headers, asked.payload)
    content = bytes(intake.feed(await asked.request.body.whole(most)))
    intake.facts()
    if len(content) <= SMALL:
        return read_xml(content, root, elements)
    return await deferToThread(read_xml, content, root, elements)
