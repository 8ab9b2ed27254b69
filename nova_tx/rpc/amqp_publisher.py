"""
Publishing that knows what became of each message: safe in a queue, unroutable, or unknown.

A cast is confirmed by the broker.  A call needs no confirm: its answer is one,
and who has none when the connection is lost asks again.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from txamqp.client import Closed

from nova_tx.errors import Unavailable, Unroutable
from nova_tx.rpc.amqp_channel import Channel
from nova_tx.rpc.amqp_client import Client


class Publisher:
    """
    One channel in confirm mode; every message is mandatory.

    @ivar questions: for calls, on the same connection.
    """

    def __init__(self, channel: Channel, questions: Questions) -> None:
        self.client: Client = channel.client
        self.questions = questions
        self._channel = channel
        self._last = 0
        self._pending: dict[int, Deferred[None]] = {}

    @property
    def over(self) -> bool:
        """Nothing can be published here any more."""
        return self._channel.closed or self.questions.channel.closed

    async def start(self) -> None:
        """Ask the broker for confirms."""
        await self._channel.confirm_select()
        self._channel.publisher = self

    def publish(
        self, exchange: str, routing_key: str, body: bytes, properties: dict[str, Any]
    ) -> Deferred[None]:
        """
        Send a message; fires when the broker has it safely.

        A cancelled wait does not take the message back.

        @raise Unroutable: no queue is bound for the key.
        @raise Unavailable: the broker could not keep it.
        @raise Closed: the connection was lost first; it may have arrived.
        @raise ValueError: a name is too long.
        """
        if self.over:
            return fail(Closed(self._channel.reason))
        tag = self._last + 1
        self._channel.publish(exchange, routing_key, body, {**properties, "message-id": str(tag)})
        self._last = tag
        confirmed: Deferred[None] = Deferred()
        self._pending[tag] = confirmed
        return confirmed

    def settled(self, tag: int, multiple: bool, kept: bool) -> None:
        """The broker's word on a message, or on all up to it (they are in order)."""
        tags = [tag]
        if multiple:
            tags = [each for each in self._pending if each <= tag]
        for each in tags:
            confirmed = self._pending.pop(each, None)
            # a message that was returned is settled a second time
            if confirmed is None:
                continue
            if kept:
                confirmed.callback(None)
            else:
                confirmed.errback(Unavailable("the broker could not keep the message"))

    def returned(self, properties: dict[str, Any], routing_key: str) -> None:
        """Sent back: nobody has a queue for it."""
        confirmed = self._pending.pop(int(properties["message-id"]), None)
        if confirmed is not None:
            confirmed.errback(_unroutable(routing_key))

    def closed(self, reason: object) -> None:
        """What was not confirmed has an unknown fate."""
        pending, self._pending = self._pending, {}
        for confirmed in pending.values():
            if not confirmed.called:
                confirmed.errback(Closed(reason))


class Questions:
    """One channel without confirms, for calls: what waits here is what has no answer yet."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._pending: dict[str, Deferred[None]] = {}
        channel.publisher = self

    def ask(
        self, exchange: str, routing_key: str, body: bytes, properties: dict[str, Any], msg_id: str
    ) -> Deferred[None]:
        """
        Send a message that will be answered; fires when it is cancelled, for the answer is there.

        @raise Unroutable: no queue is bound for the key.
        @raise Closed: the connection was lost; it may have arrived.
        @raise ValueError: a name is too long.
        """
        if self.channel.closed:
            return fail(Closed(self.channel.reason))
        self.channel.publish(exchange, routing_key, body, {**properties, "message-id": msg_id})
        asked = self._pending[msg_id] = Deferred(lambda _: self._answered(msg_id))
        return asked

    def _answered(self, msg_id: str) -> None:
        asked = self._pending.pop(msg_id, None)
        if asked is not None:
            asked.callback(None)

    def returned(self, properties: dict[str, Any], routing_key: str) -> None:
        """Sent back: nobody has a queue for it."""
        asked = self._pending.pop(properties["message-id"], None)
        if asked is not None:
            asked.errback(_unroutable(routing_key))

    def settled(self, tag: int, multiple: bool, kept: bool) -> None:
        """Never: nothing is confirmed here."""

    def closed(self, reason: object) -> None:
        """What was not answered is to be asked again."""
        pending, self._pending = self._pending, {}
        for asked in pending.values():
            # one may have cancelled another
            if not asked.called:
                asked.errback(Closed(reason))


def _unroutable(routing_key: str) -> Unroutable:
    return Unroutable(f"nobody takes messages for {routing_key}")
