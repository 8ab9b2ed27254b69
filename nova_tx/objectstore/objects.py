"""What S3 can do with the service, a bucket, an object.               [spec/04 section 2]"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from nova_tx.auth.s3_payload import Payload
from nova_tx.objectstore import xml
from nova_tx.objectstore.calls import Call, Caller
from nova_tx.objectstore.conditions import http_date, is_unchanged, part
from nova_tx.objectstore.faults import (
    AccessDenied,
    InvalidArgument,
    InvalidRange,
    MethodNotAllowed,
    NotImplementedHere,
)
from nova_tx.objectstore.files import Facts
from nova_tx.objectstore.request import StreamingRequest
from nova_tx.objectstore.store import Bucket, Store
from nova_tx.objectstore.threads import IPool
from nova_tx.objectstore.uploads import Uploads

_MOST_KEYS = 1000
#: What S3 has that would be done wrongly if it were taken for something else.
# fmt: off
_MISSING = frozenset(
    (
        "accelerate", "analytics", "attributes", "cors", "delete", "encryption", "inventory",
        "legal-hold", "lifecycle", "logging", "metrics", "notification", "object-lock",
        "ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock",
        "replication", "requestPayment", "restore", "retention", "select", "tagging", "torrent",
        "uploadId", "uploads", "versionId", "versioning", "versions", "website",
    )
)
# fmt: on
_OVERRIDES = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)


@dataclass(frozen=True)
class Answer:
    """An answer that fits into memory."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def xml_answer(body: bytes, status: int = 200) -> Answer:
    """An XML document."""
    return Answer(status, {"content-type": xml.CONTENT_TYPE}, body)


