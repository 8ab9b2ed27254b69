"""Rows of instances: reserving, moving, listing, on the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update

from nova_tx import states
from nova_tx.context import RequestContext, admin_context
from nova_tx.db import (
    instance_details,
    instances,
    key_pairs,
    power,
    quotas,
    reservations,
    services,
)
from nova_tx.db.engine import Database
from nova_tx.db.engine import now as db_now
from nova_tx.db.schema import fixed_ips, floating_ips, instance_actions, networks, security_groups
from nova_tx.db.schema import instances as table
from nova_tx.errors import (
    Conflict,
    FixedIpNotFound,
    InstanceNotFound,
    KeyPairNotFound,
    QuotaExceeded,
    SecurityGroupNotFound,
    WrongState,
    ZoneNotFound,
)
from nova_tx.flags import Flags, QuotaFlags
from nova_tx.model.access import KeyPair
from nova_tx.model.instances import InstanceDetails, InstanceRequest

NOW = datetime(2011, 2, 15, 7, 28, 32)
LONG_AGO = datetime(2000, 1, 1)
QUOTA = Flags.load([], [QuotaFlags]).section(QuotaFlags)
JOE = RequestContext("joe", "project")
EVE = RequestContext("eve", "other")
TINY = InstanceRequest(
    image_id="ami-tiny",
    kernel_id="aki-1",
    ramdisk_id=None,
    instance_type="m1.tiny",
    min_count=1,
    max_count=1,
    key_name=None,
    security_groups=(),
    user_data="aGVsbG8=",
    availability_zone=None,
    display_name=None,
    display_description=None,
)


async def boot(
    database: Database, context: RequestContext = JOE, **changes: Any
) -> tuple[InstanceDetails, ...]:
    """Reserve what TINY says, with changes."""
    return await database.run(reservations.reserve, context, replace(TINY, **changes), QUOTA, NOW)


@contextmanager
def counting(database: Database) -> Iterator[list[str]]:
    """The statements that are executed inside."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


async def test_reserve(database: Database) -> None:
    """A reservation's rows are what was asked, in one reservation, and say what a list says."""
    made = await boot(database, min_count=2, max_count=3)
    assert [each.instance.launch_index for each in made] == [0, 1, 2]
    assert len({each.instance.reservation_id for each in made}) == 1
    assert len({each.instance.mac_address for each in made}) == 3
    first = made[0].instance
    assert (first.hostname, first.display_name) == (f"i-{first.id:08x}", f"Server {first.id}")
    assert (first.state, first.state_description, first.host) == (None, "scheduling", None)
    assert made[0].groups == ("default",)
    assert await database.read(instance_details.details, JOE, (), LONG_AGO) == made
    assert await database.read(instances.get, first.id) == first


async def test_reserve_key_and_groups(database: Database) -> None:
    """The key's public half is copied into the row; groups are the project's by name."""
    await database.run(key_pairs.create, KeyPair("joe", "k", "aa:bb", "ssh-rsa AAAA joe"), NOW)
    with pytest.raises(SecurityGroupNotFound):
        await boot(database, security_groups=("default", "web"))
    await database.run(
        lambda txn: txn.execute(
            insert(security_groups).values(
                name="web",
                description="",
                user_id="joe",
                project_id="project",
                created_at=NOW,
                deleted=False,
            )
        )
    )
    (made,) = await boot(database, key_name="k", security_groups=("web", "default", "web"))
    assert (made.instance.key_name, made.instance.key_data) == ("k", "ssh-rsa AAAA joe")
    assert made.groups == ("web", "default")
    with pytest.raises(KeyPairNotFound):
        await boot(database, key_name="none")
    with pytest.raises(SecurityGroupNotFound):
        await boot(database, EVE, security_groups=("web",))


async def test_quota(database: Database) -> None:
    """A reservation never exceeds instances or cores, and one in error takes no room."""
    assert len(await boot(database, min_count=1, max_count=99)) == 10
    with pytest.raises(QuotaExceeded, match="only run 0 more"):
        await boot(database)
    assert len(await boot(database, EVE)) == 1
    await database.run(instances.fail, 1, "no host")
    assert len(await boot(database)) == 1
    await database.run(quotas.set, "third", "cores", 3)
    two_cores = "m1.medium"
    third = RequestContext("joe", "third")
    with pytest.raises(QuotaExceeded, match="only run 1 more"):
        await boot(database, third, instance_type=two_cores, min_count=2, max_count=2)
    assert await database.read(instance_details.details, third, (), LONG_AGO) == ()
    assert len(await boot(database, third, instance_type=two_cores, max_count=2)) == 1


