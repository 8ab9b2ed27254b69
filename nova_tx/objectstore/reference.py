"""
docs/s3.md, written from the calls themselves: C{python -m nova_tx.objectstore.reference} prints it.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import Any, cast

from nova_tx.auth.interfaces import IUsers
from nova_tx.objectstore.action import BUCKET, OBJECT, SUBRESOURCES, Action, Actions
from nova_tx.objectstore.interfaces import IStore

#: What S3 calls HEAD of what GET gets.
ALSO = {"GetObject": ("HeadObject",)}
#: Calls of S3 that we have not.                                        [S3: API reference]
ABSENT = frozenset(
    (
        *("CreateBucketMetadataConfiguration", "CreateBucketMetadataTableConfiguration"),
        *("CreateSession", "DeleteBucketAnalyticsConfiguration", "DeleteBucketEncryption"),
        *("DeleteBucketIntelligentTieringConfiguration", "DeleteBucketInventoryConfiguration"),
        *("DeleteBucketLifecycle", "DeleteBucketMetadataConfiguration"),
        *("DeleteBucketMetadataTableConfiguration", "DeleteBucketMetricsConfiguration"),
        *("DeleteBucketOwnershipControls", "DeleteBucketPolicy", "DeleteBucketReplication"),
        *("DeleteBucketWebsite", "DeleteObjectAnnotation", "DeletePublicAccessBlock"),
        *("GetBucketAbac", "GetBucketAccelerateConfiguration", "GetBucketAnalyticsConfiguration"),
        *("GetBucketEncryption", "GetBucketIntelligentTieringConfiguration"),
        *("GetBucketInventoryConfiguration", "GetBucketLifecycle"),
        *("GetBucketLifecycleConfiguration", "GetBucketLogging", "GetBucketMetadataConfiguration"),
        *("GetBucketMetadataTableConfiguration", "GetBucketMetricsConfiguration"),
        *("GetBucketNotification", "GetBucketNotificationConfiguration"),
        *("GetBucketOwnershipControls", "GetBucketPolicy", "GetBucketPolicyStatus"),
        *("GetBucketReplication", "GetBucketRequestPayment", "GetBucketVersioning"),
        *("GetBucketWebsite", "GetObjectAnnotation", "GetObjectLegalHold"),
        *("GetObjectLockConfiguration", "GetObjectRetention", "GetObjectTorrent"),
        *("GetPublicAccessBlock", "ListBucketAnalyticsConfigurations"),
        *("ListBucketIntelligentTieringConfigurations", "ListBucketInventoryConfigurations"),
        *("ListBucketMetricsConfigurations", "ListObjectAnnotations", "ListObjectVersions"),
        *("PutBucketAbac", "PutBucketAccelerateConfiguration", "PutBucketAnalyticsConfiguration"),
        *("PutBucketEncryption", "PutBucketIntelligentTieringConfiguration"),
        *("PutBucketInventoryConfiguration", "PutBucketLifecycle"),
        *("PutBucketLifecycleConfiguration", "PutBucketLogging", "PutBucketMetricsConfiguration"),
        *("PutBucketNotification", "PutBucketNotificationConfiguration"),
        *("PutBucketOwnershipControls", "PutBucketPolicy", "PutBucketReplication"),
        *("PutBucketRequestPayment", "PutBucketVersioning", "PutBucketWebsite"),
        *("PutObjectAnnotation", "PutObjectLegalHold", "PutObjectLockConfiguration"),
        *("PutObjectRetention", "PutPublicAccessBlock", "RenameObject", "RestoreObject"),
        *("SelectObjectContent", "UpdateBucketMetadataAnnotationTableConfiguration"),
        *("UpdateBucketMetadataInventoryTableConfiguration",),
        *("UpdateBucketMetadataJournalTableConfiguration", "UpdateObjectEncryption"),
    )
)

_HEAD = """\
# S3, call by call

Written by `python -m nova_tx.objectstore.reference > docs/s3.md`; a test compares.

A call is known by its method, what it is about, names in the query (`?tagging`) and, for copies, a
header. Other names in the query mean nothing, as with S3. Who may do what is said by grants; what
else there is to say is in [behaviour.md](behaviour.md).
"""

_ABSENT = """\
## Not there

`NotImplemented` (501), whatever comes with them; so is a header that asks for encryption, object
lock, website redirects, or what only directory buckets have.
"""


def page() -> str:
    """The page."""
    there = Actions(cast(IStore, None), cast(IUsers, None)).named.values()
    kinds = sorted(map(type, there), key=lambda each: (each.__module__, each.__name__))
    parts = [_HEAD]
    for module, members in groupby(kinds, lambda each: each.__module__):
        parts += _chapter(sys.modules[module], members)
    names = textwrap.fill(", ".join(sorted(ABSENT)) + ".", 120)
    return "\n".join([*parts, _ABSENT, names, ""])


def _chapter(module: Any, members: Iterator[type[Action]]) -> Iterator[str]:
    yield f"## {_first_line(module).partition('  ')[0].partition(': ')[0].rstrip('.')}\n"
    yield "| call | request | |\n|---|---|---|"
    for each in members:
        names = (each.__name__, *ALSO.get(each.__name__, ()))
        yield f"| {', '.join(names)} | {_requests(each)} | {_plain(_first_line(each))} |"
    yield ""


def _requests(action: type[Action]) -> str:
    place = {BUCKET: "/bucket", OBJECT: "/bucket/key"}.get(action.place, "/")
    query = "?" + "&".join(action.marks) if action.marks else ""
    text = f"`{', '.join(action.methods)} {place}{query}`"
    if set(action.also) == SUBRESOURCES:
        text += ", whatever is in the query"
    elif action.also:
        text += f", with `{'`, `'.join(action.also)}` or without"
    if action.header:
        text += f", with header `{action.header}`"
    return text + (", with a form" if action.by_form else "")


def _first_line(documented: Any) -> str:
    """What it is for, on one line."""
    return inspect.cleandoc(documented.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def _plain(text: str) -> str:
    return re.sub(r"[CLBI]\{([^}]*)\}", r"`\1`", text)


if __name__ == "__main__":
    sys.stdout.write(page())
