"""The manual's flags of the database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from nova_tx.db.engine import Database
from nova_tx.errors import StartupError
from nova_tx.flags import Flags, SqlFlags
from nova_tx.taps.parts import Parts


def opening(*words: str) -> tuple[Clock, list[Any], list[int]]:
    """A database that is not there: the clock, what came of it, and how often it was tried."""
    clock, ended, tries = Clock(), [], []  # type: ignore[var-annotated]
    flags = Flags.load(["--sql_connection=sqlite:////proc/none/nova.sqlite", *words], (SqlFlags,))
    database = Database(flags.section(SqlFlags), clock, inline=True)
    really = database.engine.connect

    def connect() -> Any:
        tries.append(1)
        return really()

    database.engine.connect = connect  # type: ignore[method-assign]
    _ = Deferred.fromCoroutine(database.open()).addBoth(ended.append)
    return clock, ended, tries


def test_j84_sql_max_retries() -> None:
    """A daemon gives up after that many attempts."""
    clock, ended, tries = opening("--sql_max_retries=3", "--sql_retry_interval=1")
    while not ended:
        clock.advance(1)
    ended[0].trap(StartupError)
    assert len(tries) == 3


def test_j85_sql_retry_interval() -> None:
    """The next attempt is that many seconds later."""
    clock, _, tries = opening("--sql_retry_interval=7")
    clock.advance(6.5)
    assert len(tries) == 1
    clock.advance(0.5)
    assert len(tries) == 2


def test_j82_sql_connection(manage: Callable[..., str], tmp_path: Path) -> None:
    """Tables are in the database of that URL, and in no other."""
    manage((f"--sql_connection=sqlite:///{tmp_path}/other.db",), "db", "sync")
    assert (tmp_path / "other.db").exists()
    assert not (tmp_path / "nova.sqlite").exists()


def test_j83_sql_idle_timeout(parts: Callable[..., Parts]) -> None:
    """Connections are replaced after that many seconds."""
    pool: Any = parts("--sql_connection=sqlite://", "--sql_idle_timeout=77").database.engine.pool
    assert pool._recycle == 77


def refused(parts: Callable[..., Parts], flag: str, name: str) -> str:
    """What is said to a name that is not there."""
    with pytest.raises(StartupError) as caught:
        _ = parts(f"--{flag}={name}").database
    return str(caught.value)


def test_j14_db_backend(parts: Callable[..., Parts]) -> None:
    """The database is reached by what it says, which is there, or by nothing."""
    assert isinstance(parts("--db_backend=sqlalchemy").database, Database)
    said = "unknown --db_backend 'mongodb'; there are: sqlalchemy"
    assert refused(parts, "db_backend", "mongodb") == said


def test_j15_db_driver(parts: Callable[..., Parts]) -> None:
    """The database is asked by what it says, which is there, or by nothing."""
    assert isinstance(parts("--db_driver=nova.db.api").database, Database)
    said = "unknown --db_driver 'nova.db.nosql'; there are: nova.db.api"
    assert refused(parts, "db_driver", "nova.db.nosql") == said
