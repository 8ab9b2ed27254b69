"""What is said of objects that could not be removed, one of many."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pytest

from nova_tx.errors import TooManyRequests, Unavailable
from nova_tx.objectstore.faults import Damaged
from nova_tx.testing.asking import Asker, md5_of


async def test_told(door: Asker, monkeypatch: pytest.MonkeyPatch, logged_errors: Any) -> None:
    """The words are S3's, and what is for the log alone is told to nobody."""
    why: list[Exception] = [
        Unavailable("away"),
        TooManyRequests("later"),
        Damaged("the object bucket/c is damaged: a secret"),
        OSError("a secret"),
    ]

    async def remove_all(bucket: str, keys: Sequence[object]) -> list[Exception]:
        return why

    monkeypatch.setattr(door.running.objectstore._store, "remove_all", remove_all)
    keys = "".join(f"<Object><Key>{key}</Key></Object>" for key in "abcd")
    body = f"<Delete>{keys}</Delete>".encode()
    digest = base64.b64encode(bytes.fromhex(md5_of(body))).decode()
    answer = await door.ask("POST", "/bucket?delete", body, content_md5=digest)
    assert answer.texts("Error/Code") == [
        "ServiceUnavailable",
        "SlowDown",
        "InternalError",
        "InternalError",
    ]
    assert b"secret" not in answer.body
    assert len(logged_errors.flush()) == 2
