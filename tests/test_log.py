"""Log lines: Nova's formats, the request's id, no secrets."""

from __future__ import annotations

import io
import os

from twisted.logger import Logger
from twisted.python.failure import Failure

from nova_tx.context import RequestContext
from nova_tx.flags import LogFlags
from nova_tx.log import in_context, line, observer, with_process


def _event(**fields: object) -> dict[str, object]:
    return {"log_time": 0.0, "log_namespace": "nova_tx.room", **fields}


def test_a_line_has_time_level_name_and_text() -> None:
    """Without a request a line follows logging_default_format_string."""
    text = line(LogFlags(), _event(log_format="{count} guests", count=2))
    assert text.endswith(" INFO nova_tx.room [-] 2 guests\n")
    assert text.startswith("1970-01-01 ")


def test_a_line_names_its_request() -> None:
    """Inside a request a line carries its id, user and project."""
    context = RequestContext(user="john", project="physics", request_id="R" * 20)
    with in_context(context):
        text = line(LogFlags(), _event(log_format="begun"))
    assert f"[{'R' * 20} john physics] begun" in text


def test_each_line_of_a_traceback_is_prefixed() -> None:
    """Every traceback line begins with logging_exception_prefix."""
    try:
        raise ValueError("broken")
    except ValueError:
        text = line(LogFlags(), _event(log_format="oh", log_failure=Failure()))
    trace = text.splitlines()[1:]
    assert trace and all(each.startswith("(nova_tx.room): TRACE: ") for each in trace)
    assert "ValueError: broken" in trace[-1]


def test_secrets_are_left_out_by_their_name() -> None:
    """A field that is named like a secret is not written, whatever the message says."""
    text = line(
        LogFlags(), _event(log_format="key {secret_key} for {user}", secret_key="s3", user="j")
    )
    assert "s3" not in text and "key *** for j" in text


def test_debug_lines_need_verbose() -> None:
    """Debug messages are written only with --verbose."""
    quiet, loud = io.StringIO(), io.StringIO()
    for flags, out in ((LogFlags(), quiet), (LogFlags(verbose=True), loud)):
        Logger(observer=observer(flags, out)).debug("hidden")  # type: ignore[arg-type]
    assert quiet.getvalue() == "" and "hidden" in loud.getvalue()


def test_a_format_with_mistakes_still_writes() -> None:
    """A wrong logging format loses no message."""
    text = line(LogFlags(logging_default_format_string="%(nonsense)s"), _event(log_format="kept"))
    assert "kept" in text


def test_the_process_in_front() -> None:
    """Where several processes write one log, each line begins with its process."""
    flags = with_process(LogFlags())
    text = line(flags, _event(log_format="begun"))
    assert text.startswith(f"{os.getpid()} 1970-01-01 ")
    with in_context(RequestContext(user="john", project="physics")):
        assert line(flags, _event(log_format="begun")).startswith(f"{os.getpid()} 1970-01-01 ")
