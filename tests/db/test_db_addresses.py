"""Rows of addresses: given, leased, given back, free again."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, update
from twisted.internet.defer import Deferred, gatherResults

from nova_tx.db import addresses, networks
from nova_tx.db.engine import Database, now
from nova_tx.db.schema import instances, metadata
from nova_tx.errors import Conflict, FixedIpNotFound, NoMoreAddresses
from nova_tx.flags import SqlFlags
from nova_tx.model.networks import DhcpHost
from nova_tx.testing.database import VARIABLE, tested_database
from nova_tx.testing.rows import an_instance

HOUR = timedelta(hours=1)


def mac(id: int) -> str:
    """The mac of an instance."""
    return f"02:16:3e:00:00:{id:02x}"


def prepare(txn: Connection, instances_there: int) -> int:
    """A network for five guests, carried by HostA, and instances; returns the network's id."""
    for id in range(1, instances_there + 1):
        made = an_instance(id=id, mac_address=mac(id), hostname=f"i-{id:08x}")
        txn.execute(insert(instances).values(**vars(made)))
    [network] = networks.create(txn, "10.0.0.0/29", 1, 8, "br100")
    networks.claim(txn, "HostA")
    return network.id


async def test_lowest_first(database: Database) -> None:
    """Each instance gets the lowest free address."""
    network = await database.run(prepare, 3)
    first = await database.run(addresses.allocate, network, 1)
    assert (first.address, first.instance_id, first.allocated, first.leased) == (
        "10.0.0.2",
        1,
        True,
        False,
    )
    assert (await database.run(addresses.allocate, network, 2)).address == "10.0.0.3"
    await database.run(addresses.deallocate, 1)
    assert (await database.run(addresses.allocate, network, 3)).address == "10.0.0.2"


async def test_same_again(database: Database) -> None:
    """An instance that has an address gets no second one."""
    network = await database.run(prepare, 1)
    first = await database.run(addresses.allocate, network, 1)
    assert await database.run(addresses.allocate, network, 1) == first


async def test_all_taken(database: Database) -> None:
    """When all but the reserved addresses are taken, it is NoMoreAddresses."""
    network = await database.run(prepare, 6)
    given = [(await database.run(addresses.allocate, network, id)).address for id in range(1, 6)]
    assert given == [f"10.0.0.{n}" for n in range(2, 7)]
    with pytest.raises(NoMoreAddresses):
        await database.run(addresses.allocate, network, 6)


async def test_kept_while_leased(database: Database) -> None:
    """A leased address that is given back is nobody else's until its lease has ended."""
    network = await database.run(prepare, 2)
    await database.run(addresses.allocate, network, 1)
    assert (await database.run(addresses.lease, mac(1), "10.0.0.2")).leased
    [before] = await database.run(addresses.deallocate, 1)
    assert before.leased and before.allocated
    assert (await database.run(addresses.allocate, network, 2)).address == "10.0.0.3"
    after = await database.run(addresses.release, mac(1), "10.0.0.2")
    assert (after.instance_id, after.leased) == (None, False)
    await database.run(addresses.deallocate, 2)
    assert (await database.run(addresses.allocate, network, 2)).address == "10.0.0.2"


async def test_lease_ends(database: Database) -> None:
    """An address whose lease ends while its instance has it stays the instance's."""
    network = await database.run(prepare, 1)
    await database.run(addresses.allocate, network, 1)
    await database.run(addresses.lease, mac(1), "10.0.0.2")
    after = await database.run(addresses.release, mac(1), "10.0.0.2")
    assert (after.instance_id, after.allocated, after.leased) == (1, True, False)


async def test_deallocate_again(database: Database) -> None:
    """Giving back twice names the address again while its lease lasts, and then none."""
    network = await database.run(prepare, 1)
    await database.run(addresses.allocate, network, 1)
    await database.run(addresses.lease, mac(1), "10.0.0.2")
    await database.run(addresses.deallocate, 1)
    [again] = await database.run(addresses.deallocate, 1)
    assert (again.address, again.allocated) == ("10.0.0.2", False)
    await database.run(addresses.release, mac(1), "10.0.0.2")
    assert await database.run(addresses.deallocate, 1) == ()


