"""An access key that is used wrongly too often, at the objectstore's door."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import treq
from twisted.internet import reactor
from twisted.web.client import Agent
from twisted.web.http_headers import Headers

from nova_tx.auth.database import DatabaseUsers
from nova_tx.auth.s3_signatures import sign
from nova_tx.context import RequestContext
from nova_tx.db.engine import Database
from nova_tx.errors import Unavailable
from nova_tx.flags import SecretsFlags
from nova_tx.image.objectstore import ObjectstoreImages
from nova_tx.model.users import User
from nova_tx.testing.ec2 import Door
from nova_tx.testing.objectstore import running_objectstore

EMPTY = hashlib.sha256(b"").hexdigest()
WRONG, LOCKED = (403, "SignatureDoesNotMatch"), (403, "AccessDenied")
TEXT = "Too many failed authentications."


@dataclass
class Doors:
    """EC2's door and the objectstore's, over one database."""

    ec2: Door
    port: int
    images: ObjectstoreImages

    async def ask(self, user: User, project: str = "joe") -> tuple[int, str | None, str | None]:
        """What the objectstore says to a user who lists buckets: status, code, text."""
        now = datetime.fromtimestamp(reactor.seconds(), UTC)  # type: ignore[attr-defined]
        host = f"127.0.0.1:{self.port}"
        key = f"{user.access_key}:{project}"
        signed = sign("GET", host, "/", (), key, user.secret_key, now, EMPTY)
        headers = Headers({name: [value] for name, value in signed.items()})
        agent: Any = Agent(reactor)
        response = await agent.request(b"GET", f"http://{host}/".encode(), headers)
        body = (await treq.content(response)).decode()
        code, text = (re.search(f"<{tag}>(.*?)</{tag}>", body) for tag in ("Code", "Message"))
        return response.code, code and code[1], text and text[1]


@pytest_twisted.async_yield_fixture
async def doors(tmp_path: Path, database: Database) -> AsyncIterator[Doors]:
    """Both, with one clock."""
    users = DatabaseUsers(database, SecretsFlags(str(tmp_path / "secrets.key")))
    ec2 = Door(database, users=users)
    ec2.clock.rightNow = reactor.seconds()  # type: ignore[attr-defined]
    async with running_objectstore(tmp_path, database, reactor, users=users) as running:
        yield Doors(ec2, running.port, running.images)


@pytest.fixture
def joe(doors: Doors) -> User:
    """A user with a project."""
    return doors.ec2.add_user("joe")


async def test_locked_after_five(doors: Doors, joe: User) -> None:
    """Five wrong signatures lock the key for the right one, too, at the door of EC2 as well."""
    thief = replace(joe, secret_key="guessed")
    assert (await doors.ask(joe))[0] == 200
    for _ in range(5):
        assert (await doors.ask(thief))[:2] == WRONG
    assert await doors.ask(joe) == await doors.ask(thief) == (*LOCKED, TEXT)
    assert doors.ec2.ask(joe, "DescribeRegions").xml.findtext(".//Message") == TEXT


async def test_locked_at_the_other_door(doors: Doors, joe: User) -> None:
    """What is used wrongly at EC2's door is closed here."""
    thief = replace(joe, secret_key="guessed")
    for _ in range(5):
        doors.ec2.ask(thief, "DescribeRegions")
    assert await doors.ask(joe) == (*LOCKED, TEXT)


async def test_all_that_is_refused_counts(doors: Doors, joe: User) -> None:
    """Keys of nobody, and projects that are none or others', are counted in the same way."""
    doors.ec2.add_user("eve")
    nobody = replace(joe, access_key="nobody")
    for _ in range(5):
        assert (await doors.ask(nobody))[:2] == (403, "InvalidAccessKeyId")
    assert await doors.ask(nobody) == (*LOCKED, TEXT)
    for project in ("eve", "nowhere", "eve", "nowhere", "eve"):
        status, code, text = await doors.ask(joe, project)
        assert (status, code) == LOCKED and text != TEXT
    assert await doors.ask(joe) == (*LOCKED, TEXT)


async def test_a_success_resets(doors: Doors, joe: User) -> None:
    """Four failures, a success and four failures lock nothing."""
    for _ in range(2):
        for _ in range(4):
            assert (await doors.ask(replace(joe, secret_key="guessed")))[:2] == WRONG
        assert (await doors.ask(joe))[0] == 200


async def test_instances_of_a_locked_user_wait(doors: Doors, joe: User) -> None:
    """Our own services, which ask in a user's name, take a locked key for a part that is away."""
    context = RequestContext(user="joe", project="joe")
    assert await doors.images.list(context) == ()
    for _ in range(5):
        await doors.ask(replace(joe, secret_key="guessed"))
    with pytest.raises(Unavailable, match=TEXT):
        await doors.images.list(context)
