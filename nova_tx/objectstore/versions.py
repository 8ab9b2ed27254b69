"""Versions of objects: there is one of each, which S3 calls null. Pure."""

from __future__ import annotations

from nova_tx.objectstore.faults import InvalidArgument

#: The name in a query that tells a version.
VERSION = "versionId"
#: What is called so was stored in a bucket that keeps no versions.  [S3 User Guide, "Versioning"]
_ONLY = "null"


def check_version(version: str | None) -> None:
    """
    See that a request is about the version that there is.

    @param version: None: it names none.
    @raise InvalidArgument: it names another: no id was ever given, so it can't be one.
        [as S3 answers ids that are not of its form]
    """
    if version in (None, _ONLY):
        return
    raise InvalidArgument(
        "Invalid version id specified" if version else "Version id cannot be the empty string",
        ArgumentName=VERSION,
        ArgumentValue=version,
    )
