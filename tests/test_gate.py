"""At most so many at once, or in a second."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher

from nova_tx.errors import TooManyRequests
from nova_tx.gate import Gate, Pace


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


def paces(pace: Pace, who: str, most: int = 100) -> int:
    """How many steps one can make now."""
    for made in range(most):
        try:
            pace.step(who)
        except TooManyRequests as error:
            assert str(error) == "Too many requests per second; please try again later."
            return made
    return most


def test_a_rate_with_bursts() -> None:
    """So many at once, then so many a second; after a rest, as many at once as at first."""
    clock = Clock()
    pace = Pace("requests", 2, 5, clock)
    assert paces(pace, "joe") == 5
    clock.advance(0.4)
    assert paces(pace, "joe") == 0
    clock.advance(0.1)
    assert paces(pace, "joe") == 1
    clock.advance(1.0)
    assert paces(pace, "joe") == 2
    assert paces(pace, "eve") == 5
    clock.advance(3600)
    assert paces(pace, "joe") == 5
    clock.rightNow -= 1800
    clock.advance(1.0)
    assert paces(pace, "joe") == 0


def test_no_rate() -> None:
    """A rate of 0 is none, and remembers nobody."""
    pace = Pace("requests", 0, 1, Clock())
    assert paces(pace, "joe") == 100
    assert not pace._buckets


def test_those_who_rest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Projects that asked once do not take memory for ever; who is pressed is not forgotten."""
    monkeypatch.setattr("nova_tx.gate._MOST_BUCKETS", 10)
    clock = Clock()
    pace = Pace("requests", 1, 2, clock)
    for number in range(10):
        pace.step(number)
    clock.advance(1)
    assert paces(pace, "joe") == 2
    assert len(pace._buckets) == 1
    assert paces(pace, "joe") == 0
