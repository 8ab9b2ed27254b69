"""Objects that are removed many at a time."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from nova_tx.errors import NovaError
from nova_tx.objectstore.access import WRITE, usable
from nova_tx.objectstore.action import BUCKET, Action, Asked
from nova_tx.objectstore.answer import Answer, xml_answer
from nova_tx.objectstore.documents import document
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import (
    InvalidArgument,
    MalformedXML,
    NotImplementedHere,
    PreconditionFailed,
)
from nova_tx.objectstore.interfaces import Condition
from nova_tx.objectstore.xml_read import Element
from nova_tx.objectstore.xml_write import document as xml_document
from nova_tx.objectstore.xml_write import element, leaf, moment

_log = Logger()

_MOST = 1000
#: Bytes of a document that names so many of the longest keys.
_LONGEST = 2**22
_MEMBERS = ("Key", "VersionId", "ETag", "LastModifiedTime", "Size")


class DeleteObjects(Action):
    """As DeleteObject does with each."""

    methods = ("POST",)
    place = BUCKET
    marks = ("delete",)

    async def run(self, asked: Asked) -> Answer:
        name = asked.call.bucket
        await usable(self.store, asked.caller, name, WRITE)
        root = await document(asked, "Delete", most=_LONGEST, elements=_MOST * 8, digest=True)
        root.only("Object", "Quiet")
        objects = list(root.all("Object"))
        if not 0 < len(objects) <= _MOST:
            raise MalformedXML(f"1 to {_MOST} objects can be removed at a time")
        keys = [each.only(*_MEMBERS).value("Key") for each in objects]
        wanted: list[tuple[str, Condition | None]] = []
        results: list[Exception | None] = []
        for key, each in zip(keys, objects, strict=True):
            try:
                wanted.append((key, _condition(key, each)))
                results.append(None)
            except NovaError as error:
                results.append(error)
        removed = iter(await self.store.remove_all(name, wanted))
        results = [error or next(removed) for error in results]
        quiet = root.value("Quiet", "false").strip() in ("true", "1")
        return xml_answer(_result(keys, results, quiet))


def _condition(key: str, wanted: Element) -> Condition | None:
    """
    On what an object is to be removed.

    @raise InvalidArgument, NotImplementedHere: it can't be.
    """
    if not key:
        raise InvalidArgument("A key must be specified")
    if wanted.value("VersionId", "null") not in ("", "null"):
        raise NotImplementedHere("there are no versions of objects")
    members = [each for each in wanted.children if each.name in _MEMBERS[2:]]
    if not members:
        return None

    def condition(now: Facts | None) -> None:
        if now is None:
            raise PreconditionFailed("there is no such object")
        there = {
            "ETag": now.etag,
            "LastModifiedTime": moment(now.modified),
            "Size": str(now.size),
        }
        for each in members:
            if each.text.strip().strip('"') not in (there[each.name], "*"):
                raise PreconditionFailed(f"the object's {each.name} is another one")

    return condition


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
    if isinstance(error, NovaError):
        return error.code, str(error)
    _log.error("an object could not be removed: {error!r}", error=error)
    return NovaError.code, "an internal error occurred"
