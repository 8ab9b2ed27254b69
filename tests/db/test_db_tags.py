"""Rows of tags, and how they end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, insert, select

from nova_tx import states
from nova_tx.context import RequestContext, admin_context
from nova_tx.db import images, instance_details, instances, key_pairs, reservations, tags
from nova_tx.db.engine import Database
from nova_tx.db.engine import now as db_now
from nova_tx.db.schema import tags as table
from nova_tx.db.schema import volumes
from nova_tx.errors import (
    AddressNotFound,
    ImageNotFound,
    InstanceNotFound,
    KeyPairNotFound,
    MalformedId,
    NotFound,
    SecurityGroupNotFound,
    SnapshotNotFound,
    TooManyTags,
    VolumeNotFound,
)
from nova_tx.flags import Flags, QuotaFlags
from nova_tx.model.access import KeyPair
from nova_tx.model.images import NewImage
from nova_tx.model.instances import InstanceRequest, Tag

NOW = datetime(2011, 2, 15, 7, 28, 32)
QUOTA = Flags.load([], [QuotaFlags]).section(QuotaFlags)
JOE = RequestContext("joe", "project")
EVE = RequestContext("eve", "other")
TINY = InstanceRequest(
    image_id="ami-tiny",
    kernel_id=None,
    ramdisk_id=None,
    instance_type="m1.tiny",
    min_count=2,
    max_count=2,
    key_name=None,
    security_groups=(),
    user_data=None,
    availability_zone=None,
    display_name=None,
    display_description=None,
)
ONE, TWO = "i-00000001", "i-00000002"


async def boot(database: Database, **tagged: str) -> None:
    """Two instances of JOE's project."""
    await database.run(reservations.reserve, JOE, replace(TINY, tags=tagged), QUOTA, NOW)


async def create(
    database: Database,
    ids: Iterable[str],
    given: dict[str, str],
    context: RequestContext = JOE,
    listed_after: datetime = tags.EVER,
    images: Iterable[str] = (),
) -> None:
    await database.run(
        tags.create, context, tuple(ids), given, tuple(images), listed_after, db_now()
    )


async def listed(
    database: Database, project: str = "project", listed_after: datetime = tags.EVER
) -> set[tuple[str, str, str]]:
    found = await database.read(tags.listed, project, listed_after)
    return {(tag.resource_id, tag.key, tag.value) for tag in found}


async def test_create(database: Database) -> None:
    """Tags are written on all resources; one that is there already gets the new value."""
    await boot(database)
    await create(database, (ONE, TWO), {"a": "1", "b": ""})
    await create(database, (ONE,), {"a": "2", "c": "3"})
    assert await listed(database) == {
        (ONE, "a", "2"),
        (ONE, "b", ""),
        (ONE, "c", "3"),
        (TWO, "a", "1"),
        (TWO, "b", ""),
    }
    assert await database.read(tags.listed, "project", tags.EVER, ("i-00000002",)) == (
        Tag(TWO, "instance", "a", "1"),
        Tag(TWO, "instance", "b", ""),
    )
    assert await database.read(tags.of, "project", "instance", tags.EVER) == {
        ONE: {"a": "2", "b": "", "c": "3"},
        TWO: {"a": "1", "b": ""},
    }


async def test_limit(database: Database) -> None:
    """A resource has at most fifty tags; one too many on one, and none is written."""
    await boot(database)
    await create(database, (ONE,), {f"k{number}": "" for number in range(49)})
    before = await listed(database)
    with pytest.raises(TooManyTags, match=ONE):
        await create(database, (TWO, ONE), {"x": "", "y": ""})
    assert await listed(database) == before
    await create(database, (ONE,), {"x": "", "k0": "again"})
    assert len(await listed(database)) == 50


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        ("i-000000ff", InstanceNotFound),
        ("ami-none", ImageNotFound),
        ("aki-none", ImageNotFound),
        ("ari-none", ImageNotFound),
        ("key-00000009", KeyPairNotFound),
        ("vol-00000009", VolumeNotFound),
        ("snap-00000009", SnapshotNotFound),
        ("sg-00000009", SecurityGroupNotFound),
        ("eipalloc-00000009", AddressNotFound),
    ],
)
async def test_not_there(database: Database, missing: str, error: type[NotFound]) -> None:
    """What is not there has the error of its kind, and nothing is written to the others."""
    await boot(database)
    with pytest.raises(error, match=missing):
        await create(database, (ONE, missing), {"a": "1"})
    assert await listed(database) == set()
    with pytest.raises(error):
        await database.run(tags.remove, JOE, (missing,), (), (), tags.EVER)


@pytest.mark.parametrize(
    "bad", ["", "i", "i-", "x-1", "I-1", "i-g", "i-00000001 ", "key-ffffffff", "vol-000000001"]
)
def test_malformed(bad: str) -> None:
    """What no resource is called is InvalidID."""
    with pytest.raises(MalformedId):
        tags.kind(bad)


