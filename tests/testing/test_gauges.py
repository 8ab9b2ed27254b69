"""Trends are what they are said to be, and a process can be looked at."""

from __future__ import annotations

import os

from nova_tx.testing.gauges import Gauges, Sample, look, trend


def life(count: int, growth: float, files: int = 10) -> list[Sample]:
    """A look each second at a process that grows by some bytes per second."""
    return [Sample(float(n), int(1_000_000 + n * growth), files + n // 50) for n in range(count)]


def test_a_flat_life_is_flat() -> None:
    """A process that does not grow has no growth and no slope."""
    found = trend(life(100, 0.0))
    assert found is not None
    assert (found.growth, found.slope, found.seconds) == (0.0, 0.0, 99.0)


def test_growth_is_seen_where_it_is() -> None:
    """The slope is in bytes per second, growth is from the first window to the last."""
    found = trend(life(100, 500.0))
    assert found is not None
    assert abs(found.slope - 500.0) < 1.0
    assert found.growth == 500.0 * 60  # the middles of two windows of 20 in the last 80
    assert found.more_files == 1


def test_what_happens_while_it_gets_warm_does_not_count() -> None:
    """A jump in the first fifth of a life is no leak."""
    cold = [Sample(float(n), 500_000, 3) for n in range(20)]
    found = trend([*cold, *life(100, 0.0)[20:]])
    assert found is not None
    assert found.growth == 0.0 and found.slope == 0.0


def test_a_short_life_says_nothing() -> None:
    """A few looks are no trend."""
    assert trend(life(9, 1000.0)) is None


def test_a_look_at_a_process() -> None:
    """Memory and files are those of the process; there are none of one that has ended."""
    before = look(os.getpid())
    with open(os.devnull):
        during = look(os.getpid())
    assert before is not None and during is not None
    assert during.files == before.files + 1
    assert before.memory > 1_000_000
    assert look(2**22 + 1) is None


def test_the_longest_life_counts() -> None:
    """Of a daemon that was killed, the life that tells most is taken."""
    gauges = Gauges((), lambda _name: None)
    gauges.lives = {("a", 1): life(50, 9.0), ("a", 2): life(100, 0.0), ("b", 3): life(3, 0.0)}
    found = gauges.longest()
    assert set(found) == {"a"} and found["a"].slope == 0.0
