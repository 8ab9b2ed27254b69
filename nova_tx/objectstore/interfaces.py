"""
Where buckets and objects are kept, as the doors of the objectstore see it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from zope.interface import Attribute, Interface

from nova_tx.objectstore.body import Body
from nova_tx.objectstore.facts import Bucket, Facts, Listing
from nova_tx.objectstore.intake import Intake
from nova_tx.objectstore.request import StreamingRequest
from nova_tx.objectstore.uploads import Completion, Part, Parts, Upload, Uploads

#: Sees that what there is now (None: nothing) may be replaced or removed; or raises
#: PreconditionFailed, or KeyNotFound.
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
        Make a bucket; one that its owner has already is left as it is, and returned.

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

    def remove_all(
        bucket: str, keys: Sequence[tuple[str, Condition | None]]
    ) -> Awaitable[list[Exception | None]]:
        """
        Remove objects as L{remove} does, together; for each in order, why it is not.

        @raise BucketNotFound: there is no such bucket.
        """

    def copy(
        found: IFound,
        bucket: str,
        key: str,
        change: Callable[[Facts], Facts],
        algorithm: str = "",
        condition: Condition | None = None,
    ) -> Awaitable[Facts]:
        """
        Store an object's bytes once more, as an object that came whole; it may be the same key.

        @param found: what is copied, of this store; it is not closed.
        @param change: what of its headers, owner, grants and tags is another.
        @param algorithm: of the checksum that it is to have; empty: those that it has.
        @raise BucketNotFound, KeyTooLong: it can't be there.
        @raise PreconditionFailed: by the condition, which is as in L{receive}.
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

    # Objects in parts.  An upload is of a bucket, a key and the id that it was given: one that is
    # not, was ended, or can't be an id at all is none.

    def begin_upload(bucket: str, upload: Upload) -> Awaitable[Upload]:
        """
        Begin to store an object in parts: the same with its id.

        @raise BucketNotFound, KeyTooLong: it can't be there.
        """

    def receive_part(
        bucket: str, key: str, upload_id: str, number: int, body: Body, intake: Intake
    ) -> Awaitable[Part]:
        """
        Store a body as a part, in place of the one of this number: right and safe, or not at all.

        @param body: of a length that is known, and is not more than a part may have.
        @param number: from 1 to L{MOST_PARTS}.
        @raise NoSuchUpload: there is none, or no longer.
        @raise InvalidRequest: by L{check_part}.
        @raise NovaError: what the intake raises, for the body is not what was announced.
        @raise ConnectionLost: the client went away.
        """

    def copy_part(
        found: IFound, first: int, count: int, bucket: str, key: str, upload_id: str, number: int
    ) -> Awaitable[Part]:
        """
        Store C{count} bytes of an object of this store from C{first} on as L{receive_part} does.

        @param found: is not closed.
        @raise NoSuchUpload: there is none, or no longer.
        """

    def parts(bucket: str, key: str, upload_id: str, after: int, limit: int) -> Awaitable[Parts]:
        """
        The first C{limit} parts of an upload whose numbers are more than C{after}.

        @raise NoSuchUpload: there is none.
        """

    def uploads(
        bucket: str, prefix: str, after: tuple[str, str], delimiter: str, limit: int
    ) -> Awaitable[Uploads]:
        """
        The first C{limit} uploads and common prefixes whose keys begin with C{prefix}.

        @param after: those of greater keys alone, and of the same key those of greater ids if
            one is given.
        @param delimiter: as in L{listing}.
        @raise BucketNotFound: there is no such bucket.
        """

    def complete(
        bucket: str,
        key: str,
        upload_id: str,
        completion: Completion,
        condition: Condition | None = None,
    ) -> Awaitable[Facts]:
        """
        Make parts the object, as a whole and at once; the others are forgotten with the upload.

        Of an upload that became the object that is there now: what is known of it, once more.

        @raise NoSuchUpload: there is none, or no longer.
        @raise InvalidPart, InvalidPartOrder, InvalidRequest, EntityTooSmall: by L{chosen_parts}.
        @raise InvalidRequest, BadDigest: by L{assembled}.
        @raise PreconditionFailed: by the condition, which is as in L{receive}; the upload goes on.
        """

    def abort(bucket: str, key: str, upload_id: str) -> Awaitable[None]:
        """
        Forget an upload and its parts.

        @raise NoSuchUpload: there is none, or no longer.
        """
