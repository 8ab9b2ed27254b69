"""The store in another S3 keeps what every store promises, wherever that S3 is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from nova_tx.objectstore.interfaces import IStore
from nova_tx.testing.conformance.store import make_store_tests
from nova_tx.testing.objectstore_process import Server
from nova_tx.testing.remote_stores import MotoServer, bucket_at, opened

#: Where the S3 of the tests that run is.
_ports: dict[str, int] = {}


def _at(kind: str) -> Any:
    @asynccontextmanager
    async def world() -> AsyncIterator[IStore]:
        async with opened(_ports[kind]) as store:
            yield store

    return world


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("ours")
    server = Server(directory)
    _ports["ours"] = server.endpoint.port
    with bucket_at(server.endpoint.port):
        yield directory
    server.kill()


@pytest.fixture(scope="module")
def motos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    server = MotoServer(tmp_path_factory.mktemp("moto"))
    _ports["moto"] = server.port
    with bucket_at(server.port):
        yield
    server.kill()


@pytest.mark.usefixtures("ours")
class TestInOurs(make_store_tests(_at("ours"))):  # type: ignore[misc]
    """The suite of IStore in an objectstore of ours."""


@pytest.mark.usefixtures("motos")
class TestInMoto(make_store_tests(_at("moto"))):  # type: ignore[misc]
    """The suite of IStore in moto's server."""


@pytest.mark.usefixtures("ours", "motos")
@pytest.mark.parametrize("kind", ["ours", "moto"])
async def test_conditions(kind: str) -> None:
    """Both heed all conditions, so that the suites see what comes of them."""
    lines: list[str | None] = []

    def see(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(see)
    try:
        async with opened(_ports[kind]):
            pass
    finally:
        globalLogPublisher.removeObserver(see)
    [said] = [line for line in lines if line and "heeds" in line]
    assert said.count("yes") == 3 and "no" not in said.split()