async def test_zone(database: Database) -> None:
    """A zone without an enabled service is unknown; pinning to a host is administrators'."""
    await database.run(services.report, "HostB", "nova-compute", "compute", "nova", True)
    (made,) = await boot(database, availability_zone="nova")
    assert made.instance.availability_zone == "nova"
    with pytest.raises(ZoneNotFound):
        await boot(database, availability_zone="mars")
    with pytest.raises(ZoneNotFound):
        await boot(database, availability_zone="nova:HostB")
    admin = replace(JOE, is_admin=True)
    (pinned,) = await boot(database, admin, availability_zone="nova:HostB")
    assert pinned.instance.availability_zone == "nova:HostB"


async def test_move(database: Database) -> None:
    """A move happens once: the second finds the wrong state and writes nothing."""
    await boot(database)
    moved = await database.run(instances.move, 1, states.BUILD, host="HostB")
    assert (moved.state, moved.state_description, moved.host) == (0, "networking", "HostB")
    assert moved.updated_at is not None
    with pytest.raises(WrongState, match="i-00000001 is networking"):
        await database.run(instances.move, 1, states.BUILD, host="HostC")
    assert (await database.read(instances.get, 1)).host == "HostB"
    with pytest.raises(InstanceNotFound, match="i-00000063"):
        await database.run(instances.move, 99, states.BUILD)


async def test_fail(database: Database) -> None:
    """A failure is kept with its reason, in the row and in the instance's actions."""
    await boot(database)
    failed = await database.run(instances.fail, 1, "No hosts found")
    assert (failed.state_description, failed.reason) == ("error", "No hosts found")
    errors = await database.read(
        lambda txn: txn.execute(select(instance_actions.c.error)).scalars().all()
    )
    assert errors == ["No hosts found"]
    with pytest.raises(WrongState):
        await database.run(instances.fail, 1, "again")


async def test_termination_without_host(database: Database) -> None:
    """An instance that never had a host is terminated at once, and asking again is no error."""
    await boot(database)
    ((before, after),) = await database.run(power.request_termination, JOE, (1,), NOW)
    assert (before.state_description, after.state_description) == ("scheduling", "terminated")
    assert (after.terminated_at, after.deleted) == (NOW, True)
    ((before, after),) = await database.run(power.request_termination, JOE, (1, 1), NOW)
    assert before == after


async def test_termination_with_host(database: Database) -> None:
    """An instance with a host is terminating until its host says so."""
    await boot(database)
    await database.run(instances.move, 1, states.BUILD, host="HostB")
    ((before, after),) = await database.run(power.request_termination, JOE, (1,), NOW)
    assert (before.state_description, after.state_description) == ("networking", "terminating")
    buried = await database.run(instances.move, 1, states.BURY)
    assert buried.state_description == "terminated"


async def test_all_or_none(database: Database) -> None:
    """One id that is unknown or another's, and nothing happens to the others.  [W10]"""
    await boot(database)
    await boot(database, EVE)
    for ids in ((1, 99), (1, 2)):
        for ask in (
            lambda txn, ids=ids: power.request_termination(txn, JOE, ids, NOW),
            lambda txn, ids=ids: power.request_reboot(txn, JOE, ids),
        ):
            with pytest.raises(InstanceNotFound):
                await database.run(ask)
        with pytest.raises(InstanceNotFound):
            await database.read(instance_details.details, JOE, ids, LONG_AGO)
    listed = await database.read(instance_details.details, admin_context(), (), LONG_AGO)
    assert {each.instance.state_description for each in listed} == {"scheduling"}


async def test_reboot(database: Database) -> None:
    """Only what runs can be rebooted, together or not at all."""
    await boot(database, max_count=2)
    for move in (states.BUILD, states.RUN):
        await database.run(instances.move, 1, move)
    with pytest.raises(WrongState):
        await database.run(power.request_reboot, JOE, (1, 2))
    assert (await database.read(instances.get, 1)).state_description == "running"
    for _ in range(2):
        (after,) = await database.run(power.request_reboot, JOE, (1,))
        assert after.state_description == "rebooting"


