"""Rows of networks: cutting a range, claiming, finding an instance's."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import ClauseElement, Connection, event, func, insert, select
from sqlalchemy.dialects import postgresql

from nova_tx.db import addresses, networks
from nova_tx.db.engine import Database
from nova_tx.db.schema import fixed_ips, instances
from nova_tx.errors import Duplicate, InvalidInput, NetworkNotFound
from nova_tx.testing.rows import an_instance


def count(txn: Connection) -> int:
    """How many addresses there are."""
    return txn.execute(select(func.count()).select_from(fixed_ips)).scalar_one()


def add_instance(txn: Connection) -> None:
    """A row for instance 1."""
    txn.execute(insert(instances).values(**vars(an_instance())))


def guests(txn: Connection, network_id: int) -> list[str]:
    """The addresses of a network that are not reserved."""
    found = select(fixed_ips.c.address).where(
        fixed_ips.c.network_id == network_id, fixed_ips.c.reserved.is_(False)
    )
    return list(txn.execute(found.order_by(fixed_ips.c.id)).scalars())


async def test_create(database: Database) -> None:
    """A network is as a flat network's row should be."""
    [made] = await database.run(networks.create, "10.0.0.0/24", 1, 256, "br100", "8.8.4.4")
    assert (made.cidr, made.netmask, made.gateway) == ("10.0.0.0/24", "255.255.255.0", "10.0.0.1")
    assert (made.broadcast, made.dhcp_start) == ("10.0.0.255", "10.0.0.2")
    assert (made.bridge, made.dns, made.host, made.vlan) == ("br100", "8.8.4.4", None, None)
    assert await database.read(networks.listed) == (made,)
    assert await database.read(networks.get, made.id) == made


async def test_reserved(database: Database) -> None:
    """Every address has a row; network, gateway and broadcast address are not for guests."""
    [made] = await database.run(networks.create, "10.0.0.0/29", 1, 8, "br100")
    assert await database.read(count) == 8
    assert await database.read(guests, made.id) == [f"10.0.0.{n}" for n in range(2, 7)]


async def test_dhcp_start(database: Database) -> None:
    """What lies below dhcp_start is not for guests, in every network."""
    one, two = await database.run(networks.create, "10.0.0.0/28", 2, 8, "br100", None, "10.0.0.4")
    assert (one.dhcp_start, two.dhcp_start) == ("10.0.0.4", "10.0.0.12")
    assert await database.read(guests, one.id) == ["10.0.0.4", "10.0.0.5", "10.0.0.6"]
    assert await database.read(guests, two.id) == ["10.0.0.12", "10.0.0.13", "10.0.0.14"]


async def test_smallest(database: Database) -> None:
    """A network of four addresses has one guest."""
    [made] = await database.run(networks.create, "10.0.0.0/24", 1, 4, "br100")
    assert made.cidr == "10.0.0.0/30"
    assert await database.read(guests, made.id) == ["10.0.0.2"]


@pytest.mark.parametrize(
    ("cidr", "number", "size", "start", "text"),
    [
        ("10.0.0.0/24", 2, 256, None, "10.0.0.0/24 has 256 addresses; 2 networks of 256 need 512"),
        ("10.0.0.0/24", 1, 100, None, "power of two, 4 or more, not 100"),
        ("10.0.0.0/24", 1, 2, None, "power of two, 4 or more, not 2"),
        ("10.0.0.0/24", 0, 256, None, "1 or more, not 0"),
        ("10.0.0.7/24", 1, 256, None, "no range of addresses"),
        ("fd00::/48", 1, 256, None, "no range of addresses"),
        ("nonsense", 1, 256, None, "no range of addresses"),
        ("10.0.0.0/24", 1, 256, "10.0.1.5", "'10.0.1.5' is not a guest's address of 10.0.0.0/24"),
        ("10.0.0.0/24", 1, 256, "10.0.0.255", "is not a guest's address"),
        ("10.0.0.0/24", 1, 256, "10.0.0.1", "is not a guest's address"),
        ("10.0.0.0/24", 1, 256, "x", "is not a guest's address"),
    ],
)
async def test_create_nonsense(
    database: Database, cidr: str, number: int, size: int, start: str | None, text: str
) -> None:
    """What can't be made is InvalidInput with a sentence, and leaves no row."""
    with pytest.raises(InvalidInput, match=text):
        await database.run(networks.create, cidr, number, size, "br100", None, start)
    assert await database.read(networks.listed) == ()
    assert await database.read(count) == 0


