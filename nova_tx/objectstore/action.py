"""What an S3 call is, and which one a request asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import nova_tx.objectstore.actions
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.s3_payload import Payload
from nova_tx.objectstore.answer import Answer
from nova_tx.objectstore.calls import Call, Caller
from nova_tx.objectstore.faults import (
    AccessDenied,
    InvalidArgument,
    MethodNotAllowed,
    NotImplementedHere,
)
from nova_tx.objectstore.forms import Form
from nova_tx.objectstore.interfaces import IStore
from nova_tx.objectstore.names import check_key
from nova_tx.objectstore.request import StreamingRequest
from nova_tx.objectstore.unsupported import refuse_unsupported
from nova_tx.objectstore.versions import VERSION, check_version
from nova_tx.registry import by_name, definitions, is_class

#: What a call is about.
SERVICE, BUCKET, OBJECT = "the service", "a bucket", "an object"

#: Names in a query that mean another call than the same without them; any other means nothing.
# fmt: off
SUBRESOURCES = frozenset(
    (
        "abac", "accelerate", "acl", "analytics", "annotation", "attributes", "cors", "delete",
        "encryption", "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location",
        "logging", "metadataAnnotationTable", "metadataConfiguration", "metadataInventoryTable",
        "metadataJournalTable", "metadataTable", "metrics", "notification", "object-lock",
        "ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock",
        "renameObject", "replication", "requestPayment", "restore", "retention", "select",
        "session", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning",
        "versions", "website",
    )
)
# fmt: on


@dataclass(frozen=True)
class Asked:
    """
    A request of which it is known who asks.

    @ivar form: the form that its body is, if the call is one of those that take one.
    """

    call: Call
    caller: Caller
    request: StreamingRequest
    payload: Payload
    form: Form | None = None


class Action:
    """
    A call of S3's, called as in its API reference.

    @cvar methods: HEAD is GET without the body.
    @cvar place: what it is about.
    @cvar marks: names that the query must have.
    @cvar also: other subresources that the query may have.
    @cvar header: a header that the request must have; empty: none.
    @cvar by_form: it takes a form, and who asks is said in that.
    """

    methods: ClassVar[tuple[str, ...]]
    place: ClassVar[str]
    marks: ClassVar[tuple[str, ...]] = ()
    also: ClassVar[tuple[str, ...]] = ()
    header: ClassVar[str] = ""
    by_form: ClassVar[bool] = False

    def __init__(self, store: IStore, users: IUsers) -> None:
        self.store = store
        self.users = users

    def run(self, asked: Asked) -> Awaitable[Answer | None]:
        """
        Do it; None if the answer was sent already.

        @raise NovaError: it can't be done.
        """
        raise NotImplementedError

    def fits(self, call: Call) -> bool:
        """Whether a request of its method and place asks for it."""
        return all(mark in call.query for mark in self.marks) and (
            not self.header or self.header in call.headers
        )


class Actions:
    """Every call that there is."""

    def __init__(
        self,
        store: IStore,
        users: IUsers,
        package: ModuleType = nova_tx.objectstore.actions,
    ) -> None:
        self._store = store
        found = [
            value(store, users)
            for value in definitions(package, is_class)
            if isinstance(value, type) and issubclass(value, Action)
        ]
        self.named = by_name(found, lambda each: (type(each).__name__,))
        self._of: dict[tuple[str, str], list[Action]] = {}
        # who asks for more comes first
        for action in sorted(found, key=lambda each: (-len(each.marks), not each.header)):
            for method in action.methods:
                self._of.setdefault((action.place, method), []).append(action)

    async def run(self, action: Action, asked: Asked) -> Answer | None:
        """
        Do what a request asks for; None if the answer was sent already.

        @raise NotImplementedHere, InvalidToken: its headers ask for what we have not.
        @raise AccessDenied: the bucket is another's than it says.
        @raise KeyTooLong, InvalidArgument: there can be no such object, or version of it.
        @raise NovaError: it can't be done.
        """
        call = asked.call
        check_key(call.key)
        if call.method != "OPTIONS":
            check_version(call.query.get(VERSION))
        refuse_unsupported(call.headers)
        owner = call.headers.get("x-amz-expected-bucket-owner")
        if owner is not None and call.bucket:
            bucket = await self._store.bucket(call.bucket)
            if bucket.owner != owner:
                raise AccessDenied("Access Denied")
        return await action.run(asked)

    def find(self, call: Call) -> Action:
        """
        The one that a request asks for.

        @raise NotImplementedHere: S3 has it, we have not.
        @raise MethodNotAllowed, InvalidArgument: S3 has none such.
        """
        if call.key and not call.bucket:
            raise InvalidArgument("the bucket's name is empty")
        place = OBJECT if call.key else BUCKET if call.bucket else SERVICE
        found = next(
            (each for each in self._of.get((place, call.method), ()) if each.fits(call)), None
        )
        missing = _missing(call.query, found)
        if missing is not None:
            raise NotImplementedHere(f"{call.method} of ?{missing} is not implemented")
        if found is None:
            raise MethodNotAllowed(
                "The specified method is not allowed against this resource.",
                Method=call.method,
                ResourceType=place.rpartition(" ")[2].upper(),
            )
        return found


def _missing(query: Iterable[str], action: Action | None) -> str | None:
    """A subresource in a query that an action does not know."""
    known = () if action is None else (*action.marks, *action.also)
    return next((name for name in query if name in SUBRESOURCES and name not in known), None)