async def test_others(database: Database) -> None:
    """Another project's instance is as good as none, but not for administrators."""
    await boot(database)
    with pytest.raises(InstanceNotFound):
        await create(database, (ONE,), {"a": "1"}, EVE)
    await create(database, (ONE,), {"a": "1"}, admin_context("root", "root"))
    assert await listed(database, "root") == {(ONE, "a", "1")}
    assert await listed(database) == set()


async def test_kinds_with_rows(database: Database) -> None:
    """Key pairs are their user's, volumes their project's, images whose the image service says."""
    await database.run(key_pairs.create, KeyPair("joe", "k", "aa:bb", "ssh-rsa AAAA"), NOW)
    row = {"user_id": "joe", "project_id": "project", "size": 1, "status": "available"}
    await database.run(
        lambda txn: txn.execute(
            insert(volumes).values(**row, attach_status="detached", created_at=NOW)
        )
    )
    ids = ("key-00000001", "vol-00000001", "ami-x")
    await create(database, ids, {"a": "1"}, images=("ami-x",))
    found = await database.read(tags.listed, "project", tags.EVER)
    assert {(tag.resource_id, tag.resource_type) for tag in found} == {
        ("key-00000001", "key-pair"),
        ("vol-00000001", "volume"),
        ("ami-x", "image"),
    }
    for one in ids[:2]:
        with pytest.raises(NotFound):
            await create(database, (one,), {"a": "1"}, EVE)


async def test_the_end_of_an_image(database: Database) -> None:
    """The tags of an image, whoever gave them, go when it does."""
    await database.run(images.register, "ami-x", "project", "joe", NewImage("bucket/x"))
    for who in (JOE, EVE):
        await create(database, ("ami-x",), {"a": "1"}, who, images=("ami-x",))
    await database.run(images.delete, "project", False, "ami-x")
    assert await listed(database) == await listed(database, "other") == set()


async def test_remove(database: Database) -> None:
    """A tag goes by its key, or by key and value if a value is given; or all do."""
    await boot(database)
    await create(database, (ONE, TWO), {"a": "1", "b": "2", "c": ""})
    await create(database, (TWO,), {"a": "other"})

    async def remove(*keys: tuple[str, str | None]) -> set[tuple[str, str, str]]:
        await database.run(tags.remove, JOE, (ONE, TWO), keys, (), tags.EVER)
        return await listed(database)

    assert await remove(("a", "1"), ("b", None), ("c", "x"), ("none", None)) == {
        (ONE, "c", ""),
        (TWO, "a", "other"),
        (TWO, "c", ""),
    }
    assert await remove(("c", "")) == {(TWO, "a", "other")}
    assert await remove() == set()


async def test_the_end_of_an_instance(database: Database) -> None:
    """The tags of an instance are listed as long as it is, and removed by the next who tags."""
    await boot(database, a="1")
    await database.run(instances.move, 1, states.TERMINATE)
    await database.run(instances.move, 1, states.BURY)
    before, after = db_now() - timedelta(minutes=1), db_now() + timedelta(minutes=1)
    await create(database, (ONE,), {"b": "2"}, listed_after=before)
    assert await listed(database, listed_after=before) == {
        (ONE, "a", "1"),
        (ONE, "b", "2"),
        (TWO, "a", "1"),
    }
    (shown, _) = await database.read(instance_details.details, JOE, (), before)
    assert shown.tags == {"a": "1", "b": "2"}
    assert await listed(database, listed_after=after) == {(TWO, "a", "1")}
    with pytest.raises(InstanceNotFound):
        await create(database, (ONE,), {"c": "3"}, listed_after=after)
    await create(database, (TWO,), {"c": "3"}, listed_after=after)
    assert await database.read(lambda txn: txn.scalar(select(func.count()).select_from(table))) == 2


async def test_launches_remove_what_is_over(database: Database) -> None:
    """A project that tags only at launch does not gather the tags of what has ended."""
    await boot(database, a="1")
    await database.run(instances.move, 1, states.TERMINATE)
    await database.run(instances.move, 1, states.BURY)
    after = db_now() + timedelta(minutes=1)
    tagged = replace(TINY, tags={"a": "1"})
    await database.run(reservations.reserve, JOE, tagged, QUOTA, NOW, after)
    rows = await database.read(lambda txn: txn.scalars(select(table.c.resource_id)).all())
    assert sorted(rows) == ["i-00000002", "i-00000003", "i-00000004"]


async def test_details(database: Database) -> None:
    """A list of instances shows to each project the tags that it gave itself."""
    await boot(database, a="1")
    root = admin_context("root", "root")
    await create(database, (ONE,), {"b": "2"}, root)
    for ids in ((), (1,)):
        (mine, *_) = await database.read(instance_details.details, JOE, ids, tags.EVER)
        (roots, *_) = await database.read(instance_details.details, root, ids, tags.EVER)
        assert (mine.tags, roots.tags) == ({"a": "1"}, {"b": "2"})
