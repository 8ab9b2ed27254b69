"""The bus of one process keeps the promises of every bus, and a few of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from nova_tx.context import RequestContext
from nova_tx.errors import RemoteTimeout
from nova_tx.flags import BusFlags
from nova_tx.rpc.memory import MemoryRPC
from nova_tx.testing.conformance.rpc import JOHN, Bus, RPCConformance, Service


@pytest_twisted.async_yield_fixture
async def bus() -> AsyncIterator[Bus]:
    """One process that plays both parts."""
    rpc = MemoryRPC(BusFlags(rpc_thread_pool_size=4, rpc_response_timeout=60), reactor)
    await rpc.open()
    yield Bus(rpc, rpc, 4)
    await rpc.close()


class TestMemory(RPCConformance):
    """The conformance suite."""


async def test_delivery_needs_no_clock() -> None:
    """A cast has run as far as it can when its sender has it back; idle says that all ended."""
    rpc = MemoryRPC(BusFlags(), Clock())
    service = Service()
    await rpc.serve("compute", "a", service)
    await rpc.cast(JOHN, "compute", "hold", {"key": "x"})
    assert service.events == ["x begins"]
    idle = rpc.idle()
    assert not idle.called
    service.gate("x").callback(None)
    assert idle.called
    assert rpc.idle().called


async def test_queued_is_not_idle() -> None:
    """A message that waits for a worker keeps the bus from being idle."""
    rpc = MemoryRPC(BusFlags(), Clock())
    serving = await rpc.serve("compute", "a", Service())
    await serving.stop()
    await rpc.cast(JOHN, "compute", "note", {"value": 1})
    idle = rpc.idle()
    assert not idle.called
    await rpc.serve("compute", "b", Service())
    assert idle.called


async def test_no_recursion() -> None:
    """A method that casts to itself a thousand times does not nest."""

    class Chain(Service):
        async def remote_next(self, context: RequestContext, left: int) -> None:
            self.happened(left)
            if left:
                await rpc.cast(context, "compute", "next", {"left": left - 1})

    rpc = MemoryRPC(BusFlags(), Clock())
    service = Chain()
    await rpc.serve("compute", "a", service)
    await rpc.cast(JOHN, "compute", "next", {"left": 2000})
    assert service.events[-1] == 0
    assert len(service.events) == 2001


async def test_closing_stops_all() -> None:
    """close() waits for what is in hand and takes no more."""
    rpc = MemoryRPC(BusFlags(), Clock())
    service = Service()
    await rpc.serve("compute", "a", service)
    await rpc.cast(JOHN, "compute", "hold", {"key": "x"})
    closing = Deferred.fromCoroutine(rpc.close())
    await rpc.cast(JOHN, "compute", "note", {"value": 1})
    assert not closing.called
    service.gate("x").callback(None)
    await closing
    assert service.events == ["x begins", "x ends"]


async def test_default_timeout() -> None:
    """A call without timeout ends after rpc_response_timeout seconds."""
    clock = Clock()
    rpc = MemoryRPC(BusFlags(rpc_response_timeout=7), clock)
    service = Service()
    await rpc.serve("compute", "a", service)
    call = Deferred.fromCoroutine(rpc.call(JOHN, "compute", "hold", {"key": "x"}))
    clock.advance(6.9)
    assert not call.called
    clock.advance(0.2)
    with pytest.raises(RemoteTimeout, match="hold to compute was not answered in 7 s"):
        await call
    assert clock.getDelayedCalls() == []
    service.gate("x").callback(None)
