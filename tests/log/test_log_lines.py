"""Log lines: Nova's formats or JSON, the request's id, no secrets, no forged lines."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from nova_tx.context import RequestContext
from nova_tx.flags import LogFlags
from nova_tx.log import in_context
from nova_tx.log.lines import Lines

ID = "R" * 20


def line(flags: LogFlags | None = None, shared: bool = False, **event: Any) -> str:
    """An event as nova-api on HostA writes it."""
    said = {"log_time": 0.0, "log_namespace": "nova_tx.room", **event}
    return Lines(flags or LogFlags(), "nova-api", "HostA", shared).text(said)


def broken() -> Failure:
    """A failure with a traceback."""
    try:
        raise ValueError("broken")
    except ValueError:
        return Failure()


def test_a_line_has_time_level_name_and_text() -> None:
    """Without a request a line follows logging_default_format_string."""
    text = line(log_format="{count} guests", count=2)
    assert text.endswith(" INFO nova_tx.room [-] 2 guests\n")
    assert text.startswith("1970-01-01 ")


def test_a_line_has_thousandths_of_a_second() -> None:
    """A line's time is that of its event, as Python's logging writes it."""
    assert ":08,250 " in line(log_time=8.25, log_format="text")
    assert ":09,004 " in line(log_time=9.00401, log_format="text")


def test_a_format_of_twisted_alone() -> None:
    """What a format has called is called; one that asks for what is not there loses no line."""
    assert line(log_format="{count()} guests", count=lambda: 2).endswith(" 2 guests\n")
    assert "{nothing} here" in line(log_format="{nothing} here")


def test_a_line_names_its_request() -> None:
    """Inside a request a line carries its id, user and project."""
    with in_context(RequestContext(user="john", project="physics", request_id=ID)):
        assert f"[{ID} john physics] begun" in line(log_format="begun")


def test_each_line_of_a_traceback_is_prefixed() -> None:
    """Every traceback line begins with logging_exception_prefix."""
    trace = line(log_format="oh", log_failure=broken()).splitlines()[1:]
    assert trace and all(each.startswith("(nova_tx.room): TRACE: ") for each in trace)
    assert "ValueError: broken" in trace[-1]


def test_nobody_forges_a_line() -> None:
    """A message with line ends and escapes in it is not taken for lines of others."""
    text = line(log_format="{name}", name="a\n2011-02-03 INFO nova [-] paid\x1b[2J\r!")
    first, second = text.splitlines()
    assert first.endswith(" a")
    assert second == "(nova_tx.room): TRACE: 2011-02-03 INFO nova [-] paid\\x1b[2J\\x0d!"
    assert line(log_format="{name}", name="a\x9b2J\x85b").endswith(" a\\x9b2J\\x85b\n")


def test_secrets_are_left_out_by_their_name() -> None:
    """A field that is named like a secret is not written, whatever the message says."""
    for flags in (LogFlags(), LogFlags(log_json=True)):
        text = line(flags, log_format="key {secret_key} for {user}", secret_key="s3", user="j")
        assert "s3" not in text and "key *** for j" in text


@pytest.mark.parametrize(
    "name",
    [
        *("aws_secret", "password", "Signature", "auth_token", "privateKey", "credentials"),
        *("user_data", "authorization"),
    ],
)
def test_what_is_a_secret(name: str) -> None:
    """Whatever secrets are called, and in whichever letters, their values are not written."""
    assert "hush" not in line(log_format=f"{{{name}}}", **{name: "hush"})


def test_a_format_with_mistakes_still_writes() -> None:
    """A wrong logging format loses no message."""
    text = line(LogFlags(logging_default_format_string="%(nonsense)s"), log_format="kept")
    assert "kept" in text


def test_the_process_in_front() -> None:
    """Where several processes write one log, each line begins with its process."""
    assert line(shared=True, log_format="begun").startswith(f"{os.getpid()} 1970-01-01 ")
    with in_context(RequestContext(user="john", project="physics")):
        assert line(shared=True, log_format="x").startswith(f"{os.getpid()} 1970-01-01 ")


def test_debug_lines_say_where_they_come_from() -> None:
    """logging_debug_format_suffix is at the end of DEBUG lines, and of no others."""
    text = line(log_format="seen", log_level=LogLevel.debug)
    assert text.startswith("1970-01-01 ") and " seen from nova-api (pid=" in text
    code = line.__code__
    assert f"(pid={os.getpid()}) {code.co_name} {code.co_filename}:" in text
    assert line(log_format="seen").endswith(" seen\n")
    short = LogFlags(logging_debug_format_suffix="at %(lineno)d")
    assert " seen at " in line(short, log_format="seen", log_level=LogLevel.debug)


def test_json() -> None:
    """With log_json a line is an object, whatever is in it."""
    flags = LogFlags(log_json=True)
    with in_context(RequestContext(user="john", project="physics", request_id=ID)):
        text = line(flags, log_format="a\nb", log_failure=broken())
    assert text.count("\n") == 1
    told = json.loads(text)
    assert "ValueError: broken" in told.pop("traceback")
    assert told == {
        "time": "1970-01-01T00:00:00.000000Z",
        "level": "INFO",
        "name": "nova_tx.room",
        "request_id": ID,
        "user": "john",
        "project": "physics",
        "host": "HostA",
        "binary": "nova-api",
        "process": os.getpid(),
        "message": "a\nb",
    }
    alone = json.loads(line(flags, log_format="x"))
    assert (alone["request_id"], "traceback" in alone) == (None, False)
