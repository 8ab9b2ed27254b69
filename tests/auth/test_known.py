"""Users who are not looked up again for a moment."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from nova_tx.auth.known import KnownUsers
from nova_tx.auth.memory import MemoryUsers
from nova_tx.errors import UserNotFound
from nova_tx.recent import SECONDS


class _Counted(MemoryUsers):
    asked = 0

    async def find(self, access_key, project_id):  # type: ignore[no-untyped-def]
        self.asked += 1
        return await super().find(access_key, project_id)


@pytest.fixture
def clock() -> Clock:
    found = Clock()
    found.advance(1e9)
    return found


async def _users() -> _Counted:
    users = _Counted()
    await users.create_user("joe", "joe-access", "joe-secret", False)
    await users.create_project("joe", "joe", None)
    return users


async def test_asked_again(clock: Clock) -> None:
    """A user who asks again within the second costs no look-up; later, one."""
    users = await _users()
    known = KnownUsers(users, clock)
    first = await known.find("joe-access", None)
    clock.advance(SECONDS * 0.9)
    assert await known.find("joe-access", None) is first
    assert users.asked == 1
    clock.advance(SECONDS * 0.1)
    assert await known.find("joe-access", None) == first
    assert users.asked == 2


async def test_revoked(clock: Clock) -> None:
    """A key that was taken away opens nothing after the second."""
    users = await _users()
    known = KnownUsers(users, clock)
    await known.find("joe-access", None)
    await users.modify_user("joe", "new-access", None, None)
    clock.advance(SECONDS)
    with pytest.raises(UserNotFound):
        await known.find("joe-access", None)


async def test_forgotten(clock: Clock) -> None:
    """A user who is forgotten is looked up again, in whatever project; others are not."""
    users = await _users()
    await users.create_user("eve", "eve-access", "eve-secret", False)
    await users.create_project("eve", "eve", None)
    known = KnownUsers(users, clock)
    asked = (("joe-access", None), ("joe-access", "eve"), ("eve-access", None))
    for each in asked:
        await known.find(*each)
    known.forget("joe-access")
    for each in asked:
        await known.find(*each)
    assert users.asked == 5


async def test_clock_set_back(clock: Clock) -> None:
    """A clock that is set back keeps nobody known."""
    users = await _users()
    known = KnownUsers(users, clock)
    await known.find("joe-access", None)
    clock.rightNow -= 3600
    await known.find("joe-access", None)
    assert users.asked == 2


async def test_refusals(clock: Clock) -> None:
    """A user who was refused is let in as soon as there is one."""
    users = _Counted()
    known = KnownUsers(users, clock)
    with pytest.raises(UserNotFound):
        await known.find("joe-access", None)
    await users.create_user("joe", "joe-access", "joe-secret", False)
    await users.create_project("joe", "joe", None)
    assert (await known.find("joe-access", None)).user.id == "joe"


async def test_at_once(clock: Clock) -> None:
    """Those who ask at the same time share one look-up."""
    users = await _users()
    known = KnownUsers(users, clock)
    gate: Deferred[None] = Deferred()
    find = users.find

    async def slow(access_key, project_id):  # type: ignore[no-untyped-def]
        await gate
        return await find(access_key, project_id)

    users.find = slow  # type: ignore[method-assign]
    asked = [Deferred.fromCoroutine(known.find("joe-access", None)) for _ in range(3)]
    gate.callback(None)
    assert [(await each).user.id for each in asked] == ["joe"] * 3
    assert users.asked == 1
