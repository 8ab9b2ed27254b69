"""
What a form may hold, as who signed it says. Pure.          [S3: POST policy, condition matching]
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nova_tx.objectstore.faults import AccessDenied, InvalidPolicyDocument

_RANGE = "content-length-range"
#: Fields that no condition has to allow.
_FREE = frozenset(("policy", "signature", "awsaccesskeyid", "x-amz-signature", "file"))


@dataclass(frozen=True)
class Policy:
    """
    A policy.

    @ivar expiration: aware.
    @ivar matches: what it takes: C{eq} or C{starts-with}, a field in lower case, a value.
    @ivar least, most: bytes that the file may have; None: as many as it likes.
    """

    expiration: datetime
    matches: tuple[tuple[str, str, str], ...]
    least: int = 0
    most: int | None = None


def read_policy(text: str) -> Policy:
    """
    A policy, as a form has it: JSON in base64.

    @raise InvalidPolicyDocument: it is none.
    """
    try:
        document = json.loads(base64.b64decode(text, validate=True))
    except (ValueError, RecursionError):
        raise InvalidPolicyDocument("Invalid Policy: Invalid JSON.") from None
    if not isinstance(document, dict):
        raise InvalidPolicyDocument("Invalid Policy: it is no object.")
    conditions = document.get("conditions")
    if not isinstance(conditions, list):
        raise InvalidPolicyDocument("Invalid Policy: there are no conditions.")
    matches: list[tuple[str, str, str]] = []
    least, most = 0, None
    for each in conditions:
        if isinstance(each, list) and len(each) == 3 and _lower(each[0]) == _RANGE:
            least, highest = max(least, _count(each[1])), _count(each[2])
            most = highest if most is None else min(most, highest)
        else:
            matches.append(_match(each))
    return Policy(_expiration(document.get("expiration")), tuple(matches), least, most)


def _lower(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def _expiration(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        found = datetime.min
    if found.tzinfo is None:
        raise InvalidPolicyDocument("Invalid Policy: Invalid 'expiration' value.")
    return found


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    raise InvalidPolicyDocument(f"Invalid Policy: {_RANGE} is between two counts of bytes.")


def _match(condition: Any) -> tuple[str, str, str]:
    if isinstance(condition, dict):
        if len(condition) != 1:
            raise InvalidPolicyDocument(
                "Invalid Policy: Invalid Simple-Condition:"
                " Simple-Conditions must have exactly one property specified."
            )
        [(name, value)] = condition.items()
        operator = "eq"
    elif isinstance(condition, list) and len(condition) == 3:
        operator, name, value = condition
        operator = _lower(operator)
        if operator not in ("eq", "starts-with"):
            raise InvalidPolicyDocument("Invalid Policy: there is no such operation.")
        if not (isinstance(name, str) and name.startswith("$")):
            raise InvalidPolicyDocument("Invalid Policy: a field is named with a $ before it.")
        name = name[1:]
    else:
        raise InvalidPolicyDocument("Invalid Policy: Invalid Condition.")
    if not isinstance(value, str):
        raise InvalidPolicyDocument("Invalid Policy: a value is no text.")
    return operator, name.lower(), value


def check_policy(policy: Policy, bucket: str, fields: Mapping[str, str], now: datetime) -> None:
    """
    See that a form holds what its policy allows, and nothing else.

    @param bucket: where it was sent.
    @param fields: by lower-case name.
    @param now: aware.
    @raise AccessDenied: it does not.
    """
    if now.astimezone(UTC) >= policy.expiration:
        raise AccessDenied("Invalid according to Policy: Policy expired.")
    given = {**fields, "bucket": bucket}
    for operator, name, wanted in policy.matches:
        if not _holds(operator, name, given.get(name, ""), wanted):
            told = json.dumps([operator, f"${name}", wanted], ensure_ascii=False)
            raise AccessDenied(f"Invalid according to Policy: Policy Condition failed: {told}")
    named = {name for _, name, _ in policy.matches}
    extra = sorted(
        name
        for name in given
        if name not in named and name not in _FREE and not name.startswith("x-ignore-")
    )
    if extra:
        raise AccessDenied(f"Invalid according to Policy: Extra input fields: {', '.join(extra)}")


def _holds(operator: str, name: str, given: str, wanted: str) -> bool:
    if operator == "eq":
        return given == wanted
    if name == "content-type":  # each of a list
        return all(each.strip().startswith(wanted) for each in given.split(","))
    return given.startswith(wanted)
