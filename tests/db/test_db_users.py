"""Users and projects as rows."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, delete, event, insert, select

from nova_tx.db import certificates, projects, users
from nova_tx.db.engine import Database, now
from nova_tx.db.schema import (
    floating_ips,
    instances,
    key_pairs,
    networks,
    user_project_association,
)
from nova_tx.db.schema import users as user_rows
from nova_tx.errors import Duplicate


async def _shop(database: Database) -> None:
    await database.run(users.create, "joe", "joe-access", "joe-secret", False)
    await database.run(projects.create, "shop", "joe", None)


@pytest.mark.parametrize("roles", [0, 5])
async def test_find_queries(database: Database, roles: int) -> None:
    """What runs for every request is three queries, whatever the user has."""
    await _shop(database)
    for number in range(roles):
        for project in (None, "shop"):
            await database.run(users.add_role, "joe", f"role{number}", project)
    seen: list[str] = []
    event.listen(
        database.engine, "before_cursor_execute", lambda *args: seen.append(args[2]), named=False
    )
    found = await database.read(users.find, "joe-access", "shop")
    assert len(found.user.roles) == len(found.project_roles) == roles
    assert len([statement for statement in seen if statement.startswith("SELECT")]) == 3


async def test_lost_race(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is overtaken between look and insert is told the name is taken, not SQL or secrets."""
    await _shop(database)
    real = Connection.scalar
    monkeypatch.setattr(Connection, "scalar", lambda *args, **kwargs: None)
    for name, access in (("joe", "other-access"), ("bob", "joe-access")):
        with pytest.raises(Duplicate) as caught:
            await database.run(users.create, name, access, "a-secret", False)
        assert str(caught.value) == f"User {name} already exists"
        assert caught.value.__cause__ is None and caught.value.__suppress_context__
    with pytest.raises(Duplicate, match="project shop already exists"):
        await database.run(projects.create, "shop", "joe", None)
    monkeypatch.setattr(Connection, "scalar", real)
    assert len(await database.read(users.listed)) == 1


async def test_refused_creation_leaves_nothing(database: Database) -> None:
    """A project that can't be created leaves no membership."""
    await _shop(database)
    await database.run(users.create, "ann", "ann-access", "secret", False)
    with pytest.raises(Duplicate):
        await database.run(projects.create, "shop", "ann", None)
    assert not (await database.read(users.member, "ann", "shop")).member


async def test_a_manager_by_name_alone(database: Database) -> None:
    """A manager who was never written down as a member is one still when another takes over."""
    await _shop(database)
    await database.run(users.create, "ann", "ann-access", "secret", False)
    await database.run(lambda txn: txn.execute(delete(user_project_association)))
    changed = await database.run(projects.modify, "shop", "ann", None)
    assert changed.members == {"joe", "ann"}


async def test_key_pairs_go(database: Database) -> None:
    """A user's key pairs go with the user, and only those."""
    await _shop(database)
    await database.run(users.create, "ann", "ann-access", "secret", False)

    def work(txn: Connection) -> list[str]:
        for name in ("ann", "joe"):
            row = {"user_id": name, "name": "key", "fingerprint": "aa", "public_key": "ssh-rsa"}
            txn.execute(insert(key_pairs).values(**row, created_at=now(), deleted=False))
        users.remove(txn, "ann")
        return list(txn.scalars(select(key_pairs.c.user_id)))

    assert await database.run(work) == ["joe"]


async def test_times(database: Database) -> None:
    """Rows say when they were made and changed."""
    await _shop(database)

    def times(txn: Connection) -> tuple[object, object]:
        row = txn.execute(select(user_rows.c.created_at, user_rows.c.updated_at)).one()
        return row[0], row[1]

    created, updated = await database.read(times)
    assert created is not None and updated is None
    await database.run(users.modify, "joe", None, None, True)
    assert (await database.read(times))[1] is not None


async def test_possessions(database: Database) -> None:
    """What a project still has is counted; what is terminated or another's is not."""
    await _shop(database)

    def fill(txn: Connection) -> None:
        for project, state in (
            ("shop", "running"),
            ("shop", "scheduling"),
            ("shop", "terminated"),
            ("bank", "running"),
        ):
            txn.execute(
                insert(instances).values(
                    user_id="joe",
                    project_id=project,
                    reservation_id="r-1",
                    launch_index=0,
                    image_id="ami-1",
                    state_description=state,
                    instance_type="m1.tiny",
                    memory_mb=512,
                    vcpus=1,
                    local_gb=0,
                    hostname="i-1",
                    mac_address="02:16:3e:00:00:01",
                    display_name="",
                    display_description="",
                    locked=False,
                    created_at=now(),
                    deleted=False,
                )
            )
        txn.execute(
            insert(networks).values(
                cidr="10.0.0.0/24",
                netmask="255.255.255.0",
                bridge="br100",
                gateway="10.0.0.1",
                broadcast="10.0.0.255",
                dhcp_start="10.0.0.2",
                project_id="shop",
                injected=False,
                created_at=now(),
                deleted=False,
            )
        )
        for address in ("4.4.4.1", "4.4.4.2"):
            row = {"address": address, "project_id": "shop", "created_at": now(), "deleted": False}
            txn.execute(insert(floating_ips).values(**row))

    assert await database.read(projects.possessions, "shop") == ()
    await database.run(fill)
    assert await database.read(projects.possessions, "shop") == (
        "2 instances",
        "1 network",
        "2 floating addresses",
    )


async def test_certificates(database: Database) -> None:
    """A user's certificates in a project are found again, oldest first; revoked ones stay known."""
    for user, project, number in (
        ("joe", "shop", 10),
        ("ann", "shop", 11),
        ("joe", "bank", 12),
        ("joe", "shop", 13),
    ):
        await database.run(certificates.create, user, project, f"/ca/newcerts/{number}.pem")

    async def known() -> certificates.Known:
        return await database.read(certificates.known, "joe", "shop")

    ten, eleven, twelve, thirteen = (f"/ca/newcerts/{number}.pem" for number in range(10, 14))
    assert await known() == certificates.Known((ten, thirteen), (), ())
    assert await database.run(certificates.revoke, "joe", "bank") == (twelve,)
    assert await known() == certificates.Known((ten, thirteen), (), (twelve,))
    assert await database.run(certificates.revoke, None, "shop") == (ten, eleven, thirteen)
    assert await known() == certificates.Known((), (ten, thirteen), (twelve,))
    assert await database.run(certificates.revoke, "joe", None) == (ten, twelve, thirteen)
    assert await database.read(certificates.revoked) == (ten, eleven, twelve, thirteen)
    assert await database.read(certificates.holders) == ()
