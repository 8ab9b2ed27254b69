"""
Writers that put, overwrite, upload in parts, copy and delete, and readers, while the objectstore
is killed.

What was acknowledged is there, what was not is there whole or not at all, and nothing else is; at
no time was anything else to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_tx.objectstore.disk.check import Check
from nova_tx.testing import dawdling
from nova_tx.testing.daemons import until
from nova_tx.testing.objectstore_daemon import ObjectstoreDaemon, kill_one
from nova_tx.testing.remote_stores import BUCKET as REMOTE
from nova_tx.testing.remote_stores import bucket_at, flags_of, opened
from nova_tx.testing.s3_witnesses import BUCKET
from nova_tx.testing.s3_writers import clear, see, while_killed


@pytest.fixture(params=[1, 2], ids=["one process", "two processes"])
def daemon(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectstoreDaemon]:
    flag = f"--objectstore_workers={request.param}"
    made = ObjectstoreDaemon(tmp_path, flag, launch=dawdling.__name__)
    try:
        made.start()
        made.s3().create_bucket(Bucket=BUCKET)
        yield made
    finally:
        made.close()


def test_killed_all_the_time(daemon: ObjectstoreDaemon) -> None:
    """What was acknowledged survives 50 deaths bit for bit; nothing half-written is ever seen."""

    def kill(number: int) -> None:
        mates = daemon.mates()
        if mates and number % 2:
            kill_one(mates[0])  # the first one starts another
            until(lambda: mates[0] not in daemon.mates(), "its end")
        else:
            daemon.kill()
            daemon.start()

    expected = while_killed(daemon, 8, 3, 50, kill)
    daemon.kill()
    daemon.start()
    client = daemon.s3()
    see(client, expected)
    _whole(daemon)
    clear(client, expected)
    client.close()
    _whole(daemon)
    assert daemon.stop() == 0
    left = (daemon.directory / "buckets").rglob("*")
    assert {each.name for each in left} <= {".new", ".names", ".changes"}


def _whole(daemon: ObjectstoreDaemon) -> None:
    """Every byte is as it was stored, and nothing lies about."""
    check = Check(str(daemon.directory / "buckets"), old=0.0)
    assert list(check.run()) == []


async def test_killed_before_another(tmp_path: Path) -> None:
    """The same holds where another S3 keeps everything, and in the end nothing is left there."""
    from twisted.internet.threads import deferToThread

    behind = ObjectstoreDaemon(tmp_path / "behind")
    daemon = ObjectstoreDaemon(tmp_path / "front", *flags_of(behind.port, "cloud"))
    try:
        behind.start()
        with bucket_at(behind.port) as there:
            there.close()  # its connection, which would be waited for
            await deferToThread(_killed, daemon)
            async with opened(behind.port, "cloud", later=3600.0):
                pass  # what the dead left is old enough now
            assert there.list_objects_v2(Bucket=REMOTE).get("Contents", []) == []
    finally:
        daemon.close()
        behind.close()


def _killed(daemon: ObjectstoreDaemon) -> None:
    daemon.start()
    client = daemon.s3()
    client.create_bucket(Bucket=BUCKET)

    def kill(_number: int) -> None:
        daemon.kill()
        daemon.start()

    expected = while_killed(daemon, 4, 2, 12, kill, late=True)
    see(client, expected)
    kill(0)
    see(client, expected)
    clear(client, expected)
    client.close()
    assert daemon.stop() == 0
