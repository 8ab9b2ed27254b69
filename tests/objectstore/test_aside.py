"""Work given to another thread."""

from __future__ import annotations

from threading import Event, get_ident

import pytest

from nova_tx.objectstore.aside import BEHIND, Aside


def test_order() -> None:
    """What is given is done in order, and only the last few pieces are still to be done."""
    aside = Aside()
    done: list[int] = []
    for number in range(200):
        aside.do(lambda number=number: done.append(number))  # type: ignore[misc]
        assert len(done) > number - BEHIND
    aside.join()
    assert done == list(range(200))


def test_beside() -> None:
    """It is done by another thread while its giver goes on; by the giver itself if none is free."""
    first, second = Aside(), Aside()
    gate, threads = Event(), list[int]()

    def wait() -> None:
        gate.wait(60)
        threads.append(get_ident())

    for _ in range(BEHIND):
        first.do(wait)
    second.do(lambda: threads.append(get_ident()))
    assert threads == [get_ident()]
    gate.set()
    first.join()
    assert len(threads) == BEHIND + 1 and get_ident() not in threads[1:]


def test_failure() -> None:
    """What goes wrong is raised to who gave it, once, and the thread is free again."""

    def fail() -> None:
        raise ValueError("wrong")

    aside = Aside()
    aside.do(fail)
    with pytest.raises(ValueError, match="wrong"):
        aside.join()
    threads: list[int] = []
    aside.do(lambda: threads.append(get_ident()))
    aside.join()
    assert threads != [get_ident()]
