"""The ids of uploads in parts. Pure, but for the time."""

from __future__ import annotations

import re
import secrets
import time

from nova_tx.objectstore.faults import NoSuchUpload

_ID = re.compile(r"[0-9a-f]{32}\Z")


def new_id() -> str:
    """An id: the time, so that ids are in the order of their uploads, and what nobody guesses."""
    return f"{time.time_ns():016x}{secrets.token_hex(8)}"


def is_id(name: str) -> bool:
    """Whether it can be one."""
    return _ID.match(name) is not None


def over() -> NoSuchUpload:
    """What is said of an upload that there is not."""
    return NoSuchUpload(
        "The specified multipart upload does not exist. The upload ID might be invalid, or the "
        "multipart upload might have been aborted or completed."
    )
