"""Commands of users and of their roles."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, insert

from nova_tx.db.engine import now
from nova_tx.db.schema import lockouts
from nova_tx.testing.manage import Manage, Told


def test_user_create(manage: Manage) -> None:
    """The seed's command prints the seed's lines."""
    told = manage("user", "create", "john", "my-access-key", "a-super-secret-key")
    assert told == Told(
        0,
        "export EC2_ACCESS_KEY=my-access-key\nexport EC2_SECRET_KEY=a-super-secret-key\n",
        "",
    )
    assert manage("user", "exports", "john") == told


def test_user_create_twice(john: Manage) -> None:
    """A name that is taken is one sentence: no SQL, no secret, no hint.       [spec/15 D6]"""
    told = john("user", "create", "john", "other", "unseen")
    assert told == Told(1, "", "User john already exists\n")
    told = john("user", "create", "eve", "my-access-key")
    assert told == Told(1, "", "The access key belongs to another user\n")


def test_user_random_keys(manage: Manage) -> None:
    """Keys that are left out, or empty, are random."""
    one, two = manage("user", "create", "one"), manage("user", "admin", "two", "", "")
    assert len(one.out.splitlines()[0]) == len("export EC2_ACCESS_KEY=") + 36
    assert len(set((one.out + two.out).splitlines())) == 4


def test_user_modify(john: Manage) -> None:
    """An empty word leaves a thing as it is; all four are needed."""
    assert john("user", "modify", "john", "new", "", "T") == Told(0, "", "")
    assert john("user", "modify", "john", "", "changed", "") == Told(0, "", "")
    assert john("user", "exports", "john").out == (
        "export EC2_ACCESS_KEY=new\nexport EC2_SECRET_KEY=changed\n"
    )
    assert john("user", "modify", "john", "new").code == 1


def test_user_unlock(john: Manage, tmp_path: Path) -> None:
    """A key that was locked opens again; one that was not is left, and it is said."""
    told = john("user", "unlock", "john")
    assert told == Told(0, "User john has no failed authentications\n", "")
    engine = create_engine(f"sqlite:///{tmp_path}/nova.sqlite")
    row = {"access_key": "my-access-key", "failures": 5, "since": now(), "created_at": now()}
    with engine.begin() as txn:
        txn.execute(insert(lockouts).values(**row, deleted=False))
    engine.dispose()
    assert john("user", "unlock", "john") == Told(0, "", "")
    assert john("user", "unlock", "john").out
    assert john("user", "unlock", "nobody").code == 1


def test_user_list_and_delete(john: Manage) -> None:
    """Names are listed one a line; who is deleted is gone, a project's manager stays."""
    john("user", "admin", "ann")
    assert john("user", "list").out == "ann\njohn\n"
    assert john("user", "delete", "ann") == Told(0, "", "")
    assert john("user", "list").out == "john\n"
    assert john("user", "delete", "ann").err == 'User "ann" not found\n'
    assert john("user", "delete", "john").err == "User john manages project john_project\n"


def test_roles(john: Manage) -> None:
    """The seed's two grants are silent, and both are needed."""
    john("user", "create", "ann")
    has = ("role", "has", "ann", "netadmin", "john_project")
    assert john("role", "add", "ann", "netadmin") == Told(0, "", "")
    assert john(*has) == Told(0, "False\n", "")
    assert john(*has[:4]) == Told(0, "True\n", "")
    assert john("role", "add", "ann", "netadmin", "john_project") == Told(0, "", "")
    assert john(*has) == Told(0, "True\n", "")
    assert john("role", "remove", "ann", "netadmin", "john_project") == Told(0, "", "")
    assert john(*has) == Told(0, "False\n", "")


def test_bad_roles(john: Manage) -> None:
    """A role that is none, or none for a project, is refused in Nova's words."""
    for words, text in (
        (["add", "john", "boss"], "The boss role can not be found\n"),
        (["add", "john", "itsec", "john_project"], "The itsec role is global only\n"),
        (["has", "john", "projectmanager"], "Must specify project\n"),
    ):
        assert john("role", *words) == Told(1, "", text)
    assert john("role", "has", "john", "projectmanager", "john_project").out == "True\n"
