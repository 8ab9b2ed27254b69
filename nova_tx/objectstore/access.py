"""What a caller may do with buckets.                                  [spec/04 section 2]"""

from __future__ import annotations

from nova_tx.objectstore.calls import Caller
from nova_tx.objectstore.facts import Bucket
from nova_tx.objectstore.faults import AccessDenied
from nova_tx.objectstore.interfaces import IStore


async def usable(store: IStore, caller: Caller, name: str) -> Bucket:
    """
    A bucket that the caller may use.

    @raise BucketNotFound: there is none.
    @raise AccessDenied: it is another project's.
    """
    bucket = store.known(name)
    if bucket is None:
        bucket = await store.bucket(name)
    if not caller.may_use(bucket.owner):
        raise AccessDenied("the bucket belongs to another project")
    return bucket
