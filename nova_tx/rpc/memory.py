"""
The bus of one process: the same promises and the same bytes as over a broker, nothing outside.

For C{nova-all} and for tests.  A queue is there once somebody has served it,
and keeps its messages while nobody does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from nova_tx.context import RequestContext
from nova_tx.errors import Unroutable
from nova_tx.flags import BusFlags
from nova_tx.rpc import telling
from nova_tx.rpc.calls import Calls
from nova_tx.rpc.envelope import ReplyAddress, Request, encode_request
from nova_tx.rpc.interfaces import IRPC, IServing
from nova_tx.rpc.server import Intake

_REPLIES = "replies"


@dataclass
class _Message:
    """@ivar expires: the time after which its sender has gone; None for a cast."""

    body: bytes
    expires: float | None = None


@dataclass
class _Queue:
    messages: deque[_Message] = field(default_factory=deque)
    consumers: deque[_Serving] = field(default_factory=deque)


@implementer(IRPC)
class MemoryRPC:
    """
    Delivers as soon as it can, before C{cast} returns; but never from inside a
    method that runs: what that sends waits until it pauses or ends.
    """

    def __init__(self, flags: BusFlags, clock: IReactorTime) -> None:
        self._flags = flags
        self._clock = clock
        self._calls = Calls(clock)
        self._queues: dict[str, _Queue] = {}
        self._servings: list[_Serving] = []
        self._delivering = False
        self._in_hand = 0
        self._idle: list[Deferred[None]] = []

    async def open(self) -> None:
        """There is nothing to reach."""

    async def close(self) -> None:
        """Stop whatever still takes messages."""
        for serving in list(self._servings):
            await serving.stop()

    def trouble(self) -> str | None:
        return None

    def cast(
        self, context: RequestContext, topic: str, method: str, args: Mapping[str, object]
    ) -> Deferred[None]:
        try:
            request = Request(method, args, context)
            body = encode_request(request)
        except TypeError:
            return fail()
        telling.sent(request, topic)
        return self._put(topic, _Message(body))

    async def call(
        self,
        context: RequestContext,
        topic: str,
        method: str,
        args: Mapping[str, object],
        timeout: float | None = None,
    ) -> object:
        if timeout is None:
            timeout = self._flags.rpc_response_timeout
        msg_id = self._calls.new_id()
        request = Request(method, args, context, ReplyAddress(_REPLIES, msg_id))
        body = encode_request(request)
        telling.sent(request, topic)
        began = perf_counter()
        message = _Message(body, self._clock.seconds() + timeout)
        sending: Deferred[None] = Deferred()
        answer = Deferred.fromCoroutine(
            self._calls.wait(
                msg_id, sending, lambda: sending.called, timeout, f"{method} to {topic}"
            )
        )
        _ = self._put(topic, message).chainDeferred(sending)
        try:
            return await answer
        finally:
            telling.answered(request, began)

    async def serve(self, topic: str, host: str, service: object) -> IServing:
        limit = self._flags.rpc_thread_pool_size
        intake = Intake(service, limit, self._clock)
        serving = _Serving(self, (topic, f"{topic}.{host}"), intake, limit)
        self._servings.append(serving)
        for name in serving.names:
            self._queues.setdefault(name, _Queue()).consumers.append(serving)
        self._deliver()
        return serving

    def idle(self) -> Deferred[None]:
        """Fires when no message is queued or in hand."""
        waiting: Deferred[None] = Deferred()
        self._idle.append(waiting)
        self._deliver()
        return waiting

    def _put(self, name: str, message: _Message) -> Deferred[None]:
        queue = self._queues.get(name)
        if queue is None:
            return fail(Unroutable(f"nobody takes messages for {name}"))
        queue.messages.append(message)
        self._deliver()
        return succeed(None)

    def _deliver(self) -> None:
        if self._delivering:
            return
        self._delivering = True
        try:
            while any([self._deliver_one(queue) for queue in list(self._queues.values())]):
                pass
        finally:
            self._delivering = False
        if self._in_hand == 0 and not any(queue.messages for queue in self._queues.values()):
            idle, self._idle = self._idle, []
            for waiting in idle:
                waiting.callback(None)

    def _deliver_one(self, queue: _Queue) -> bool:
        """Give the first message to the next consumer with room."""
        while queue.messages:
            expires = queue.messages[0].expires
            if expires is None or expires > self._clock.seconds():
                break
            queue.messages.popleft()
        if not queue.messages:
            return False
        for _ in range(len(queue.consumers)):
            consumer = queue.consumers[0]
            queue.consumers.rotate(-1)
            if consumer.has_room():
                self._in_hand += 1
                consumer.take(_Delivery(self, queue, queue.messages.popleft(), consumer))
                return True
        return False

    def _settled(self, count: int = 1) -> None:
        self._in_hand -= count
        self._deliver()

    def _leave(self, serving: _Serving) -> None:
        self._servings.remove(serving)
        for name in serving.names:
            self._queues[name].consumers.remove(serving)


class _Delivery:
    """A message out of its queue, in the hands of one consumer."""

    def __init__(
        self, bus: MemoryRPC, queue: _Queue, message: _Message, consumer: _Serving
    ) -> None:
        self.body = message.body
        self.message = message
        self.queue = queue
        self._bus = bus
        self._consumer = consumer

    def lost(self) -> bool:
        return False

    async def reply(self, queue: str, body: bytes) -> None:
        self._bus._calls.answered(body)

    def done(self) -> None:
        self._consumer.fetched -= 1
        self._bus._settled()

    def give_back(self) -> None:
        self._consumer.fetched -= 1
        if self._consumer.returned is not None:
            self._consumer.returned.append(self)
        else:
            self.queue.messages.appendleft(self.message)
            self._bus._settled()


@implementer(IServing)
class _Serving:
    """
    @ivar fetched: how many messages are in hand or wait for their turn here.
    @ivar returned: what is given back while it is being stopped, in order.
    """

    def __init__(
        self, bus: MemoryRPC, names: tuple[str, ...], intake: Intake, prefetch: int
    ) -> None:
        self.names = names
        self.fetched = 0
        self.returned: list[_Delivery] | None = None
        self._bus = bus
        self._intake = intake
        self._prefetch = max(1, prefetch)
        self._stopped = False

    def has_room(self) -> bool:
        return self.fetched < self._prefetch

    def take(self, delivery: _Delivery) -> None:
        self.fetched += 1
        self._intake.take(delivery)

    def stop(self) -> Deferred[None]:
        returned: list[_Delivery] = []
        self.returned = returned
        ended = self._intake.stop()
        self.returned = None
        if not self._stopped:
            self._stopped = True
            self._bus._leave(self)
            for delivery in reversed(returned):
                delivery.queue.messages.appendleft(delivery.message)
            self._bus._settled(len(returned))
        return ended
