"""Several things at once."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults

T = TypeVar("T")


async def together(works: Iterable[Coroutine[Deferred[Any], Any, T]]) -> list[T]:
    """
    Do all of them at once; their results in order.

    The first failure is raised as it is; the others' are dropped.
    """
    started = [Deferred.fromCoroutine(work) for work in works]
    try:
        return await gatherResults(started, consumeErrors=True)
    except FirstError as first:
        error = first.subFailure.value
        assert error is not None
        raise error from None
