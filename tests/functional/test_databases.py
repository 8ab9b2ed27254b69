"""
SQLite in a file, PostgreSQL and MariaDB: the tests of every noun, and what only many at once show.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_twisted
from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from nova_tx import states
from nova_tx.context import RequestContext, Seal
from nova_tx.db import (
    addresses,
    announced_images,
    backups,
    client_tokens,
    image_permissions,
    images,
    lockouts,
    networks,
    quotas,
    replays,
    reservations,
    services,
    tags,
    upgrade,
)
from nova_tx.db import instances as instance_rows
from nova_tx.db.clock import utc_now
from nova_tx.db.engine import Database
from nova_tx.db.schema import instances, metadata, users
from nova_tx.db.schema import quotas as quota_rows
from nova_tx.errors import (
    DuplicateImageName,
    QuotaExceeded,
    StartupError,
    TooManyTags,
    TooSoon,
    Unavailable,
    WrongState,
)
from nova_tx.flags import QuotaFlags, SqlFlags
from nova_tx.model.images import ImageChange, ImageSource
from nova_tx.model.instances import ClientToken, InstanceRequest
from nova_tx.model.networks import FixedIp
from nova_tx.testing.database import VARIABLE, tested_database
from nova_tx.testing.databases import MariaDB, PostgreSQL, Server

T = TypeVar("T")
TESTS = Path(__file__).parents[1]
NOW = datetime(2011, 2, 15, 7, 28, 32)
JOE = RequestContext("joe", "physics")
MANY = 24


#: What only a server can do.
SERVERS = pytest.mark.parametrize(
    "server", [PostgreSQL, MariaDB], ids=lambda kind: kind.__name__, indirect=True
)


class File(Server):
    """An SQLite file: a database that needs no server."""

    def __init__(self, directory: str) -> None:
        self.url = f"sqlite:///{directory}/nova.sqlite"

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""


@pytest.fixture(scope="module", params=[File, PostgreSQL, MariaDB], ids=lambda kind: kind.__name__)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A database of each kind, private to this module."""
    with tempfile.TemporaryDirectory() as directory:
        found: Server = request.param(directory)
        try:
            found.start()
            yield found
        finally:
            found.stop()


def on(server: Server, **options: Any) -> Database:
    """Another process's door to the same tables."""
    flags = SqlFlags(sql_connection=server.url, sql_max_retries=1)
    return Database(flags, reactor, **options)


@pytest_twisted.async_yield_fixture
async def doors(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Database]]:
    """Two processes on one empty database."""
    monkeypatch.setenv(VARIABLE, server.url)
    with tested_database():
        pass
    found = [on(server, patience=None), on(server, patience=None)]
    for each in found:
        await each.open()
    yield found
    for each in found:
        await each.close()


async def attempt(work: Awaitable[T]) -> T | Exception:
    """What came out of it, also an error."""
    try:
        return await work
    except Exception as error:
        return error


async def at_once(work: list[Awaitable[T]]) -> list[T | Exception]:
    """All of it together."""
    return await gatherResults([Deferred.fromCoroutine(attempt(each)) for each in work])


async def boot(
    database: Database,
    count: int = 1,
    limits: QuotaFlags | None = None,
    token: ClientToken | None = None,
) -> list[int]:
    """Make instances; their ids."""
    tiny = InstanceRequest(
        image_id="ami-tiny",
        kernel_id=None,
        ramdisk_id=None,
        instance_type="m1.tiny",
        min_count=count,
        max_count=count,
        key_name=None,
        security_groups=(),
        user_data=None,
        availability_zone=None,
        display_name=None,
        display_description=None,
        client_token=token,
    )
    limits = limits or QuotaFlags(quota_instances=1000, quota_cores=1000)
    made = await database.run(reservations.reserve, JOE, tiny, limits, NOW)
    return [each.instance.id for each in made]


