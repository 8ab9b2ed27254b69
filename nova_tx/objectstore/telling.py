"""What is said of a request that failed, beside the code and a sentence."""

from __future__ import annotations

import base64
import hashlib
import platform

from nova_tx.errors import (
    AuthFailure,
    BucketNotFound,
    Duplicate,
    DuplicateImageName,
    ForeignImage,
    ImageError,
    ImageNotFound,
    ImageUnavailable,
    InvalidInput,
    InvalidLaunchPermission,
    KeyNotFound,
    MalformedPayload,
    NovaError,
    PayloadMismatch,
    ProjectNotFound,
    RequestExpired,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UserNotFound,
)
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

#: S3's code and status where they are not the class's own; the first that fits.
_S3_WORDS: tuple[tuple[type[NovaError], str, int], ...] = (
    (UserNotFound, "InvalidAccessKeyId", 403),
    (ProjectNotFound, "AccessDenied", 403),
    (AuthFailure, "AccessDenied", 403),
    (ForeignImage, "NotImageOwner", 403),
    (Unauthorized, "AccessDenied", 403),
    (RequestExpired, "RequestTimeTooSkewed", 403),
    (ImageNotFound, ImageNotFound.code, 404),
    (ImageUnavailable, ImageUnavailable.code, 409),
    (ImageError, "InvalidImage", 400),
    (DuplicateImageName, DuplicateImageName.code, 409),
    (Duplicate, "ImageAlreadyExists", 409),
    (PayloadMismatch, PayloadMismatch.code, 400),
    (MalformedPayload, MalformedPayload.code, 400),
    (InvalidLaunchPermission, InvalidLaunchPermission.code, 400),
    (InvalidInput, "InvalidArgument", 400),
    (TooManyRequests, "SlowDown", 503),
    (Unavailable, "ServiceUnavailable", 503),
)

#: Which host answers, told to nobody who does not know it: the same in all of its answers.
HOST_ID = base64.b64encode(hashlib.sha384(platform.node().encode()).digest()).decode()


def s3_word(error: NovaError) -> tuple[str, int]:
    """S3's code of a failure, and the status that an answer has which tells it."""
    return next(
        ((code, status) for kind, code, status in _S3_WORDS if isinstance(error, kind)),
        (error.code, error.status),
    )


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
