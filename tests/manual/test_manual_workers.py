"""The manual's flags of workers: how they are called, and how often they do what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock

from nova_tx.compute.worker import ComputeWorker
from nova_tx.context import RequestContext
from nova_tx.db import services
from nova_tx.errors import StartupError
from nova_tx.model.hosts import Service
from nova_tx.model.instances import Instance
from nova_tx.operations.instances import Wanted
from nova_tx.scheduler.worker import SchedulerWorker
from nova_tx.taps import compute, scheduler
from nova_tx.taps import parts as composing
from nova_tx.taps.parts import Parts
from nova_tx.testing.cloud import MemoryCloud
from nova_tx.testing.database import memory_database

JOHN = RequestContext(user="john", project="physics")
MakeParts = Callable[..., Parts]
MakeCloud = Callable[..., Any]


async def launched(cloud: MemoryCloud, **wanted: Any) -> Instance:
    """An instance that was run and left to the workers."""
    operations = cloud.parts.operations
    [reserved] = await operations.instances.run(JOHN, Wanted("ami-tiny", **wanted))
    await cloud.bus.idle()
    [found] = await operations.instances.listed(JOHN, (reserved.instance.id,))
    assert found.instance.state_description == "running", found.instance.reason
    return found.instance


# Topics and names.


async def test_j8_compute_topic(cloud: MakeCloud) -> None:
    """Compute workers are told there, and listen there."""
    made = await cloud("--compute_topic=hyper")
    await launched(made)
    assert "cast hyper.HostA run_instance" in made.story


async def test_j59_network_topic(cloud: MakeCloud) -> None:
    """Network workers are asked there, and listen there."""
    made = await cloud("--network_topic=wires")
    await launched(made)
    assert "call wires.HostA allocate_fixed_ip" in made.story


async def test_j81_scheduler_topic(cloud: MakeCloud) -> None:
    """Schedulers are told there, and listen there."""
    made = await cloud("--scheduler_topic=plan")
    await launched(made)
    assert "cast plan run_instance" in made.story


async def test_j43_host(cloud: MakeCloud) -> None:
    """It is the name of this node: in its queue's name, its services' rows, its instances' rows."""
    made = await cloud("--host=HostZ")
    assert (await launched(made)).host == "HostZ"
    assert "cast compute.HostZ run_instance" in made.story
    assert {each.host for each in await rows(made.parts)} == {"HostZ"}


async def test_j45_instance_name_template(cloud: MakeCloud) -> None:
    """Guests are called so by the hypervisor."""
    made = await cloud("--instance_name_template=guest-%04d")
    await launched(made)
    assert list(await made.parts.driver.guests()) == ["guest-0001"]


# What works on messages.


def chosen(room: Any, parts: Parts) -> object:
    """What a daemon has work on messages."""
    *_, serving = room(parts)
    return serving._worker


def registered(group: str) -> dict[str, object]:
    """Another distribution has managers for compute and scheduler."""
    return {f"acme.{group}": Counting} if group in ("nova_tx.compute", "nova_tx.scheduler") else {}


def test_j7_compute_manager(parts: MakeParts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages to compute are worked on by what it names, which has to be there."""
    assert isinstance(chosen(compute.room, parts()), ComputeWorker)
    with pytest.raises(StartupError, match=r"--compute_manager 'nova\.x'; there are: compute, nov"):
        chosen(compute.room, parts("--compute_manager=nova.x"))
    monkeypatch.setattr(composing, "registered", registered)
    other = parts("--compute_manager=acme.nova_tx.compute")
    assert isinstance(chosen(compute.room, other), Counting)


def test_j80_scheduler_manager(parts: MakeParts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages to the scheduler are worked on by what it names, which has to be there."""
    assert isinstance(chosen(scheduler.room, parts()), SchedulerWorker)
    with pytest.raises(StartupError, match=r"--scheduler_manager 'nova\.x'; there are: nova\.sch"):
        chosen(scheduler.room, parts("--scheduler_manager=nova.x"))
    monkeypatch.setattr(composing, "registered", registered)
    other = parts("--scheduler_manager=acme.nova_tx.scheduler")
    assert isinstance(chosen(scheduler.room, other), Counting)


# Rows and rounds.


async def rows(parts: Parts) -> tuple[Service, ...]:
    """The services' rows."""
    found: tuple[Service, ...] = tuple(await parts.database.read(services.listed))
    return found


async def test_j36_enable_new_services(cloud: MakeCloud) -> None:
    """A new service gets instances, or waits until it is enabled."""
    assert not any(each.disabled for each in await rows((await cloud()).parts))
    made = await cloud("--noenable_new_services")
    assert all(each.disabled for each in await rows(made.parts))


async def test_j60_node_availability_zone(cloud: MakeCloud) -> None:
    """A new service is in that zone, and so are the instances that go there."""
    made = await cloud("--node_availability_zone=cellar")
    assert {each.availability_zone for each in await rows(made.parts)} == {"cellar"}
    await launched(made, availability_zone="cellar")


class Counting:
    """A worker that counts its rounds."""

    rounds = 0

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def periodic(self) -> None:
        self.rounds += 1


async def at_work(parts: MakeParts, *words: str) -> tuple[Clock, Counting, Parts, Any]:
    """A worker in a daemon, which has just begun."""
    clock, worker = Clock(), Counting()
    made = parts(*words, reactor=clock)
    vars(made)["database"] = memory_database()
    serving = made.serving(worker, "compute", "nova-compute")
    await serving.open()
    return clock, worker, made, serving


async def test_j66_periodic_interval(parts: MakeParts) -> None:
    """Periodic work is done every so many seconds, also by the manual's name of the flag."""
    clock, worker, _, serving = await at_work(parts, "--periodec_interval=7")
    clock.advance(6.5)
    assert worker.rounds == 0
    clock.advance(0.5)
    clock.advance(7)
    assert worker.rounds == 2
    await serving.close()


async def test_j75_report_interval(parts: MakeParts) -> None:
    """A service says that it lives every so many seconds."""
    clock, _, made, serving = await at_work(parts, "--report_interval=7")

    async def count() -> int:
        [row] = await rows(made)
        return row.report_count

    first = await count()
    clock.advance(6.5)
    assert await count() == first
    clock.advance(0.5)
    assert await count() == first + 1
    await serving.close()