class Objects:
    """Buckets and objects, for callers that are known."""

    def __init__(self, store: Store, files: IPool, bodies: IPool) -> None:
        """
        @param files: runs what is short.
        @param bodies: runs what takes in or sends what is large.
        """
        self._store = store
        self._pool = files
        self._bodies = bodies
        self._uploads = Uploads(store, files, bodies)

    async def serve(
        self, call: Call, caller: Caller, request: StreamingRequest, payload: Payload
    ) -> Answer | None:
        """
        Do what a call asks for; None if the answer was sent already.

        @raise NovaError: it can't be done.
        """
        for name in call.query:
            if name in _MISSING:
                raise NotImplementedHere(f"?{name} is not implemented")
        if not call.bucket:
            if call.key:
                raise InvalidArgument("the bucket's name is empty")
            return await self._service(call, caller)
        if not call.key:
            return await self._bucket(call, caller, request, payload)
        return await self._object(call, caller, request, payload)

    async def _service(self, call: Call, caller: Caller) -> Answer:
        if call.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("the service can only be listed")
        found = await self._pool.run(self._store.buckets)
        usable = [each for each in found if caller.may_use(each.owner)]
        return xml_answer(xml.buckets(usable, caller.project))

    async def usable(self, caller: Caller, name: str) -> Bucket:
        """
        A bucket that the caller may use.

        @raise BucketNotFound: there is none.
        @raise AccessDenied: it is another project's.
        """
        bucket = self._store.known(name)
        if bucket is None:
            bucket = await self._pool.run(self._store.bucket, name)
        if not caller.may_use(bucket.owner):
            raise AccessDenied("the bucket belongs to another project")
        return bucket

    async def _bucket(
        self, call: Call, caller: Caller, request: StreamingRequest, payload: Payload
    ) -> Answer:
        if call.method == "PUT":
            if "acl" in call.query:
                raise NotImplementedHere("access control lists can't be changed")
            await swallow(request, payload)
            await self._pool.run(self._store.create, call.bucket, caller.project)
            return Answer(200, {"location": f"/{call.bucket}"})
        if call.method not in ("GET", "HEAD", "DELETE"):
            raise MethodNotAllowed(f"{call.method} means nothing for a bucket")
        bucket = await self.usable(caller, call.bucket)
        if call.method == "DELETE":
            await self._pool.run(self._store.remove_bucket, call.bucket)
            return Answer(204)
        if "acl" in call.query:
            return xml_answer(xml.acl(bucket.owner))
        if "location" in call.query:
            return xml_answer(xml.location())
        if call.method == "HEAD":
            return Answer(200, {"content-type": xml.CONTENT_TYPE})
        return await self._list(call, bucket)

    async def _list(self, call: Call, bucket: Bucket) -> Answer:
        query = call.query
        version = 2 if query.get("list-type") == "2" else 1
        marker = query.get("marker", "")
        token = query.get("continuation-token")
        if version == 2:
            marker = query.get("start-after", "") if token is None else _decode(token)
        encoding = query.get("encoding-type")
        if encoding not in (None, "", "url"):
            raise InvalidArgument("encoding-type can only be url")
        limit = min(call.number("max-keys", _MOST_KEYS), _MOST_KEYS)
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        page = await self._pool.run(
            self._store.listing, bucket.name, prefix, marker, delimiter, limit
        )
        return xml_answer(
            xml.listing(
                bucket,
                page,
                prefix=prefix,
                marker=marker,
                delimiter=delimiter,
                limit=limit,
                encode=encoding == "url",
                terse=query.get("terse") == "1",
                token=token,
                version=version,
            )
        )

    async def _object(
        self, call: Call, caller: Caller, request: StreamingRequest, payload: Payload
    ) -> Answer | None:
        bucket = await self.usable(caller, call.bucket)
        if call.method == "PUT":
            if "acl" in call.query:
                raise NotImplementedHere("access control lists can't be changed")
            for name in ("x-amz-copy-source", "if-match", "if-none-match"):
                if name in call.headers:
                    raise NotImplementedHere(f"PUT with {name} is not implemented")
            facts = await self._uploads.receive(call, request.body, payload)
            checksums = {f"x-amz-checksum-{name}": each for name, each in facts.checksums.items()}
            return Answer(200, {"etag": f'"{facts.etag}"', **checksums})
        if call.method == "DELETE":
            await self._pool.run(self._store.remove, call.bucket, call.key)
            return Answer(204)
        if call.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(f"{call.method} means nothing for an object")
        if "acl" in call.query:
            return xml_answer(xml.acl(bucket.owner))
        return await self._send(call, request)

    async def _send(self, call: Call, request: StreamingRequest) -> Answer | None:
        file, content, facts = await self._pool.run(self._store.look, call.bucket, call.key)
        with file or contextlib.nullcontext():
            headers = _object_headers(call, facts)
            if is_unchanged(call.headers, facts):
                return Answer(304, headers)
            try:
                asked = part(call.headers.get("range"), facts.size)
            except InvalidRange:
                request.setHeader(b"content-range", b"bytes */%d" % facts.size)
                raise
            first, count = asked or (0, facts.size)
            if asked:
                headers["content-range"] = f"bytes {first}-{first + count - 1}/{facts.size}"
            elif call.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
                for name, value in facts.checksums.items():
                    headers[f"x-amz-checksum-{name}"] = value
            status = 206 if asked else 200
            if file is None:
                return Answer(status, headers, content[first : first + count])
            await request.send_file(status, headers, file, first, count, self._bodies)
        return None


def _object_headers(call: Call, facts: Facts) -> dict[str, str]:
    headers = {
        "content-type": "binary/octet-stream",
        **facts.headers,
        "etag": f'"{facts.etag}"',
        "last-modified": http_date(facts.modified),
        "accept-ranges": "bytes",
    }
    for name in _OVERRIDES:
        value = call.query.get(f"response-{name}")
        if value is not None:
            headers[name] = " ".join(value.split())
    return headers


def _decode(token: str) -> str:
    try:
        return bytes.fromhex(token).decode()
    except ValueError:
        raise InvalidArgument("the continuation token is not one of ours") from None


async def swallow(request: StreamingRequest, payload: Payload) -> bytes:
    """
    Read a short body, and check that it is the signed one.

    @raise InvalidArgument: it is long.
    """
    if not request.body.small:
        raise InvalidArgument("the request's body is too long")
    content = payload.feed(await request.body.whole())
    payload.finish()
    return bytes(content)
