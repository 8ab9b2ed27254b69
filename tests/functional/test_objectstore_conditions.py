"""Conditional requests of many clients at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from botocore.exceptions import ClientError

from nova_tx.testing.objectstore_process import Server

CLIENTS = 16


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    try:
        yield found
    finally:
        found.kill()


@pytest.mark.parametrize("size", [10, 200_000])
def test_one_wins(server: Server, size: int) -> None:
    """Of 16 who store an object at once if there is none, one does, and the others are told."""
    server.boto3().create_bucket(Bucket="bucket")
    for key in ("a", "b", "c"):
        together = Barrier(CLIENTS)

        def put(number: int, key: str = key, together: Barrier = together) -> str:
            client = server.boto3()
            together.wait()
            try:
                client.put_object(
                    Bucket="bucket", Key=key, Body=bytes([number]) * size, IfNoneMatch="*"
                )
            except ClientError as error:
                return str(error.response["Error"]["Code"])
            return ""

        with ThreadPoolExecutor(CLIENTS) as threads:
            results = list(threads.map(put, range(CLIENTS)))
        assert sorted(results) == ["", *["PreconditionFailed"] * (CLIENTS - 1)]
        found = server.boto3().get_object(Bucket="bucket", Key=key)["Body"].read()
        assert found == bytes([results.index("")]) * size


def test_refused_early(server: Server) -> None:
    """Who asks before sending much is told at once that the condition does not hold."""
    client = server.boto3()
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="key", Body=b"old")
    said = {"Expect": "100-continue", "If-None-Match": "*"}
    with server.begin_put("/bucket/key", 2**30, **said) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 412 ")


def test_counted_once(server: Server) -> None:
    """Clients that count in one object by If-Match lose no count."""
    client = server.boto3()
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="count", Body=b"0")

    def count(_: int) -> None:
        own = server.boto3()
        while True:
            now = own.get_object(Bucket="bucket", Key="count")
            following = str(int(now["Body"].read()) + 1).encode()
            try:
                own.put_object(Bucket="bucket", Key="count", Body=following, IfMatch=now["ETag"])
            except ClientError as error:
                assert error.response["Error"]["Code"] == "PreconditionFailed"
            else:
                return

    with ThreadPoolExecutor(CLIENTS) as threads:
        list(threads.map(count, range(CLIENTS)))
    assert client.get_object(Bucket="bucket", Key="count")["Body"].read() == b"16"
