"""At most so many at once."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from twisted.logger import LogEvent, globalLogPublisher

from nova_tx.errors import TooManyRequests
from nova_tx.gate import Gate


def test_who_comes_when_it_is_full_is_told_so() -> None:
    """Beyond its room nobody is let in; whoever leaves makes room, by a failure too."""
    gate = Gate("requests", 2)
    with gate.entered(), pytest.raises(KeyError), gate.entered():
        with pytest.raises(TooManyRequests, match=r"^Too many requests; please try again later\.$"):
            gate.entered().__enter__()
        raise KeyError
    assert gate.inside == 0
    with gate.entered(), gate.entered():
        assert gate.inside == 2


def test_one_takes_no_more_than_its_share() -> None:
    """One who asks without end leaves room for others."""
    gate = Gate("requests", 3, 1)
    with gate.entered("joe"):
        with pytest.raises(TooManyRequests):
            gate.entered("joe").__enter__()
        with gate.entered("eve"):
            assert gate.inside == 2
    with gate.entered("joe"):
        assert gate.inside == 1


def test_a_flood_is_two_lines_of_the_log() -> None:
    """However many are refused, it is said when that begins and when it is over."""
    events: list[LogEvent] = []
    observer: Any = events.append
    globalLogPublisher.addObserver(observer)
    try:
        gate = Gate("requests", 2)
        with ExitStack() as inside:
            for _ in range(2):
                inside.enter_context(gate.entered())
            for _ in range(1000):
                with pytest.raises(TooManyRequests):
                    gate.entered().__enter__()
    finally:
        globalLogPublisher.removeObserver(observer)
    said = [event["log_format"].format(**event) for event in events]
    assert said == ["too many requests: the next are refused", "1000 requests were refused"]
