"""The database as nova-manage finds it: its tables and their version."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_tx.testing.manage import Manage, Told


def test_db(bare: Manage) -> None:
    """db sync makes the tables, again is nothing, and db version tells the number."""
    assert bare("db", "version").out == "0\n"
    assert bare("db", "sync") == bare("db", "sync") == Told(0, "", "")
    told = bare("db", "version")
    assert told.code == 0 and int(told.out) > 0
    assert bare("db", "sync", told.out.strip()).code == 0


def test_db_wrong_version(manage: Manage) -> None:
    """A version that is none is one sentence."""
    assert manage("db", "sync", "9999").err.startswith("there is no version 9999")
    told = manage("db", "sync", "1")
    assert told.code == 1 and told.err.endswith("there is no way back to 1 but a backup of it\n")
    assert manage("db", "sync", "latest").err == "VERSION must be an integer, not 'latest'\n"


def test_no_tables(bare: Manage) -> None:
    """Without tables the operator is told what to do."""
    told = bare("user", "create", "john")
    assert (told.code, told.out) == (1, "")
    assert told.err.splitlines()[1:] == [
        "The above error may show that the database has not been created.",
        "Please create a database using 'nova-manage db sync' before running this command.",
    ]


@pytest.mark.parametrize(
    ("words", "out", "err"),
    [
        ("user list", "", "There are no tables in the database"),
        ("db rotate_key", "", "There are no tables in the database"),
        ("db backup copy", "", "there is no database"),
        ("db version", "0\n", ""),
    ],
)
def test_who_looks_makes_no_database(
    bare: Manage, tmp_path: Path, words: str, out: str, err: str
) -> None:
    """Only db sync makes an SQLite that is not there; there is no copy of what is not there."""
    before = list(tmp_path.iterdir())
    told = bare(*words.split())
    assert (told.code, told.out) == (int(err != ""), out) and told.err.startswith(err)
    assert list(tmp_path.iterdir()) == before


def test_no_database(bare: Manage) -> None:
    """A database that can't be reached is one sentence, at once, without the password."""
    url = "postgresql://nova:very-secret@127.0.0.1:1/nova"
    for words in (["user", "list"], ["db", "sync"]):
        told = bare(f"--sql_connection={url}", *words)
        assert (told.code, told.out) == (1, "")
        assert told.err.startswith("can't reach the database postgresql")
        assert "very-secret" not in told.err
        assert len(told.err.splitlines()) == 1
