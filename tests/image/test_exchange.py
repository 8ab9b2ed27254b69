"""Requests to an image service: what keeps it from answering is one error."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

from nova_tx.errors import Unavailable
from nova_tx.image.exchange import Exchange


@implementer(IHostnameResolver)
class NoNames:
    """Knows no name, or is about to look for it."""

    def __init__(self, found: bool = True) -> None:
        self._found = found

    def resolveHostName(self, receiver: Any, *_: Any, **__: Any) -> Any:
        receiver.resolutionBegan(None)
        if self._found:
            receiver.resolutionComplete()


async def test_unknown_host() -> None:
    """A host that has no address does not answer, as one that is off."""
    reactor = MemoryReactorClock()
    reactor.installNameResolver(NoNames())
    with pytest.raises(Unavailable, match="Glance does not answer"):
        await Exchange(reactor, "Glance").ask("GET", "http://glance.invalid:9292/v2/images", {})


async def test_given_up() -> None:
    """Who asks no more hears that, and not that the service is away: nothing is wrong with it."""
    reactor = MemoryReactorClock()
    reactor.installNameResolver(NoNames(found=False))
    asked = Deferred.fromCoroutine(
        Exchange(reactor, "Glance").ask("GET", "http://glance.invalid:9292/v2/images", {})
    )
    asked.cancel()
    assert asked.called
    with pytest.raises(CancelledError):
        await asked
