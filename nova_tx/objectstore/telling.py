"""What is said of a request that failed, beside the code and a sentence."""

from __future__ import annotations

import base64
import hashlib
import platform

from nova_tx.errors import BucketNotFound, KeyNotFound, NovaError
from nova_tx.objectstore.calls import Call
from nova_tx.objectstore.faults import (
    BucketAlreadyExists,
    BucketAlreadyOwnedByYou,
    BucketNotEmpty,
    Fault,
    InvalidBucketName,
    NoSuchTagSet,
)

_OF_BUCKET = (
    BucketAlreadyExists,
    BucketAlreadyOwnedByYou,
    BucketNotEmpty,
    BucketNotFound,
    InvalidBucketName,
    NoSuchTagSet,
)

#: Which host answers, told to nobody who does not know it: the same in all of its answers.
HOST_ID = base64.b64encode(hashlib.sha384(platform.node().encode()).digest()).decode()


def members(error: NovaError, call: Call | None) -> dict[str, object]:
    """
    What S3's document of a failure has of its own.

    @param call: what was asked for, if it could be read.
    """
    found: dict[str, object] = {}
    if call is not None:
        if isinstance(error, _OF_BUCKET):
            found["BucketName"] = call.bucket
        elif isinstance(error, KeyNotFound):
            found["Key"] = call.key
    if isinstance(error, Fault):
        found.update(error.members)
    return found