def test_nouns(server: Server) -> None:
    """The tests of tests/db, and of users who are kept in rows, pass on each kind of database."""
    users = str(TESTS / "auth" / "test_users_database.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(TESTS / "db"), users],
        env={**os.environ, VARIABLE: server.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    # all of them: none skipped, none expected to fail
    found = re.search(r"^(\d+) passed(?:, \d+ warnings?)? in ", done.stdout, re.MULTILINE)
    assert found and int(found[1]) > 50, done.stdout


def test_migrated(server: Server) -> None:
    """nova-manage db sync works on each kind of database."""
    database = on(server)
    metadata.drop_all(database.engine)
    with database.engine.begin() as txn:
        txn.exec_driver_sql(f"DROP TABLE IF EXISTS {upgrade.TABLE}")
    upgrade.sync(database.engine)
    assert upgrade.current(database.engine) == upgrade.head()
    with database.engine.begin() as txn:
        txn.exec_driver_sql(f"DROP TABLE {upgrade.TABLE}")
    database.engine.dispose()


def test_backup(server: Server, tmp_path: Path) -> None:
    """A copy has every row of each kind of database; of SQLite it is one."""
    database = on(server)
    metadata.create_all(database.engine)
    row = {"id": "ann", "access_key": "a-key", "secret_key": "s", "created_at": NOW}
    with database.engine.begin() as txn:
        txn.execute(insert(users).values(**row, is_admin=False))
    copy = tmp_path / "copy"
    backups.write(database.engine, str(copy))
    assert b"a-key" in copy.read_bytes()
    with database.engine.begin() as txn:
        txn.execute(delete(users))
    database.engine.dispose()


async def test_one_wins(doors: list[Database]) -> None:
    """Of many that move one instance at once, exactly one does; the others find the wrong state."""
    for instance_id in await boot(doors[0], 5):
        results = await at_once(
            [
                doors[number % 2].run(
                    instance_rows.move, instance_id, states.BUILD, host=f"host{number}"
                )
                for number in range(MANY)
            ]
        )
        winners = [each for each in results if not isinstance(each, Exception)]
        assert len(winners) == 1
        assert sum(isinstance(each, WrongState) for each in results) == MANY - 1
        now = await doors[1].read(instance_rows.get, instance_id)
        assert (now.host, now.state_description) == (winners[0].host, "networking")


async def test_addresses(doors: list[Database]) -> None:
    """Addresses that many instances take at once are all different, and lie without a gap."""
    [network] = await doors[0].run(networks.create, "10.0.0.0/24", 1, 256, "br100")
    ids = await boot(doors[0], MANY)
    # each asks twice, as a message that is delivered again does
    results = await at_once(
        [
            doors[number % 2].run(addresses.allocate, network.id, instance_id)
            for instance_id in ids
            for number in range(2)
        ]
    )
    taken: dict[int | None, set[str]] = {}
    for each in results:
        assert isinstance(each, FixedIp), each
        taken.setdefault(each.instance_id, set()).add(each.address)
    assert sorted(taken) == ids  # type: ignore[type-var]
    assert all(len(each) == 1 for each in taken.values())
    assert set().union(*taken.values()) == {f"10.0.0.{number}" for number in range(2, 2 + MANY)}


async def test_names_of_images(doors: list[Database]) -> None:
    """Of many images of one name that are made at once, one is; many permissions are all given."""
    source = ImageSource(1, None, None, "x86_64")
    results = await at_once(
        [
            doors[number % 2].run(
                announced_images.announce, JOE, f"ami-{number}", source, "golden", None
            )
            for number in range(MANY)
        ]
    )
    assert sum(each is None for each in results) == 1
    assert sum(isinstance(each, DuplicateImageName) for each in results) == MANY - 1
    [image] = await doors[0].read(images.listed, None, True)
    changes = [ImageChange(add=("eve", f"project{number % 8}")) for number in range(MANY)]
    given = await at_once(
        [
            doors[number % 2].run(image_permissions.change, "physics", False, image.id, each)
            for number, each in enumerate(changes)
        ]
    )
    assert not [each for each in given if isinstance(each, Exception)]
    [image] = await doors[0].read(images.listed, "physics", False)
    assert image.launch_projects == ("eve", *(f"project{number}" for number in range(8)))


async def test_quota(doors: list[Database]) -> None:
    """Many that start instances at once never get more than the quota together."""
    limits = QuotaFlags(quota_instances=7, quota_cores=1000)
    results = await at_once([boot(doors[number % 2], 1, limits) for number in range(MANY)])
    assert sum(isinstance(each, list) for each in results) == 7
    assert sum(isinstance(each, QuotaExceeded) for each in results) == MANY - 7
    count = select(func.count()).select_from(instances)
    assert await doors[0].read(lambda txn: txn.execute(count).scalar_one()) == 7


async def test_client_tokens(doors: list[Database]) -> None:
    """Of many requests with one token that come at once, one is done; all get what it made."""
    token = ClientToken("CreateVolume", "t", "fingerprint")

    def do(txn: Connection, result: str) -> str:
        earlier = client_tokens.claim(txn, "physics", token, NOW)
        if earlier is None:
            client_tokens.keep(txn, "physics", token, result)
        return earlier or result

    results = await at_once([doors[n % 2].run(do, f"vol-{n}") for n in range(MANY)])
    assert len(set(results)) == 1, results


async def test_launches_with_a_token(doors: list[Database]) -> None:
    """Of many launches with one token that come at once, one makes instances; all answer them."""
    token = ClientToken("RunInstances", "t", "fingerprint")
    results = await at_once([boot(doors[n % 2], 2, token=token) for n in range(MANY)])
    assert all(each == results[0] for each in results), results
    count = select(func.count()).select_from(instances)
    assert await doors[0].read(lambda txn: txn.execute(count).scalar_one()) == 2


async def test_tags(doors: list[Database]) -> None:
    """Many that tag one instance at once never give it more tags together than it may have."""
    await boot(doors[0])

    def create(n: int) -> Awaitable[None]:
        given = {f"k{n}": "", "same": str(n)}
        return doors[n % 2].run(tags.create, JOE, ("i-00000001",), given, (), tags.EVER, NOW)

    results = await at_once([create(n) for n in range(tags.MOST + 10)])
    assert results.count(None) == tags.MOST - 1
    assert sum(isinstance(each, TooManyTags) for each in results) == 11
    assert len(await doors[0].read(tags.listed, "physics", tags.EVER)) == tags.MOST


async def test_one_signature(doors: list[Database]) -> None:
    """Of many requests with one signature at two processes, exactly one is done."""
    context = RequestContext("joe", "joe", seal=Seal("digest", NOW))
    results = await at_once(
        [doors[number % 2].run(replays.claim, context, NOW) for number in range(MANY)]
    )
    assert sum(each is None for each in results) == 1
    assert sum(isinstance(each, TooSoon) for each in results) == MANY - 1


async def test_failures_at_once(doors: list[Database]) -> None:
    """Of many failures at once each is counted, the first of a key, too, until it is locked."""
    limits = lockouts.Limits(MANY - 3, timedelta(minutes=15), timedelta(minutes=15))
    results = await at_once(
        [doors[number % 2].run(lockouts.failed, "joe", limits, NOW) for number in range(MANY)]
    )
    assert sorted(results) == [0, 0, 0, *range(1, MANY - 2)]  # type: ignore[type-var]


async def test_twins(doors: list[Database]) -> None:
    """Workers that report for the first time at once make one row, and none of them fails."""
    who = ("one", "nova-compute", "compute", "nova", True)
    results = await at_once([doors[n % 2].run(services.report, *who) for n in range(MANY)])
    assert results == [None] * MANY
    [row] = await doors[0].read(services.listed)
    assert row.report_count == MANY - 1


async def test_deadlock(doors: list[Database]) -> None:
    """Two transactions that wait for each other's rows both succeed in the end."""
    if doors[0].engine.dialect.name == "sqlite":
        both: threading.Barrier | None = None  # writers there never run at once
    else:
        both = threading.Barrier(2)
    for project in ("a", "b"):
        await doors[0].run(quotas.set, project, "cores", 0)
    met: set[str] = set()

    def change(txn: Connection, first: str, second: str) -> None:
        more = {"cores": quota_rows.c.cores + 1}
        txn.execute(update(quota_rows).where(quota_rows.c.project_id == first).values(more))
        if both is not None and first not in met:  # the first time
            met.add(first)
            both.wait(60)
        txn.execute(update(quota_rows).where(quota_rows.c.project_id == second).values(more))

    results = await at_once([doors[0].run(change, "a", "b"), doors[1].run(change, "b", "a")])
    assert results == [None, None]
    for project in ("a", "b"):
        assert (await doors[0].read(quotas.limits, project, QuotaFlags())).cores == 2


def write(txn: Connection, token: str) -> None:
    """Something that can be written once."""
    txn.execute(insert(quota_rows).values(project_id=token, created_at=utc_now()))


async def write_surely(database: Database, token: str) -> None:
    """Write it though the database goes away: who does not know asks again."""
    while True:
        try:
            await database.run(write, token)
            return
        except Unavailable:
            continue
        except IntegrityError:
            return  # it was made, and the answer lost


@SERVERS
async def test_crash(server: Server, doors: list[Database]) -> None:
    """A server that is killed and started again while transactions run loses and doubles none."""
    done = 0

    async def client(number: int) -> None:
        nonlocal done
        for count in range(60):
            await write_surely(doors[number % 2], f"{number}-{count}")
            done += 1

    clients = gatherResults([Deferred.fromCoroutine(client(number)) for number in range(8)])
    for crash in range(3):
        while done < 100 * (crash + 1):
            await deferLater(reactor, 0.005)
        await deferToThread(server.kill)
        assert done < 480
        await deferToThread(server.start)
    await clients
    written = select(quota_rows.c.project_id)
    assert set(await doors[0].read(lambda txn: txn.execute(written).scalars().all())) == {
        f"{number}-{count}" for number in range(8) for count in range(60)
    }


@SERVERS
async def test_away(server: Server) -> None:
    """While the server is away a request gives up soon, a worker waits, and both work after it."""
    request, worker = on(server, patience=1), on(server, patience=None)
    for each in (request, worker):
        await each.open()
    try:
        await deferToThread(server.kill)
        begun = reactor.seconds()
        with pytest.raises(Unavailable, match="does not answer"):
            await request.read(upgrade.stored)
        assert reactor.seconds() - begun < 60
        late = on(server)
        with pytest.raises(StartupError, match="can't reach the database"):
            await late.open()
        waiting = Deferred.fromCoroutine(attempt(worker.read(upgrade.stored)))
        await deferLater(reactor, 0.2)
        assert not waiting.called
        await deferToThread(server.start)
        assert await waiting == await request.read(upgrade.stored)
    finally:
        for each in (request, worker):
            await each.close()
