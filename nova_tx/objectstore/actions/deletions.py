"""Objects that are removed many at a time."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from nova_tx.errors import NovaError
from nova_tx.objectstore.access import WRITE, usable
from nova_tx.objectstore.action import BUCKET, Action, Asked
from nova_tx.objectstore.answer import Answer, xml_answer
from nova_tx.objectstore.bounds import DOCUMENT
from nova_tx.objectstore.calls import Caller
from nova_tx.objectstore.documents import document
from nova_tx.objectstore.facts import Bucket
from nova_tx.objectstore.faults import (
    Damaged,
    InvalidArgument,
    MalformedXML,
    NotImplementedHere,
)
from nova_tx.objectstore.interfaces import Condition
from nova_tx.objectstore.preconditions import matching
from nova_tx.objectstore.telling import s3_word
from nova_tx.objectstore.versions import check_version
from nova_tx.objectstore.xml_read import Element
from nova_tx.objectstore.xml_write import document as xml_document
from nova_tx.objectstore.xml_write import element, leaf

_log = Logger()

_MOST = 1000
#: What only directory buckets know.
_ELSEWHERE = ("LastModifiedTime", "Size")


class DeleteObjects(Action):
    """As DeleteObject does with each."""

    methods = ("POST",)
    place = BUCKET
    marks = ("delete",)

    async def run(self, asked: Asked) -> Answer:
        name = asked.call.bucket
        bucket = await usable(self.store, asked.caller, name, WRITE)
        root = await document(asked, "Delete", most=DOCUMENT, elements=_MOST * 8, digest=True)
        root.only("Object", "Quiet")
        objects = list(root.all("Object"))
        if not 0 < len(objects) <= _MOST:
            raise MalformedXML(f"1 to {_MOST} objects can be removed at a time")
        keys = [each.only("Key", "VersionId", "ETag", *_ELSEWHERE).value("Key") for each in objects]
        wanted: list[tuple[str, Condition | None]] = []
        results: list[Exception | None] = []
        for key, each in zip(keys, objects, strict=True):
            try:
                wanted.append((key, _condition(asked.caller, bucket, key, each)))
                results.append(None)
            except NovaError as error:
                results.append(error)
        removed = iter(await self.store.remove_all(name, wanted))
        results = [error or next(removed) for error in results]
        quiet = root.value("Quiet", "false").strip() in ("true", "1")
        return xml_answer(_result(keys, results, quiet))


def _condition(caller: Caller, bucket: Bucket, key: str, wanted: Element) -> Condition | None:
    """
    On what an object is to be removed: that it is the one that the client believes it to be.

    @raise InvalidArgument, NotImplementedHere: it can't be.
    """
    if not key:
        raise InvalidArgument("A key must be specified")
    check_version(wanted.value("VersionId", "") or None)
    if any(each.name in _ELSEWHERE for each in wanted.children):
        raise NotImplementedHere("only directory buckets know these conditions")
    etag = wanted.find("ETag")
    return matching(None if etag is None else etag.text.strip(), caller, bucket)


def _result(keys: Sequence[str], results: Sequence[Exception | None], quiet: bool) -> bytes:
    found = []
    for key, error in zip(keys, results, strict=True):
        if error is not None:
            code, text = _told(error)
            found.append(
                element("Error", leaf("Key", key), leaf("Code", code), leaf("Message", text))
            )
        elif not quiet:
            found.append(element("Deleted", leaf("Key", key)))
    return xml_document("DeleteResult", *found)


def _told(error: Exception) -> tuple[str, str]:
    if isinstance(error, NovaError) and not isinstance(error, Damaged):
        return s3_word(error)[0], str(error)
    _log.error("an object could not be removed: {error!r}", error=error)
    return NovaError.code, "an internal error occurred"
