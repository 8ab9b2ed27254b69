"""Casts that wait for the broker: bounded in number and time, and sent all the same."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from nova_tx.errors import Unavailable, Unroutable
from nova_tx.rpc.outbox import Outbox


class Post:
    """An outbox with room for three, five seconds of patience, and a broker that confirms later."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.outbox = Outbox(self.clock, 5.0, 3)
        self.begun: list[Deferred[None]] = []

    def begin(self) -> Deferred[None]:
        self.begun.append(Deferred())
        return self.begun[-1]

    def send(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.outbox.send(self.begin, "note to compute"))


async def test_confirmed() -> None:
    """A sender goes on when the broker has the message, and leaves nothing behind."""
    post = Post()
    sent = post.send()
    assert not sent.called
    post.begun[0].callback(None)
    await sent
    assert post.clock.getDelayedCalls() == []


async def test_refused() -> None:
    """What the broker says of a message is its sender's to know."""
    post = Post()
    sent = post.send()
    post.begun[0].errback(Unroutable("nobody takes messages for compute"))
    with pytest.raises(Unroutable):
        await sent


async def test_sent_though_nobody_waits() -> None:
    """Whose patience ends goes on; the message is not taken back, its late fate harms nobody."""
    post = Post()
    first, second, third = post.send(), post.send(), post.send()
    third.cancel()
    with pytest.raises(CancelledError):
        await third
    post.clock.advance(5)
    for sent in (first, second):
        with pytest.raises(Unavailable, match="could not be sent in 5 s; it is sent later"):
            await sent
    assert not any(each.called for each in post.begun)
    post.begun[0].callback(None)
    post.begun[1].errback(Unroutable("nobody"))
    post.begun[2].callback(None)
    sent = post.send()
    post.begun[3].callback(None)
    await sent


async def test_only_the_first_wait() -> None:
    """While the broker is known to be away nobody waits for it; when it confirms all do again."""
    post = Post()
    first = post.send()
    post.clock.advance(5)
    with pytest.raises(Unavailable):
        await first
    second = post.send()
    post.clock.advance(0)
    with pytest.raises(Unavailable):
        await second
    for each in post.begun:
        each.callback(None)
    third = post.send()
    post.clock.advance(4.9)
    assert not third.called
    post.begun[2].callback(None)
    await third


async def test_bounded() -> None:
    """Beyond its room a message is refused at once and never sent; a confirm makes room."""
    post = Post()
    waiting = [post.send() for _ in range(3)]
    with pytest.raises(Unavailable, match="too many messages wait for the broker"):
        await post.send()
    assert len(post.begun) == 3
    post.begun[0].callback(None)
    await waiting[0]
    last = post.send()
    for each in post.begun[1:]:
        each.callback(None)
    for sent in (*waiting[1:], last):
        await sent


async def test_closed() -> None:
    """At the end what waits is given up, and no timer is left."""
    post = Post()
    sent = post.send()
    post.outbox.close()
    with pytest.raises(CancelledError):
        await sent
    assert post.clock.getDelayedCalls() == []
