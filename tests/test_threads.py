"""Work in threads belongs to the request on whose behalf it is done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from nova_tx import metrics
from nova_tx.context import RequestContext
from nova_tx.log import in_context
from nova_tx.monitor.keeper import Keeper
from nova_tx.testing.lines import logged_lines
from nova_tx.threads import in_pool

_log = Logger()


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    """Two threads."""
    made = ThreadPool(0, 2, "some")
    made.start()
    yield made
    made.stop()


async def test_lines_in_threads(pool: ThreadPool) -> None:
    """What a thread logs has the id of the request that asked for it, and of no other."""

    def work(number: int) -> int:
        _log.info("working on {number}", number=number)
        return number

    contexts = [RequestContext(user="john", project=str(number)) for number in range(20)]
    with logged_lines() as lines:
        asked = []
        for number, context in enumerate(contexts):
            with in_context(context):
                asked.append(in_pool(reactor, pool, work, number))
        asked.append(in_pool(reactor, pool, work, 99))
        assert await gatherResults(asked) == [*range(20), 99]
    for number, context in enumerate(contexts):
        assert (context.request_id, f"working on {number}") in lines.told
    assert lines.of("working on 99") == [None]


async def test_counted(pool: ThreadPool) -> None:
    """Threads at work are counted by their pool's name, also those whose work fails."""
    keeper = Keeper()
    try:
        with pytest.raises(ZeroDivisionError):
            await in_pool(reactor, pool, lambda: 1 / 0)
        text = keeper.text().decode()
    finally:
        keeper.forget()
    assert 'nova_tx_threads_busy{pool="some"} 0.0' in text
    assert 'nova_tx_threads_wait_seconds_count{pool="some"} 1.0' in text
    assert 'nova_tx_threads_run_seconds_count{pool="some"} 1.0' in text
    assert metrics.THREADS_BUSY.of is None
