"""Work that is cancelled says so."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectingCancelledError, DNSLookupError

from nova_tx.cancelling import cancellable


async def test_ended() -> None:
    """What work comes to is heard, before or after it is asked for."""
    work: Deferred[int] = Deferred()
    heard = cancellable(work)
    work.callback(7)
    assert (await heard, await cancellable(succeed(8))) == (7, 8)
    with pytest.raises(DNSLookupError):
        await cancellable(fail(DNSLookupError()))


@pytest.mark.parametrize("error", [None, DNSLookupError(), ConnectingCancelledError(None)])
async def test_cancelled(error: Exception | None) -> None:
    """Who cancels work ends it, and hears CancelledError, whatever the work says."""
    asked: list[Deferred[None]] = []

    def end(work: Deferred[None]) -> None:
        asked.append(work)
        if error is not None:
            work.errback(error)

    work: Deferred[None] = Deferred(end)
    heard = cancellable(work)
    heard.cancel()
    assert asked == [work]
    with pytest.raises(CancelledError):
        await heard
