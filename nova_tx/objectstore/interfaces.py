"""
Where buckets and objects are kept, as the doors of the objectstore see it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping

from zope.interface import Attribute, Interface

from nova_tx.objectstore.body import Body
from nova_tx.objectstore.facts import Bucket, Facts, Listing
from nova_tx.objectstore.intake import Intake
from nova_tx.objectstore.request import StreamingRequest

#: Sees that what there is now (None: nothing) may be replaced, or raises PreconditionFailed.
Condition = Callable[[Facts | None], None]


class IFound(Interface):
    """An object as it is now; it stays readable if it is replaced. To be closed."""

    facts: Facts = Attribute("What is known of it.")

    def send(
        request: StreamingRequest, status: int, headers: Mapping[str, str], first: int, count: int
    ) -> Awaitable[None]:
        """Answer a request with C{count} of its bytes from C{first} on."""

    def close() -> None:
        """Let go of it."""


class IStore(Interface):
    """
    Buckets and objects: what was acknowledged is safe, and is there whole or not at all.

    None of the methods blocks, but L{read}.
    """

    def open() -> Awaitable[None]:
        """
        Make ready; remove what an earlier process left unfinished.

        @raise OSError, StartupError: it can't be used.
        """

    def close() -> Awaitable[None]:
        """Let go of what is held; no call is under way."""

    # Buckets.

    def buckets() -> Awaitable[tuple[Bucket, ...]]:
        """Every bucket, by name."""

    def known(name: str) -> Bucket | None:
        """A bucket that was asked for a moment ago."""

    def bucket(name: str) -> Awaitable[Bucket]:
        """
        One bucket.

        @raise BucketNotFound: there is none.
        @raise InvalidBucketName: there can't be.
        """

    def create(bucket: Bucket) -> Awaitable[Bucket]:
        """
        Make a bucket; one that its owner has already is left as it is.

        @raise BucketAlreadyExists: another project has it.
        @raise InvalidBucketName: it can't be called so.
        """

    def change_bucket(name: str, change: Callable[[Bucket], Bucket]) -> Awaitable[Bucket]:
        """
        Change what is known of a bucket, but its name, owner and age.

        @raise BucketNotFound: there is none.
        """

    def remove_bucket(name: str) -> Awaitable[None]:
        """
        Remove an empty bucket.

        @raise BucketNotFound, BucketNotEmpty: there is none, or it has objects.
        """

    # Objects.

    def receive(
        bucket: str, key: str, body: Body, intake: Intake, condition: Condition | None = None
    ) -> Awaitable[Facts]:
        """
        Store a body as an object: whole, right and safe, or not at all.

        @param condition: holds at the moment in which the object is replaced.
        @raise NovaError: what the intake raises, for the body is not what was announced.
        @raise PreconditionFailed: by the condition.
        @raise BucketNotFound, KeyTooLong: it can't be there.
        @raise ConnectionLost: the client went away.
        """

    def look(bucket: str, key: str) -> Awaitable[IFound]:
        """
        An object, to be sent.

        @raise BucketNotFound, KeyNotFound: there is none.
        """

    def change(bucket: str, key: str, change: Callable[[Facts], Facts]) -> Awaitable[Facts]:
        """
        Change an object's grants and tags, and nothing else.

        @raise BucketNotFound, KeyNotFound: there is none.
        """

    def remove(bucket: str, key: str, condition: Condition | None = None) -> Awaitable[None]:
        """
        Remove an object; one that is not there is nothing.

        @raise BucketNotFound: there is no such bucket.
        @raise PreconditionFailed: by the condition.
        """

    def listing(
        bucket: str, prefix: str, after: str, delimiter: str, limit: int
    ) -> Awaitable[Listing]:
        """
        The first C{limit} keys and common prefixes that begin with C{prefix} and
        come after C{after}.

        @param delimiter: keys that have it after the prefix are shown as one; "" for none.
        @raise BucketNotFound: there is no such bucket.
        """

    def read(bucket: str, key: str) -> tuple[Facts, Iterator[bytes]]:
        """
        An object's facts and its bytes, piece by piece. Blocks: for threads.

        @raise BucketNotFound, KeyNotFound: there is none.
        """
