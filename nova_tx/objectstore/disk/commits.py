"""
Small objects on their way to the disk, together: those that come while others are being made
safe wait for each other, and no longer.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from nova_tx.objectstore.disk.store import New, Store
from nova_tx.objectstore.threads import IPool

#: Batches that are written at once, and objects of each.
_BATCHES, _MOST = 2, 32


class Commits:
    """Stores small objects."""

    def __init__(self, store: Store, pool: IPool) -> None:
        self._store = store
        self._pool = pool
        self._waiting: list[tuple[New, Deferred[None]]] = []
        self._running = 0

    def put(self, new: New) -> Deferred[None]:
        """
        Fires when an object is safe.

        @raise BucketNotFound: the bucket was removed meanwhile.
        @raise PreconditionFailed: by its condition.
        """
        done: Deferred[None] = Deferred()
        self._waiting.append((new, done))
        self._begin()
        return done

    def _begin(self) -> None:
        while self._waiting and self._running < _BATCHES:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            self._running += 1
            writing = self._pool.run(self._store.put, [new for new, _ in batch])
            _ = writing.addBoth(self._written, [done for _, done in batch])

    def _written(
        self, results: list[Exception | None] | Failure, batch: list[Deferred[None]]
    ) -> None:
        self._running -= 1
        self._begin()
        for number, done in enumerate(batch):
            result = results if isinstance(results, Failure) else results[number]
            done.callback(Failure(result) if isinstance(result, Exception) else result)