@pytest.mark.parametrize(
    ("cidr", "number", "size"),
    [
        ("10.0.1.0/24", 1, 256),  # the same
        ("10.0.0.0/16", 1, 65536),  # around it
        ("10.0.0.0/16", 3, 256),  # the second of three is it
        ("10.0.1.128/25", 1, 128),  # within it
    ],
)
async def test_create_twice(database: Database, cidr: str, number: int, size: int) -> None:
    """A network that is there, wholly or in part, is Duplicate; nothing is added."""
    await database.run(networks.create, "10.0.1.0/24", 1, 256, "br100")
    with pytest.raises(Duplicate, match=r"network 10\.0\.1\.0/24 is there already"):
        await database.run(networks.create, cidr, number, size, "br100")
    assert len(await database.read(networks.listed)) == 1
    assert await database.read(count) == 256


async def test_create_beside(database: Database) -> None:
    """Networks that touch do not overlap."""
    await database.run(networks.create, "10.0.1.0/24", 1, 256, "br100")
    await database.run(networks.create, "10.0.0.0/24", 1, 256, "br100")
    await database.run(networks.create, "10.0.2.0/24", 1, 256, "br100")
    assert len(await database.read(networks.listed)) == 3


async def test_create_many(database: Database) -> None:
    """A thousand networks of 256 addresses are made in one go, each address once."""
    made = await database.run(networks.create, "10.0.0.0/8", 1000, 256, "br100")
    assert made[999].cidr == "10.3.231.0/24"
    assert await database.read(count) == 256_000


async def test_told(database: Database) -> None:
    """Who waits is told how many addresses are made, up to all of them."""
    told: list[int] = []

    def create(txn: Connection) -> None:
        networks.create(txn, "10.0.0.0/16", 3, 8192, "br100", told=told.append)

    await database.run(create)
    assert told == [10_000, 20_000, 24_576]


async def test_high_end(database: Database) -> None:
    """With VLANs, the third address is the VPN server's, and the last are its clients'."""

    def create(txn: Connection) -> Any:
        vlans = networks.Vlans(100, 1000, vpn_clients=3)
        return networks.create(txn, "10.0.0.0/28", 1, 16, "br100", vlans=vlans)

    [made] = await database.run(create)
    assert await database.read(guests, made.id) == [f"10.0.0.{n}" for n in range(3, 12)]


async def test_no_room_for_guests(database: Database) -> None:
    """A network with VLAN that is too small for a guest is refused."""

    def create(txn: Connection) -> Any:
        return networks.create(txn, "10.0.0.0/30", 1, 4, "br100", vlans=networks.Vlans(1, 1))

    with pytest.raises(InvalidInput, match="a network of 4 addresses has none left for guests"):
        await database.run(create)


async def test_claim(database: Database) -> None:
    """The first host to ask carries the networks, also later ones; the second carries none."""
    made = await database.run(networks.create, "10.0.0.0/28", 2, 8, "br100")
    claimed = await database.run(networks.claim, "HostA")
    assert [each.id for each in claimed] == [each.id for each in made]
    assert {each.host for each in claimed} == {"HostA"}
    assert await database.run(networks.claim, "HostB") == ()
    await database.run(networks.create, "10.1.0.0/28", 1, 8, "br100")
    assert len(await database.run(networks.claim, "HostA")) == 3


async def test_for_instance(database: Database) -> None:
    """An instance's network is the one of its address, else the first."""

    def put(txn: Connection, network_id: int) -> Any:
        return addresses.allocate(txn, network_id, 1)

    one, two = await database.run(networks.create, "10.0.0.0/28", 2, 8, "br100")
    await database.run(add_instance)
    assert await database.read(networks.for_instance, 1) == one
    await database.run(put, two.id)
    assert await database.read(networks.for_instance, 1) == two


async def test_no_network(database: Database) -> None:
    """Without a network, an instance's is NetworkNotFound, and its host is None."""
    with pytest.raises(NetworkNotFound):
        await database.read(networks.for_instance, 1)
    with pytest.raises(NetworkNotFound, match="network 7 not found"):
        await database.read(networks.get, 7)
    assert await database.read(networks.host_for, 1) is None


async def test_host_for(database: Database) -> None:
    """The host of an instance's network is None until one has claimed it."""
    await database.run(networks.create, "10.0.0.0/29", 1, 8, "br100")
    assert await database.read(networks.host_for, 1) is None
    await database.run(networks.claim, "HostA")
    assert await database.read(networks.host_for, 1) == "HostA"


async def test_remove_waits_for_addresses(database: Database) -> None:
    """Whoever takes a network away first locks its row, as whoever gives an address of it does."""
    await database.run(networks.create, "10.0.0.0/29", 1, 8, "br100")
    locked: list[bool] = []

    def seen(_: object, statement: ClauseElement, *_more: object) -> None:
        locked.append("FOR UPDATE" in str(statement.compile(dialect=postgresql.dialect())))

    event.listen(database.engine, "before_execute", seen)
    await database.run(networks.remove, "10.0.0.0/29")
    event.remove(database.engine, "before_execute", seen)
    assert locked[0] and not any(locked[1:])
