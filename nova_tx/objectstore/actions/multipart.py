"""Objects that come in parts."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace

from nova_tx.objectstore import xml_multipart as xml
from nova_tx.objectstore.access import READ, WRITE, usable
from nova_tx.objectstore.action import BUCKET, OBJECT, Action, Asked
from nova_tx.objectstore.answer import Answer, swallow, xml_answer
from nova_tx.objectstore.bounds import DOCUMENT
from nova_tx.objectstore.checksums import asked_algorithm, asked_type, expected, without
from nova_tx.objectstore.digests import CHECKSUM
from nova_tx.objectstore.documents import document
from nova_tx.objectstore.facts import Bucket
from nova_tx.objectstore.faults import (
    AccessDenied,
    InvalidArgument,
    InvalidRequest,
    MissingContentLength,
)
from nova_tx.objectstore.grants import asked_grants
from nova_tx.objectstore.intake import Intake
from nova_tx.objectstore.lengths import check_length
from nova_tx.objectstore.metadata import kept_headers
from nova_tx.objectstore.preconditions import to_replace
from nova_tx.objectstore.sources import SOURCE, copied_range, source
from nova_tx.objectstore.tags import tags_of
from nova_tx.objectstore.uploads import (
    LARGEST_PART,
    Completion,
    Upload,
    check_order,
    part_number,
)

_MOST_LISTED = 1000
#: Bytes and elements of a document that names all parts there can be, with a checksum of each.
_MOST_ELEMENTS = 2**17
_ID, _NUMBER = "uploadId", "partNumber"
_SIZE = "x-amz-mp-object-size"


class CreateMultipartUpload(Action):
    """What is known of the object is told now."""

    methods = ("POST",)
    place = OBJECT
    marks = ("uploads",)

    async def run(self, asked: Asked) -> Answer:
        call, headers = asked.call, asked.call.headers
        bucket = await usable(self.store, asked.caller, call.bucket, WRITE)
        if not asked.caller.known:
            raise AccessDenied("anonymous users cannot initiate multipart uploads")
        await swallow(asked.request, asked.payload)
        algorithm = asked_algorithm(headers)
        upload = await self.store.begin_upload(
            call.bucket,
            Upload(
                key=call.key,
                begun=time.time(),
                headers=kept_headers(headers),
                algorithm=algorithm,
                checksum_type=asked_type(headers, algorithm),
                owner=asked.caller.project,
                grants=await asked_grants(self.users, asked, bucket.owner),
                tags=tags_of(headers),
            ),
        )
        answer = xml_answer(xml.created(call.bucket, upload))
        if algorithm:
            answer.headers[f"{CHECKSUM}algorithm"] = algorithm.upper()
            answer.headers[f"{CHECKSUM}type"] = upload.checksum_type
        return answer


class _OfUpload(Action):
    """What is asked of an upload that goes on."""

    async def bucket(self, asked: Asked) -> Bucket:
        """
        The bucket of an upload that is the caller's own, or in a bucket of the caller's.

        @raise BucketNotFound, NoSuchUpload: there is none.
        @raise AccessDenied: it is another project's.
        """
        call = asked.call
        bucket = await usable(self.store, asked.caller, call.bucket, WRITE)
        if not asked.caller.may_use(bucket.owner):
            page = await self.store.parts(call.bucket, call.key, call.query[_ID], 0, 0)
            if not asked.caller.may_use(page.upload.owner):
                raise AccessDenied("Access Denied")
        return bucket


class UploadPart(_OfUpload):
    """A body becomes a part."""

    methods = ("PUT",)
    place = OBJECT
    marks = (_NUMBER, _ID)

    async def run(self, asked: Asked) -> Answer:
        call, body = asked.call, asked.request.body
        number = part_number(call.query[_NUMBER])
        await self.bucket(asked)
        if body.length is None:
            raise MissingContentLength("You must provide the Content-Length HTTP header.")
        check_length(call.headers, LARGEST_PART)
        intake = Intake(call.headers, asked.payload)
        part = await self.store.receive_part(
            call.bucket, call.key, call.query[_ID], number, body, intake
        )
        checksums = {CHECKSUM + name: value for name, value in part.checksums.items()}
        return Answer(200, {"etag": f'"{part.etag}"', **checksums})


class UploadPartCopy(_OfUpload):
    """Bytes of an object become a part."""

    methods = ("PUT",)
    place = OBJECT
    marks = (_NUMBER, _ID)
    header = SOURCE

    async def run(self, asked: Asked) -> Answer:
        call = asked.call
        number = part_number(call.query[_NUMBER])
        await self.bucket(asked)
        await swallow(asked.request, asked.payload)
        with closing(await source(self.store, asked)) as found:
            first, count = copied_range(call.headers, found.facts.size)
            part = await self.store.copy_part(
                found, first, count, call.bucket, call.key, call.query[_ID], number
            )
        return xml_answer(xml.copied("CopyPartResult", part))


class ListParts(_OfUpload):
    """Those that are there."""

    methods = ("GET",)
    place = OBJECT
    marks = (_ID,)

    async def run(self, asked: Asked) -> Answer:
        call = asked.call
        bucket = await self.bucket(asked)
        after = call.number("part-number-marker", 0)
        limit = min(call.number("max-parts", _MOST_LISTED), _MOST_LISTED)
        page = await self.store.parts(call.bucket, call.key, call.query[_ID], after, limit)
        return xml_answer(xml.parts(call.bucket, page, after, limit, bucket.owner))


class ListMultipartUploads(Action):
    """Those that go on in a bucket."""

    methods = ("GET",)
    place = BUCKET
    marks = ("uploads",)

    async def run(self, asked: Asked) -> Answer:
        query = asked.call.query
        bucket = await usable(self.store, asked.caller, asked.call.bucket, READ)
        encoding = query.get("encoding-type", "")
        if encoding not in ("", "url"):
            raise InvalidArgument("Invalid Encoding Method specified in Request")
        limit = min(asked.call.number("max-uploads", _MOST_LISTED), _MOST_LISTED)
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        key = query.get("key-marker", "")
        # which means nothing without the key
        after = key, query.get("upload-id-marker", "") if key else ""
        page = await self.store.uploads(bucket.name, prefix, after, delimiter, limit)
        return xml_answer(
            xml.uploads(
                bucket.name,
                page,
                prefix=prefix,
                after=after,
                delimiter=delimiter,
                limit=limit,
                encode=encoding == "url",
                bucket_owner=bucket.owner,
            )
        )


class CompleteMultipartUpload(_OfUpload):
    """Parts become the object."""

    methods = ("POST",)
    place = OBJECT
    marks = (_ID,)

    async def run(self, asked: Asked) -> Answer:
        call, headers = asked.call, asked.call.headers
        condition = to_replace(headers, asked.caller, await self.bucket(asked))
        # what they say of checksums they say of the object
        alone = replace(asked, call=replace(call, headers=without(headers)))
        root = await document(
            alone, "CompleteMultipartUpload", most=DOCUMENT, elements=_MOST_ELEMENTS
        )
        size = headers.get(_SIZE)
        if size is not None and not (size.isascii() and size.isdigit() and len(size) <= 20):
            raise InvalidRequest(f"Value for {_SIZE} header is invalid.")
        completion = Completion(
            xml.read_completion(root),
            expected(headers),
            headers.get(f"{CHECKSUM}type", "").upper(),
            None if size is None else int(size),
        )
        check_order(completion)
        facts = await self.store.complete(
            call.bucket, call.key, call.query[_ID], completion, condition
        )
        location = call.url(asked.request.isSecure())
        return xml_answer(xml.completed(call.bucket, call.key, location, facts))


class AbortMultipartUpload(_OfUpload):
    """It and its parts are forgotten."""

    methods = ("DELETE",)
    place = OBJECT
    marks = (_ID,)

    async def run(self, asked: Asked) -> Answer:
        call = asked.call
        await self.bucket(asked)
        await self.store.abort(call.bucket, call.key, call.query[_ID])
        return Answer(204)