async def test_locked(database: Database) -> None:
    """A locked instance is left alone by its owner; an administrator may end it."""
    await boot(database)
    await database.run(lambda txn: txn.execute(update(table).values(locked=True)))
    with pytest.raises(Conflict, match="locked"):
        await database.run(power.request_termination, JOE, (1,), NOW)
    await database.run(power.request_termination, admin_context(), (1,), NOW)


async def test_terminated_stay_listed(database: Database) -> None:
    """A terminated instance is listed until its time is over, and not after."""
    await boot(database)
    await database.run(power.request_termination, JOE, (1,), NOW)
    after = db_now() - timedelta(hours=1)
    (shown,) = await database.read(instance_details.details, JOE, (), after)
    assert shown.instance.state_description == "terminated"
    later = db_now() + timedelta(seconds=1)
    assert await database.read(instance_details.details, JOE, (), later) == ()
    with pytest.raises(InstanceNotFound):
        await database.read(instance_details.details, JOE, (1,), later)


def _network(txn: Any) -> None:
    txn.execute(
        insert(networks).values(
            id=1,
            cidr="10.0.0.0/24",
            netmask="255.255.255.0",
            bridge="br100",
            gateway="10.0.0.1",
            broadcast="10.0.0.255",
            dhcp_start="10.0.0.2",
            created_at=NOW,
        )
    )
    for number, instance_id in ((2, 1), (3, None)):
        txn.execute(
            insert(fixed_ips).values(
                id=number,
                address=f"10.0.0.{number}",
                network_id=1,
                instance_id=instance_id,
                allocated=instance_id is not None,
                created_at=NOW,
            )
        )
    for number in (1, 2):
        txn.execute(
            insert(floating_ips).values(address=f"4.4.4.{number}", fixed_ip_id=2, created_at=NOW)
        )


async def test_details_of_address_and_zone(database: Database) -> None:
    """A list shows the address, the first floating address and the zone of the host."""
    await boot(database, max_count=2)
    await database.run(services.report, "HostB", "nova-compute", "compute", "north", True)
    await database.run(services.report, "HostB", "nova-volume", "volume", "south", True)
    await database.run(instances.move, 1, states.BUILD, host="HostB")
    await database.run(_network)
    first, second = await database.read(instance_details.details, JOE, (), LONG_AGO)
    assert (first.fixed_ip, first.floating_ip, first.zone) == ("10.0.0.2", "4.4.4.1", "north")
    assert (second.fixed_ip, second.floating_ip, second.zone) == (None, None, None)
    assert (await database.read(instance_details.at_address, "10.0.0.2")) == first
    for address in ("10.0.0.3", "10.0.0.4"):
        with pytest.raises(FixedIpNotFound):
            await database.read(instance_details.at_address, address)


async def test_details_is_three_queries(database: Database) -> None:
    """A list is three queries, of one instance and of ten.  [W8]"""
    counts = []
    for number in (1, 9):
        await boot(database, max_count=number)
        with counting(database) as statements:
            await database.read(instance_details.details, JOE, (), LONG_AGO)
        counts.append(len([each for each in statements if each.startswith("SELECT")]))
    assert counts == [3, 3]


async def test_visibility(database: Database) -> None:
    """A member sees the project's instances, an administrator everybody's."""
    await boot(database)
    await boot(database, EVE)
    seen = [
        [
            each.instance.id
            for each in await database.read(instance_details.details, who, (), LONG_AGO)
        ]
        for who in (JOE, EVE, admin_context())
    ]
    assert seen == [[1], [2], [1, 2]]


async def test_on_host_and_waiting(database: Database) -> None:
    """A host finds what is its own, and recovery what was never placed."""
    await boot(database, max_count=3)
    await database.run(instances.move, 1, states.PLACE, host="HostB")
    await database.run(instances.move, 2, states.PLACE, host="HostB")
    await database.run(power.request_termination, JOE, (2,), NOW)
    await database.run(instances.move, 2, states.BURY)
    assert [each.id for each in await database.read(instances.on_host, "HostB")] == [1]
    soon = NOW + timedelta(seconds=1)
    assert [each.id for each in await database.read(instances.waiting, soon)] == [3]
    assert await database.read(instances.waiting, NOW) == ()
