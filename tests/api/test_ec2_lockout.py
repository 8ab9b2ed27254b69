"""An access key that is used wrongly too often."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from twisted.logger import LogEvent, globalLogPublisher

from nova_tx.auth.database import DatabaseUsers
from nova_tx.db.engine import Database
from nova_tx.flags import SecretsFlags
from nova_tx.model.users import User
from nova_tx.testing.ec2 import Door, inline

LOCKED = (403, "AuthFailure", "Too many failed authentications.")


@pytest.fixture
def doors(database: Database, tmp_path: Path) -> tuple[Door, Door]:
    """Two API processes over one database, with one clock."""
    flags = SecretsFlags(str(tmp_path / "secrets.key"))
    one, other = (Door(database, users=DatabaseUsers(database, flags)) for _ in range(2))
    other.clock.rightNow = one.clock.rightNow
    return one, other


@pytest.fixture
def joe(doors: tuple[Door, Door]) -> User:
    """A user with a project."""
    return doors[0].add_user("joe")


def ask(door: Door, user: User, project: str | None = None) -> tuple[int, str | None, str | None]:
    """What is said to a user."""
    answer = door.ask(user, "DescribeRegions", project=project)
    return answer.status, answer.code, answer.xml.findtext(".//Message")


def later(doors: tuple[Door, Door], seconds: float) -> None:
    """Time goes by for both."""
    for each in doors:
        each.clock.advance(seconds)


def test_locked_after_five(doors: tuple[Door, Door], joe: User) -> None:
    """Five failures at any of the processes lock the key at all, for the right secret, too."""
    thief = replace(joe, secret_key="guessed")
    for number in range(5):
        assert ask(doors[number % 2], thief)[1] == "SignatureDoesNotMatch"
        later(doors, 60)
    for door in doors:
        assert ask(door, joe) == ask(door, thief) == LOCKED
    later(doors, 899 - 60)
    assert ask(doors[0], joe) == LOCKED
    later(doors, 2)
    assert [ask(door, joe)[0] for door in doors] == [200, 200]


def test_locked_at_once_where_it_failed(doors: tuple[Door, Door], joe: User) -> None:
    """The process that counted the last failure does not go by what it knew before."""
    assert ask(doors[0], joe)[0] == 200
    for _ in range(5):
        ask(doors[0], replace(joe, secret_key="guessed"))
    assert ask(doors[0], joe) == LOCKED


def test_known_elsewhere_after_a_second(doors: tuple[Door, Door], joe: User) -> None:
    """Another process may know a user from before for a second, no longer."""
    assert ask(doors[1], joe)[0] == 200
    for _ in range(5):
        ask(doors[0], replace(joe, secret_key="guessed"))
    assert ask(doors[1], joe)[0] == 200
    later(doors, 1)
    assert ask(doors[1], joe) == LOCKED


def test_a_success_resets(doors: tuple[Door, Door], joe: User) -> None:
    """Four failures, a success and four failures lock nothing."""
    thief = replace(joe, secret_key="guessed")
    for door in doors:
        for _ in range(4):
            assert ask(door, thief)[1] == "SignatureDoesNotMatch"
        assert ask(door, joe)[0] == 200


def test_all_that_is_refused_counts(doors: tuple[Door, Door], joe: User) -> None:
    """Keys of nobody and projects that are none, or others', are counted in the same way."""
    doors[0].add_user("eve")
    nobody = replace(joe, access_key="nobody")
    for _ in range(5):
        assert ask(doors[0], nobody)[1] == "AuthFailure"
    assert ask(doors[0], nobody) == ask(doors[1], nobody) == LOCKED
    for project in ("eve", "nowhere", "eve", "nowhere", "eve"):
        assert ask(doors[0], joe, project) != LOCKED
    assert ask(doors[0], joe) == LOCKED


def test_what_is_no_key_is_not_written_down(doors: tuple[Door, Door], joe: User) -> None:
    """A text that can't be an access key is refused each time, and not kept."""
    for _ in range(9):
        assert ask(doors[0], replace(joe, access_key="a b\x00" * 90))[1] == "AuthFailure"


def test_off(database: Database) -> None:
    """With lockout_attempts 0 nothing is counted."""
    door = Door(database, "--lockout_attempts=0")
    joe = door.add_user("joe")
    for _ in range(9):
        assert ask(door, replace(joe, secret_key="guessed"))[1] == "SignatureDoesNotMatch"
    assert ask(door, joe)[0] == 200


def test_the_good_path_costs_nothing(
    doors: tuple[Door, Door], joe: User, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who signs rightly costs one look-up a second, whatever is counted of others."""
    seen: list[str] = []
    attempts = database._attempts

    async def watched(write: bool, work: object, fn: object) -> object:
        seen.append(fn.__name__)  # type: ignore[attr-defined]
        return await attempts(write, work, fn)  # type: ignore[arg-type]

    monkeypatch.setattr(database, "_attempts", watched)
    for _ in range(3):
        assert ask(doors[0], joe)[0] == 200
    assert seen == ["find"]


def test_said_once(doors: tuple[Door, Door], joe: User) -> None:
    """A lock is one line of the log, without a secret or a signature."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        lines.append(str(event.get("log_format")).format(**event))

    globalLogPublisher.addObserver(observe)
    try:
        for _ in range(9):
            ask(doors[0], replace(joe, secret_key="guessed"))
    finally:
        globalLogPublisher.removeObserver(observe)
    assert [line for line in lines if "Access key" in line] == [
        "Access key joe has had 5 failed authentications and will be locked out for 15 minutes."
    ]


def test_guesses_do_not_take_the_database(doors: tuple[Door, Door], joe: User) -> None:
    """Beyond a few failures at once, the next are told to come back, and others are served."""
    lockout = doors[0].lockout
    with lockout._counting.entered():
        lockout._counting._room = 1
        refused = ask(doors[0], replace(joe, secret_key="guessed"))
        assert refused[:2] == (503, "RequestLimitExceeded")
        assert ask(doors[0], joe)[0] == 200
    inline(doors[0].lockout.clear())
