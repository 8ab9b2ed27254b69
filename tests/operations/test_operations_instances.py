"""What a user may do with instances, below any door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from twisted.internet.defer import Deferred

from nova_tx import states
from nova_tx.context import RequestContext
from nova_tx.db import instances
from nova_tx.db.engine import Database
from nova_tx.errors import ImageNotFound, ImageUnavailable, InvalidInput, Unroutable
from nova_tx.operations.instances import MAX_USER_DATA, Wanted, check_user_data, counts
from nova_tx.testing.ec2 import Door, an_image

JOE = RequestContext("joe", "joe")


@pytest.fixture
def door(database: Database) -> Door:
    door = Door(database)
    door.images.put(
        an_image(),
        an_image(id="ami-with", kernel_id="aki-own", ramdisk_id="ari-own"),
        an_image(id="ami-loader", ramdisk_id="ari-gone"),
        an_image(id="aki-own", type="kernel"),
        an_image(id="ari-own", type="ramdisk"),
        an_image(id="ami-raw", kernel_id="nokernel"),
        an_image(id="aki-other", type="kernel"),
        an_image(id="ari-other", type="ramdisk"),
    )
    return door


@contextmanager
def transactions(database: Database) -> Iterator[list[str]]:
    """One entry for each transaction that is begun inside."""
    seen: list[str] = []

    def note(connection: Any) -> None:
        seen.append("begin")

    event.listen(database.engine, "begin", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "begin", note)


async def test_run_costs(door: Door) -> None:
    """RunInstances is one image request, one transaction, and one cast per instance."""
    with transactions(door.database) as begun:
        made = await door.operations.instances.run(JOE, Wanted("ami-tiny", 3, 3))
    assert len(begun) == 1
    assert door.images.shown == ["ami-tiny"]
    assert [cast[2]["instance_id"] for cast in door.bus.casts] == [
        each.instance.id for each in made
    ]


@pytest.mark.parametrize(
    ("wanted", "kernel", "ramdisk", "shown"),
    [
        (Wanted("ami-tiny"), None, None, 1),
        (Wanted("ami-with"), "aki-own", "ari-own", 3),
        (Wanted("ami-with", kernel_id="aki-other"), "aki-other", "ari-own", 3),
        (
            Wanted("ami-with", kernel_id="aki-other", ramdisk_id="ari-other"),
            "aki-other",
            "ari-other",
            3,
        ),
        (Wanted("ami-with", kernel_id="nokernel", ramdisk_id="ari-other"), None, None, 1),
        (Wanted("ami-loader"), None, "ari-gone", 1),
        (Wanted("ami-raw"), None, None, 1),
    ],
)
async def test_kernels(
    door: Door, wanted: Wanted, kernel: str | None, ramdisk: str | None, shown: int
) -> None:
    """Kernel and ramdisk are the image's unless named; C{nokernel} means neither."""
    (made,) = await door.operations.instances.run(JOE, wanted)
    assert (made.instance.kernel_id, made.instance.ramdisk_id) == (kernel, ramdisk)
    assert len(door.images.shown) == shown


@pytest.mark.parametrize("gone", ["aki-own", "ari-own"])
async def test_kernels_of_others(door: Door, gone: str) -> None:
    """What an image boots with is refused as if it had been named, if it may not be used."""
    door.images.put(an_image(id=gone, is_public=False))
    with pytest.raises(ImageNotFound, match=gone):
        await door.operations.instances.run(JOE, Wanted("ami-with"))
    door.images.put(an_image(id=gone, state="failed"))
    with pytest.raises(ImageUnavailable, match=gone):
        await door.operations.instances.run(JOE, Wanted("ami-with"))
    assert await door.operations.instances.listed(JOE) == () and not door.bus.casts
    named = Wanted("ami-with", kernel_id="aki-other", ramdisk_id="ari-other")
    assert await door.operations.instances.run(JOE, named)


async def test_default_type(door: Door) -> None:
    """Without a type it is the flag's, with all its sizes."""
    (made,) = await door.operations.instances.run(JOE, Wanted("ami-tiny"))
    instance = made.instance
    assert instance.instance_type == "m1.small"
    assert (instance.memory_mb, instance.vcpus, instance.local_gb) == (2048, 1, 20)


