"""Who is heard: default_log_levels, verbose, libraries."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from sqlalchemy import literal, select
from twisted.logger import globalLogPublisher

from nova_tx.db import dialects
from nova_tx.errors import StartupError
from nova_tx.flags import LogFlags, SqlFlags
from nova_tx.log.levels import Levels
from nova_tx.log.libraries import Relay, hear
from nova_tx.testing.lines import logged_lines


def test_verbose_is_for_all_that_are_not_named() -> None:
    """verbose lowers everybody's level but that of loggers in default_log_levels."""
    quiet, loud = Levels(LogFlags()), Levels(LogFlags(verbose=True))
    assert (quiet.least("nova_tx.rpc.amqp"), loud.least("nova_tx.rpc.amqp")) == (20, 10)
    assert (quiet.least("sqlalchemy.pool"), loud.least("sqlalchemy.pool")) == (30, 30)


def test_the_nearest_above_decides() -> None:
    """A logger without a level has that of the nearest above it, dot by dot."""
    flags = LogFlags(default_log_levels=("nova_tx.db=ERROR", "nova_tx.db.engine = debug"))
    levels = Levels(flags)
    names = ("nova_tx.db", "nova_tx.db.users", "nova_tx.db.engine", "nova_tx.dbx")
    assert [levels.least(each) for each in names] == [40, 40, 10, 20]


def test_names_of_2011() -> None:
    """Flag files name what Nova used; what does its work here is meant."""
    given = ("amqplib=ERROR", "eventlet.wsgi.server=WARN", "nova.api=DEBUG", "carrot=AUDIT")
    levels = Levels(LogFlags(default_log_levels=given))
    names = ("txamqp.protocol", "twisted.web.http", "nova_tx.api.ec2", "nova_tx.rpc.outbox")
    assert [levels.least(each) for each in names] == [40, 30, 10, 21]


@pytest.mark.parametrize("pair", ["sqlalchemy", "sqlalchemy=LOUD", "=WARN", "a=b=INFO"])
def test_a_pair_that_is_none(pair: str) -> None:
    """A level that there is not ends the daemon with one sentence."""
    with pytest.raises(StartupError, match="is not logger=LEVEL"):
        Levels(LogFlags(default_log_levels=(pair,)))


@pytest.fixture
def loggers() -> Iterator[None]:
    """Python's loggers, as they were afterwards."""
    names = (None, "some", "some.library", "sqlalchemy", "sqlalchemy.engine")
    before = {name: logging.getLogger(name).level for name in names}
    yield
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if not isinstance(each, Relay)]
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_libraries_are_heard(loggers: None, logged_errors: object) -> None:
    """What a library says to logging is in the log once, from its level on, with its name."""
    levels = Levels(LogFlags(default_log_levels=("some.library=ERROR",)))
    hear(levels)
    hear(levels)
    events: list[dict[str, object]] = []
    globalLogPublisher.addObserver(events.append)
    try:
        logging.getLogger("some.library").warning("hidden")
        logging.getLogger("some.other").debug("hidden")
        logging.getLogger("some.other").warning("%s seen", "one")
    finally:
        globalLogPublisher.removeObserver(events.append)
    [event] = events
    assert (event["log_namespace"], event["text"]) == ("some.other", "one seen")
    assert event["log_caller"]["funcName"] == "test_libraries_are_heard"  # type: ignore[index]


def test_values_of_statements_are_never_told(loggers: None) -> None:
    """Statements can be had, what is in them and comes of them can't: there are secrets in it."""
    hear(Levels(LogFlags(verbose=True, default_log_levels=("sqlalchemy=DEBUG",))))
    engine = dialects.create(SqlFlags(sql_connection="sqlite://"))
    with logged_lines() as lines, engine.connect() as txn:
        assert txn.execute(select(literal("hush-hush"))).scalar() == "hush-hush"
    engine.dispose()
    assert lines.of("SELECT ")
    assert "hush-hush" not in str(lines.told)


def test_rows_are_never_told(loggers: None) -> None:
    """SQLAlchemy says every row at DEBUG: that is not to be had, whoever asks for it."""
    hear(Levels(LogFlags(verbose=True, default_log_levels=("sqlalchemy.engine=DEBUG",))))
    assert not logging.getLogger("sqlalchemy.engine").isEnabledFor(logging.DEBUG)
    assert logging.getLogger("sqlalchemy.engine").isEnabledFor(logging.INFO)
