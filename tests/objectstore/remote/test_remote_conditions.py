"""Conditions hold though another S3 knows none."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.faults import PreconditionFailed
from nova_tx.testing.exchange import exchange
from nova_tx.testing.memory_s3 import MemoryS3, store_in


class _Slow(MemoryS3):
    """Answers in a later turn of the loop."""

    def request(self, *asked: Any, **more: Any) -> Deferred[Any]:
        from twisted.internet import reactor

        now = super().request
        return deferLater(reactor, 0.0, now, *asked, **more)  # type: ignore[arg-type]


def _new(there: Facts | None) -> None:
    if there is not None:
        raise PreconditionFailed("it is there")


async def test_one_of_two() -> None:
    """Of two who make an object at once, if there is none, one does, and the other is told."""
    from twisted.internet import reactor

    async with store_in(_Slow()) as store, exchange(reactor) as client:
        await store.create(Bucket("bucket", "joe", 1.0))
        await client.put(store, "bucket", "from", b"content")
        with closing(await store.look("bucket", "from")) as found:
            both = [
                Deferred.fromCoroutine(
                    store.copy(found, "bucket", "key", lambda now: now, condition=_new)
                )
                for _ in range(2)
            ]
            ended = await DeferredList(both, consumeErrors=True)
        assert sorted(done for done, _ in ended) == [False, True]
        [refused] = [result for done, result in ended if not done]
        assert refused.check(PreconditionFailed)
