"""Workers' rows, on every kind of database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, select, update

from nova_tx.db import services
from nova_tx.db.clock import utc_now
from nova_tx.db.engine import Database, now
from nova_tx.db.schema import services as table
from nova_tx.errors import ServiceNotFound


def _report(txn: Connection, host: str = "one", topic: str = "compute", **changes: object) -> None:
    values: dict[str, object] = {"zone": "nova", "enabled": True, **changes}
    services.report(txn, host, f"nova-{topic}", topic, **values)  # type: ignore[arg-type]


def _age(txn: Connection, host: str, seconds: float) -> None:
    """Make a worker's last heartbeat that much older."""
    [updated_at] = txn.execute(select(table.c.updated_at).where(table.c.host == host)).scalars()
    earlier = updated_at - timedelta(seconds=seconds)
    txn.execute(update(table).where(table.c.host == host).values(updated_at=earlier))


async def test_report(database: Database) -> None:
    """The first report makes the row as its worker says, the next ones count."""
    await database.run(_report, zone="north", enabled=False)
    [row] = await database.read(services.listed)
    assert (row.host, row.binary, row.topic) == ("one", "nova-compute", "compute")
    assert (row.availability_zone, row.disabled, row.report_count) == ("north", True, 0)
    await database.run(_report, zone="north", enabled=False)
    [row] = await database.read(services.listed)
    assert row.report_count == 1


async def test_operator_decides(database: Database) -> None:
    """A heartbeat does not enable what an operator disabled."""
    await database.run(_report)
    await database.run(lambda txn: txn.execute(update(table).values(disabled=True)))
    await database.run(_report)
    [row] = await database.read(services.listed)
    assert row.disabled


async def test_clock(database: Database) -> None:
    """The database's time is naive UTC with a fraction of a second, and goes forward."""
    times = [
        await database.read(lambda txn: txn.execute(select(utc_now())).scalar_one())
        for _ in range(5)
    ]
    assert sorted(times) == times
    assert abs((times[0] - now()).total_seconds()) < 60
    assert any(each.microsecond for each in times)


async def test_age(database: Database) -> None:
    """The age is whole seconds since the heartbeat, days included."""
    await database.run(_report)
    await database.run(_age, "one", 2 * 86400 + 5)
    [row] = await database.read(services.listed)
    assert 2 * 86400 + 5 <= row.age < 2 * 86400 + 65


async def test_up(database: Database) -> None:
    """Up are a topic's workers that are enabled and were heard of lately, oldest row first."""
    for host in ("one", "two", "late", "off"):
        await database.run(_report, host=host, enabled=host != "off")
    await database.run(_report, host="one", topic="network")
    await database.run(_age, "late", 61)
    found = await database.read(services.up, "compute", 60)
    assert [each.host for each in found] == ["one", "two"]


async def test_zones(database: Database) -> None:
    """A zone is there if any service in it is enabled."""
    await database.run(_report, host="a", zone="west", enabled=False)
    await database.run(_report, host="b", zone="east", enabled=False)
    await database.run(_report, host="c", zone="east")
    assert await database.read(services.zones) == (("east", True), ("west", False))


async def test_remove(database: Database) -> None:
    """A removed row is gone; the worker's next report makes a new one."""
    await database.run(_report)
    await database.run(services.remove, "one", "nova-compute")
    assert await database.read(services.listed) == ()
    with pytest.raises(ServiceNotFound, match="no service nova-compute on host one"):
        await database.run(services.remove, "one", "nova-compute")
    await database.run(_report)
    assert len(await database.read(services.listed)) == 1
