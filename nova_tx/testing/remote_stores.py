"""Stores in another S3 that really runs: an objectstore of ours, or moto's server. For tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from twisted.internet.task import Clock

from nova_tx.flags import BackendFlags
from nova_tx.objectstore.remote.opening import remote_store
from nova_tx.objectstore.remote.store import RemoteStore
from nova_tx.objectstore.threads import Pool
from nova_tx.testing.daemons import until
from nova_tx.testing.objectstore_process import ACCESS, SECRET
from nova_tx.testing.ports import free_port

#: The bucket there that keeps everything.
BUCKET = "remote"
_numbers = count()


class MotoServer:
    """moto's server, in a process of its own."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        directory.mkdir(parents=True, exist_ok=True)
        program = os.path.join(os.path.dirname(sys.executable), "moto_server")
        argv = [program, "--host", "127.0.0.1", "--port", str(self.port)]
        with open(directory / "moto.log", "ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        until(self._answers, "moto's server")

    def _answers(self) -> bool:
        with suppress(Exception):
            client(self.port).list_buckets()
            return True
        return False

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def client(port: int) -> Any:
    """boto3's, for whoever listens on a port of loopback."""
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=ACCESS,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def flags_of(port: int, prefix: str = "") -> tuple[str, ...]:
    """Flags of an objectstore that keeps everything at a port of loopback."""
    return (
        f"--s3_backend_url=http://127.0.0.1:{port}/{BUCKET}/{prefix}",
        f"--s3_backend_access_key={ACCESS}",
        f"--s3_backend_secret_key={SECRET}",
    )


@asynccontextmanager
async def opened(port: int, prefix: str = "", later: float = 0.0) -> AsyncIterator[RemoteStore]:
    """
    A store at a port of loopback, below a prefix: by default one that nobody had before.

    @param later: seconds that it believes to be, after now.
    """
    from twisted.internet import reactor

    pool = Pool(reactor, "remote", 2)
    pool.start()
    place = f"http://127.0.0.1:{port}/{BUCKET}/{prefix or f'n{next(_numbers)}'}"
    clock = Clock()
    clock.advance(reactor.seconds() + later)
    store = remote_store(BackendFlags(place, ACCESS, SECRET), pool, reactor, clock)
    try:
        await store.open()
        yield store
    finally:
        await store.close()
        await pool.stop()


@contextmanager
def bucket_at(port: int) -> Iterator[Any]:
    """A client of an S3 that has the bucket L{BUCKET} now."""
    there = client(port)
    there.create_bucket(Bucket=BUCKET)
    try:
        yield there
    finally:
        there.close()