@pytest.mark.parametrize("change", [addresses.lease, addresses.release])
async def test_strange_leases(database: Database, change: Any) -> None:
    """A lease of an address that nobody has, or another has, changes nothing and is an error."""
    network = await database.run(prepare, 1)
    before = await database.run(addresses.allocate, network, 1)
    for address in ("10.0.0.3", "192.0.2.1"):
        with pytest.raises(FixedIpNotFound, match=f"IP {address} .* that isn't associated"):
            await database.run(change, mac(1), address)
    with pytest.raises(Conflict, match=f"by mac {mac(9)}, not {mac(1)}"):
        await database.run(change, mac(9), "10.0.0.2")
    assert await database.run(addresses.allocate, network, 1) == before
    await database.run(change, mac(1).upper(), "10.0.0.2")


async def test_reclaim(database: Database) -> None:
    """Given back and never released: free after the time, on the host that carries it, only."""
    network = await database.run(prepare, 2)
    for id in (1, 2):
        await database.run(addresses.allocate, network, id)
        await database.run(addresses.lease, mac(id), f"10.0.0.{id + 1}")
    await database.run(addresses.deallocate, 1)
    assert await database.run(addresses.reclaim, "HostA", now() - HOUR) == ()
    assert await database.run(addresses.reclaim, "HostB", now() + HOUR) == ()
    assert await database.run(addresses.reclaim, "HostA", now() + HOUR) == ("10.0.0.2",)
    assert await database.run(addresses.reclaim, "HostA", now() + HOUR) == ()
    assert (await database.run(addresses.allocate, network, 1)).leased is False


async def test_dhcp_hosts(database: Database) -> None:
    """The DHCP server knows the instances that have an address, not those that gave it back."""
    network = await database.run(prepare, 2)
    for id in (1, 2):
        await database.run(addresses.allocate, network, id)
        await database.run(addresses.lease, mac(id), f"10.0.0.{id + 1}")
    await database.run(addresses.deallocate, 1)
    assert await database.read(addresses.dhcp_hosts, network) == (
        DhcpHost(mac(2), "i-00000002", "10.0.0.3"),
    )


async def test_orphans(database: Database) -> None:
    """A terminated instance that still has an address is found, on the host that carries it."""

    def terminate(txn: Connection) -> None:
        txn.execute(
            update(instances).where(instances.c.id == 2).values(state_description="terminated")
        )

    network = await database.run(prepare, 2)
    for id in (1, 2):
        await database.run(addresses.allocate, network, id)
    await database.run(terminate)
    assert await database.read(addresses.orphans, "HostA") == (2,)
    assert await database.read(addresses.orphans, "HostB") == ()
    await database.run(addresses.deallocate, 2)
    assert await database.read(addresses.orphans, "HostA") == ()


async def test_two_workers(tmp_path: Path) -> None:
    """Two workers that give addresses at once never give one twice."""
    from twisted.internet import reactor

    with tested_database():
        url = os.environ.get(VARIABLE) or f"sqlite:///{tmp_path}/nova.sqlite"
        workers = [Database(SqlFlags(sql_connection=url), reactor) for _ in range(2)]
        if VARIABLE not in os.environ:
            metadata.create_all(workers[0].engine)
        for each in workers:
            await each.open()
        try:
            network = await workers[0].run(prepare, 5)
            asked = [
                Deferred.fromCoroutine(_allocate(workers[turn % 2], network, id))
                for turn, id in enumerate([1, 2, 3, 4, 5, 1, 2, 3, 4, 5])
            ]
            given = await gatherResults(asked, consumeErrors=True)
        finally:
            for each in workers:
                await each.close()
        assert given[:5] == given[5:]
        assert sorted(given[:5]) == [f"10.0.0.{n}" for n in range(2, 7)]


async def _allocate(database: Database, network: int, id: int) -> str:
    return (await database.run(addresses.allocate, network, id)).address
