"""Objects of a bucket, read in somebody's name: by the registry, which reads what it registers."""

from __future__ import annotations

from collections.abc import Iterator

from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.roles import Roles
from nova_tx.context import RequestContext
from nova_tx.errors import KeyNotFound, ProjectNotFound, UserNotFound
from nova_tx.objectstore.access import READ, check_object, not_there
from nova_tx.objectstore.calls import Caller
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.interfaces import IStore


class Reading:
    """
    A bucket's objects, for a caller who may read them or not.

    @ivar bucket: which one.
    """

    def __init__(self, store: IStore, bucket: Bucket, caller: Caller) -> None:
        self.bucket = bucket
        self._store = store
        self._caller = caller

    def open(self, key: str) -> tuple[Facts, Iterator[bytes]]:
        """
        An object's facts and its bytes, piece by piece. Blocks: for threads.

        @raise BucketNotFound, KeyNotFound: there is none.
        @raise AccessDenied: the caller may not read it, or not know that there is none.
        """
        try:
            facts, found = self._store.read(self.bucket.name, key)
        except KeyNotFound:
            not_there(self._caller, self.bucket)
            raise
        check_object(self._caller, self.bucket, facts, READ)
        return facts, found


async def reading(store: IStore, bucket: str, caller: Caller) -> Reading:
    """
    A bucket's objects, for a caller.

    @raise BucketNotFound: there is none.
    """
    return Reading(store, store.known(bucket) or await store.bucket(bucket), caller)


async def caller_of(users: IUsers, roles: Roles, user_id: str, project_id: str) -> Caller:
    """
    Who asked for something earlier, with the rights of today.

    Whoever is gone keeps what the project may.
    """
    try:
        is_admin = roles.admin((await users.member(user_id, project_id)).user)
    except (UserNotFound, ProjectNotFound):
        is_admin = False
    return Caller(RequestContext(user_id, project_id, is_admin), project_id)
