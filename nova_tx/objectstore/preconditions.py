"""Conditions of requests that replace or remove an object. Pure.    [S3: conditional requests]"""

from __future__ import annotations

from collections.abc import Mapping

from nova_tx.objectstore.access import READ, check_object, may, not_there
from nova_tx.objectstore.calls import Caller
from nova_tx.objectstore.conditions import failed, is_unchanged
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.faults import NotImplementedHere
from nova_tx.objectstore.interfaces import Condition

_NO_MATCH, _MATCH = "if-none-match", "if-match"
_TIMES = ("if-modified-since", "if-unmodified-since")


def to_replace(headers: Mapping[str, str], caller: Caller, bucket: Bucket) -> Condition | None:
    """
    On what a request stores an object in a bucket: C{If-None-Match: *}, C{If-Match}, or the time
    of the one that is there, which S3 does not ask for; where nothing is, that has none.

    @raise NotImplementedHere: C{If-None-Match} names an ETag.
    """
    if _NO_MATCH in headers:
        if headers[_NO_MATCH].strip() != "*" or _MATCH in headers:
            _refuse(headers, _NO_MATCH)
        return _nothing
    wanted = {name: headers[name] for name in (_MATCH, *_TIMES) if name in headers}
    return _as_wanted(wanted, caller, bucket) if wanted else None


def to_remove(headers: Mapping[str, str], caller: Caller, bucket: Bucket) -> Condition | None:
    """
    On what a request removes an object from a bucket: C{If-Match}.

    @raise NotImplementedHere: by what S3 has no condition for this.
    """
    _refuse(headers, _NO_MATCH, *_TIMES)
    return matching(headers.get(_MATCH), caller, bucket)


def matching(etags: str | None, caller: Caller, bucket: Bucket) -> Condition | None:
    """
    That there is an object of one of some ETags, which the caller may read; None: no matter.

    It raises KeyNotFound if there is none, and AccessDenied to who may not know.
    """
    return None if etags is None else _as_wanted({_MATCH: etags}, caller, bucket)


def _as_wanted(wanted: Mapping[str, str], caller: Caller, bucket: Bucket) -> Condition:
    def condition(now: Facts | None) -> None:
        if now is not None:
            if is_unchanged(wanted, check_object(caller, bucket, now, READ)):
                raise failed("If-Modified-Since")
        elif _MATCH in wanted or not may(caller, bucket.owner, bucket.grants, READ):
            not_there(caller, bucket)

    return condition


def _nothing(now: Facts | None) -> None:
    if now is not None:
        raise failed("If-None-Match")


def _refuse(headers: Mapping[str, str], *names: str) -> None:
    for name in names:
        if name in headers:
            raise NotImplementedHere(
                "A header you provided implies functionality that is not implemented",
                Header=name.title(),
            )
