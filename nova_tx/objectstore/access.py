"""
Who may do what with buckets and objects.

A project owns the buckets that it made and the objects that it uploaded; its members may
everything with them, and so may administrators.  Others may what the owner granted them: to
one object or one bucket, for a bucket's owner may list and remove, but not read, what others
put there.                                                              [S3: ACL overview]
"""

from __future__ import annotations

from collections.abc import Callable

from nova_tx.errors import KeyNotFound
from nova_tx.objectstore.calls import Caller
from nova_tx.objectstore.facts import Bucket, Facts, Grants
from nova_tx.objectstore.faults import AccessDenied
from nova_tx.objectstore.interfaces import IFound, IStore

READ, WRITE, READ_ACP, WRITE_ACP = "READ", "WRITE", "READ_ACP", "WRITE_ACP"
FULL_CONTROL = "FULL_CONTROL"
PERMISSIONS = (READ, WRITE, READ_ACP, WRITE_ACP, FULL_CONTROL)

_GROUPS = "http://acs.amazonaws.com/groups/"
#: Whoever asks, and whoever signs as a user of this cloud.
ALL_USERS = f"{_GROUPS}global/AllUsers"
AUTHENTICATED_USERS = f"{_GROUPS}global/AuthenticatedUsers"


def may(caller: Caller, owner: str, grants: Grants, permission: str | None) -> bool:
    """
    The rule: whether a caller may do something with a bucket or an object.

    @param permission: what it takes; None: only its owner may.
    """
    if caller.may_use(owner):
        return True
    mine = {ALL_USERS} if not caller.known else {ALL_USERS, AUTHENTICATED_USERS, caller.project}
    return permission is not None and any(
        grantee in mine and granted in (permission, FULL_CONTROL) for grantee, granted in grants
    )


async def usable(store: IStore, caller: Caller, name: str, permission: str | None = None) -> Bucket:
    """
    A bucket with which the caller may do something.

    @param permission: what it takes; None: only its owner may.
    @raise BucketNotFound: there is none.
    @raise AccessDenied: the caller may not.
    """
    bucket = store.known(name)
    if bucket is None:
        bucket = await store.bucket(name)
    if not may(caller, bucket.owner, bucket.grants, permission):
        raise AccessDenied("Access Denied")
    return bucket


def check_object(caller: Caller, bucket: Bucket, facts: Facts, permission: str | None) -> Facts:
    """
    An object's facts, for a caller who may do something with it.

    @param permission: what it takes; None: only its owner may.
    @raise AccessDenied: the caller may not.
    """
    if not may(caller, facts.owner or bucket.owner, facts.grants, permission):
        raise AccessDenied("Access Denied")
    return facts


def not_there(caller: Caller, bucket: Bucket) -> None:
    """
    Say that there is no such object, if the caller may know it.

    @raise KeyNotFound: there is none.
    @raise AccessDenied: nor may the caller list the bucket.
    """
    if not may(caller, bucket.owner, bucket.grants, READ):
        raise AccessDenied("Access Denied")
    raise KeyNotFound("the key does not exist")


async def found(
    store: IStore, caller: Caller, bucket: str, key: str, permission: str | None = READ
) -> tuple[Bucket, IFound]:
    """
    An object with which the caller may do something, and its bucket; to be closed.

    @param permission: what it takes; None: only its owner may.
    @raise BucketNotFound, KeyNotFound: there is none.
    @raise AccessDenied: the caller may not, or may not know that there is none.
    """
    there = store.known(bucket)
    if there is None:
        there = await store.bucket(bucket)
    try:
        look = await store.look(bucket, key)
    except KeyNotFound:
        not_there(caller, there)
        raise
    try:
        check_object(caller, there, look.facts, permission)
    except AccessDenied:
        look.close()
        raise
    return there, look


async def changed(
    store: IStore,
    caller: Caller,
    bucket: str,
    key: str,
    permission: str | None,
    change: Callable[[Facts], Facts],
) -> Facts:
    """
    Change an object with which the caller may do that, at that moment.

    @param permission: what it takes; None: only its owner may.
    @raise BucketNotFound, KeyNotFound: there is none.
    @raise AccessDenied: the caller may not, or may not know that there is none.
    """
    there = store.known(bucket)
    if there is None:
        there = await store.bucket(bucket)
    try:
        return await store.change(
            bucket, key, lambda facts: change(check_object(caller, there, facts, permission))
        )
    except KeyNotFound:
        not_there(caller, there)
        raise
