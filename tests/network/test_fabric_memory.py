"""The fabric that remembers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nova_tx.network.fabric.memory import MemoryFabric
from nova_tx.testing.conformance.fabric import make_fabric_tests


class MemoryBench:
    """A host in memory."""

    def __init__(self) -> None:
        self._fabric = MemoryFabric()

    def fabric(self) -> MemoryFabric:
        return self._fabric

    async def ask(self, bridge: str, mac: str) -> str | None:
        return self._fabric.ask(bridge, mac)

    async def bridges(self) -> list[str]:
        return sorted(self._fabric.bridges)


@asynccontextmanager
async def bench(directory: Path) -> AsyncIterator[MemoryBench]:
    """A new host."""
    yield MemoryBench()


class TestMemoryFabric(make_fabric_tests(bench)):  # type: ignore[misc]
    """The suite of IFabric in memory."""
