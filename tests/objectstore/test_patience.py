"""How long clients are waited for."""

from __future__ import annotations

from nova_tx.objectstore.patience import LEAST, Pace


def test_standing() -> None:
    """The time for which nothing moves is counted from the last time that something did."""
    pace = Pace(100.0)
    assert pace.stands(110.0, True, 0) == 10
    assert pace.stands(120.0, True, LEAST) == 0
    assert pace.stands(130.0, True, LEAST) == 10


def test_dribbling() -> None:
    """A byte now and then is standing still."""
    pace = Pace(0.0)
    assert [pace.stands(float(now), True, now) for now in (10, 20, 30)] == [10, 20, 30]


def test_slow() -> None:
    """A client that is slow but goes on is never late."""
    pace = Pace(0.0)
    for turn in range(1, 100):
        assert pace.stands(turn * 50.0, True, turn * LEAST) == 0


def test_our_turn() -> None:
    """While a client waits for us, it is not late."""
    pace = Pace(0.0)
    assert pace.stands(1000.0, False, 0) == 0
    assert pace.stands(1010.0, True, 0) == 10