async def test_rows_outlive_the_bus(door: Door) -> None:
    """If no scheduler can be told, the rows are there for it to find."""
    door.bus.failure = Unroutable("nobody listens to scheduler")
    made = await door.operations.instances.run(JOE, Wanted("ami-tiny", 2, 2))
    later = made[0].instance.created_at.replace(year=9999)
    waiting = await door.database.read(instances.waiting, later)
    assert waiting == tuple(each.instance for each in made)


async def test_answered_before_the_bus(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch is answered when its rows are safe, however long the broker takes to confirm."""
    confirmed: Deferred[None] = Deferred()
    monkeypatch.setattr(door.bus, "cast", lambda *_: confirmed)
    made = Deferred.fromCoroutine(door.operations.instances.run(JOE, Wanted("ami-tiny")))
    assert made.called and len(await made) == 1
    confirmed.callback(None)


async def test_terminate_again_tells_again(door: Door) -> None:
    """A host that missed the message hears it when the user asks again; one that ended does not."""
    await door.operations.instances.run(JOE, Wanted("ami-tiny"))
    await door.database.run(instances.move, 1, states.BUILD, host="HostB")
    door.bus.casts.clear()
    door.bus.failure = Unroutable("HostB is away")
    ((before, after),) = await door.operations.power.terminate(JOE, (1,))
    assert (before.state_description, after.state_description) == ("networking", "terminating")
    door.bus.failure = None
    await door.operations.power.terminate(JOE, (1,))
    assert door.bus.casts == [("compute.HostB", "terminate_instance", {"instance_id": 1})]
    await door.database.run(instances.move, 1, states.BURY)
    await door.operations.power.terminate(JOE, (1,))
    assert len(door.bus.casts) == 1


async def test_console_of_the_terminated(door: Door) -> None:
    """Nobody is asked for the console of an instance that is gone."""
    await door.operations.instances.run(JOE, Wanted("ami-tiny"))
    for move in (states.BUILD, states.TERMINATE, states.BURY):
        await door.database.run(instances.move, 1, move, host="HostB")
    _, output = await door.operations.instances.console(JOE, 1)
    assert output == b""


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ((None, None), (1, 1)),
        ((None, 3), (3, 3)),
        ((2, None), (2, 2)),
        ((1, 3), (1, 3)),
    ],
)
def test_counts(given: tuple[int | None, int | None], meant: tuple[int, int]) -> None:
    """The least is the most if it is not given, and the other way round; else one."""
    assert counts(*given) == meant


@pytest.mark.parametrize("given", [(0, 0), (0, 1), (2, 1), (None, 0), (-1, None)])
def test_bad_counts(given: tuple[int | None, int | None]) -> None:
    """None at all, and more at least than at most, is refused."""
    with pytest.raises(InvalidInput):
        counts(*given)


def test_user_data() -> None:
    """User data is base64, in lines or not, of at most 16 KiB."""
    check_user_data(None)
    check_user_data("aGVs\r\nbG8=\n")
    check_user_data("AAAA" * (MAX_USER_DATA // 3))
    for bad in ("AAA", "%", "aGVsbG8=x", "AAAA" * (MAX_USER_DATA // 3 + 1)):
        with pytest.raises(InvalidInput):
            check_user_data(bad)


async def test_what_was_not_told_is_told_again(door: Door) -> None:
    """An API that starts tells workers what waits for them, and nothing of what does not."""
    run = door.operations.instances.run
    made = [each.instance.id for each in await run(JOE, Wanted("ami-tiny", 9, 9))]
    waiting = made.pop()
    began = (states.BUILD, states.RUN)
    moves = {
        None: (states.PLACE,),
        "reboot_instance": (*began, states.REBOOT),
        "terminate_instance": (*began, states.TERMINATE),
        "stop_instance": (*began, states.HALT),
        "start_instance": (*began, states.STOP, states.START),
        "rescue_instance": (*began, states.RESCUE),
        "unrescue_instance": (*began, states.RESCUE, states.SHELTER, states.UNRESCUE),
        "": began,
    }
    for instance_id, events in zip(made, moves.values(), strict=True):
        for event_ in events:
            await door.database.run(instances.move, instance_id, event_, host="HostB")
    door.bus.casts.clear()
    await door.operations.instances.resume()
    await door.operations.power.resume()
    assert {cast[1]: cast[2]["instance_id"] for cast in door.bus.casts} == {
        "run_instance": waiting,
        **{what: each for each, what in zip(made, moves, strict=True) if what},
    }
    assert len(door.bus.casts) == 7
