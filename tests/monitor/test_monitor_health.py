"""Whether the parts are well, and what is said if not."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from nova_tx.context import RequestContext
from nova_tx.db.engine import Database
from nova_tx.errors import Unavailable
from nova_tx.flags import BusFlags, NodeFlags
from nova_tx.monitor.health import PATIENCE, Health
from nova_tx.rpc.memory import MemoryRPC
from nova_tx.worker import Serving


async def fine() -> str:
    return "3 guests"


async def away() -> str:
    raise Unavailable("the broker is away")


async def broken() -> str:
    raise KeyError("password")


async def test_all_well(database: Database) -> None:
    """Each part has a line, and if all are well so is the daemon."""
    health = Health({"database": database.health, "hypervisor": fine}, Clock())
    assert await health.look() == (True, "database: ok\nhypervisor: ok, 3 guests\n")


async def test_one_is_not(logged_errors: Any) -> None:
    """A part that is away, or can't be asked, makes the whole unwell; its line says why."""
    well, text = await Health({"a": fine, "bus": away, "c": broken}, Clock()).look()
    assert not well
    assert text.splitlines() == [
        "a: ok, 3 guests",
        "bus: NOT WELL, the broker is away",
        "c: NOT WELL, can't be asked; the log says why",
    ]
    assert len(logged_errors.flush(KeyError)) == 1


async def test_a_part_that_hangs_is_asked_once() -> None:
    """Who looks has an answer in time, and nothing piles up behind a part that says nothing."""
    clock, answer = Clock(), Deferred[str]()
    asked: list[int] = []

    async def hangs() -> str:
        asked.append(1)
        return await answer

    health = Health({"hypervisor": hangs}, clock)
    looks = [Deferred.fromCoroutine(health.look()) for _ in range(3)]
    clock.advance(PATIENCE)
    for each in looks:
        assert await each == (False, f"hypervisor: NOT WELL, does not answer in {PATIENCE:g} s\n")
    last = Deferred.fromCoroutine(health.look())
    answer.callback("back")
    assert await last == (True, "hypervisor: ok, back\n")
    assert len(asked) == 1
    assert not clock.getDelayedCalls()


class Idle:
    """A worker with nothing to do."""

    async def start(self) -> None:
        pass

    async def periodic(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def remote_look(self, context: RequestContext) -> None:
        pass


async def test_heartbeat(logged_errors: Any) -> None:
    """A worker whose heartbeat does not get through is not well when others hold it for dead."""
    clock = Clock()
    through = [True]

    async def report() -> None:
        if not through[0]:
            raise Unavailable("the database is away")

    flags = NodeFlags(report_interval=10, service_down_time=60, periodic_interval=10_000)
    serving = Serving(clock, MemoryRPC(BusFlags(), clock), Idle(), "compute", flags, report)
    health = Health({"nova-compute": serving.health}, clock)
    assert await health.look() == (False, "nova-compute: NOT WELL, it has not begun\n")
    await serving.open()
    clock.pump([10] * 3)
    clock.advance(4)
    told = "the last heartbeat was {} s ago\n"
    assert await health.look() == (True, "nova-compute: ok, " + told.format(4))
    through[0] = False
    clock.pump([10] * 6)
    assert await health.look() == (False, "nova-compute: NOT WELL, " + told.format(64))
    await serving.close()
    assert len(logged_errors.flush(Unavailable)) == 6
