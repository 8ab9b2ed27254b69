"""nova-manage objectstore: what the objectstore keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_tx.objectstore.disk.store import New, Store
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.testing.manage import Manage, Told


def test_objectstore_check(bare: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage is named, by key and in words, and is status 1; without it status is 0."""
    gentle: list[int] = []
    monkeypatch.setattr("os.nice", gentle.append)
    monkeypatch.setattr("platform.machine", lambda: "none that is known")
    told = bare("objectstore", "check")
    assert (told.code, told.err) == (1, f"there is no directory {tmp_path}/buckets\n")
    store = Store(str(tmp_path / "buckets"))
    store.prepare()
    store.create(Bucket("bucket", "joe", 0.0))
    facts = Facts(7, "9a0364b9e99bb480dd25e1f0284c8555", 0.0, {}, {})
    store.put([New("bucket", "a\nkey", b"content", facts)])
    told = bare("objectstore", "check")
    assert told == Told(
        0, "1 buckets, 1 objects, 0 uploads, 7 bytes read: 0 damaged, 0 left over\n", ""
    )
    store.put([New("bucket", "a\nkey", b"CONTENT", facts)])
    (tmp_path / "buckets" / "bucket" / "stray").touch()
    told = bare("objectstore", "check")
    assert (told.code, told.err) == (1, "1 damaged\n")
    assert told.out == (
        "left over: bucket/stray: is nothing of a bucket's\n"
        "damaged: bucket/a\\nkey: its bytes have the ETag 45685e95985e20822fb2538a522a5ccf, and "
        "not 9a0364b9e99bb480dd25e1f0284c8555\n"
        "1 buckets, 1 objects, 0 uploads, 7 bytes read: 1 damaged, 1 left over\n"
    )
    assert gentle == [19, 19]
