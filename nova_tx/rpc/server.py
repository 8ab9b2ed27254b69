"""
What happens to a request once a transport has fetched it: order, room, dispatch, answer.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from nova_tx import metrics
from nova_tx.errors import (
    InvalidInput,
    NoSuchMethod,
    NovaError,
    RemoteError,
    Unavailable,
    WrongState,
)
from nova_tx.log import background, belongs_to
from nova_tx.remote import in_turn
from nova_tx.rpc import telling
from nova_tx.rpc.envelope import (
    ReplyAddress,
    Request,
    decode_request,
    encode_failure,
    encode_reply,
    reply_address,
)

_log = Logger()

#: Seconds that a message keeps its place while a part that it needs is away, before it goes back
#: to its queue to be tried again.
PAUSE = 1.0


class Delivery(Protocol):
    """A message that a transport fetched from a queue and has not acknowledged yet."""

    body: bytes

    def lost(self) -> bool:
        """It went back to the queue by itself: do not begin it."""

    async def reply(self, queue: str, body: bytes) -> None:
        """Send an answer; done when it is safe, or nobody will ever want it."""

    def done(self) -> None:
        """It has been handled: take it off the queue."""

    def give_back(self) -> None:
        """It was not begun, or did not come to its end: put it back."""


class Dispatcher:
    """Runs C{remote_NAME} of one service; whatever happens, a call gets one answer."""

    def __init__(self, service: object) -> None:
        self._service = service
        self._methods: dict[str, _Method] = {}

    async def handle(self, request: Request) -> bytes | None:
        """
        The answer as bytes; None for a cast.

        @raise Unavailable: what a cast needs is away.
        """
        telling.taken(request)
        began = perf_counter()
        known, outcome = "unknown", "failed"
        try:
            method = self._method(request.method)
            known = request.method
            result = await method(request)
            answer = None
            if request.reply is not None:
                answer = encode_reply(request.reply.msg_id, result)
            outcome = "done"
            return answer
        except NovaError as error:
            outcome = "refused"
            self._declared(request, error)
            if request.reply is None and isinstance(error, Unavailable):
                raise
            return _failure(request.reply, error)
        except Exception:
            # also CancelledError: it comes from inside, nobody cancels a method
            _log.failure("{method} failed", method=request.method)
            return _failure(request.reply, RemoteError("internal error"))
        finally:
            telling.handled(known, outcome, began)

    def in_turn(self, name: str) -> bool:
        """Whether messages for a method wait for earlier ones about the same instance."""
        return in_turn(getattr(self._service, f"remote_{name}", None))

    def _method(self, name: str) -> _Method:
        method = self._methods.get(name)
        if method is None:
            run = None if name.startswith("_") else getattr(self._service, f"remote_{name}", None)
            if not callable(run):
                raise NoSuchMethod(f"there is no method {name}")
            method = self._methods[name] = _Method(name, run)
        return method

    def _declared(self, request: Request, error: NovaError) -> None:
        """A call's error is its caller's business; a cast's has nobody else to tell."""
        level = _log.debug if request.reply is not None else _log.warn
        if isinstance(error, WrongState):
            level = _log.info
        level(
            "{method}: {error_name}: {error}",
            method=request.method,
            error_name=type(error).__name__,
            error=str(error),
        )


def refusal(body: bytes, error: InvalidInput) -> tuple[ReplyAddress, bytes] | None:
    """The answer to a message that is no request, if it says where to."""
    address = reply_address(body)
    _log.warn("a message is refused: {error}", error=str(error))
    return None if address is None else (address, encode_failure(address.msg_id, error))


def _failure(address: ReplyAddress | None, error: NovaError) -> bytes | None:
    return None if address is None else encode_failure(address.msg_id, error)


class _Method:
    """A remote method and the arguments it takes."""

    def __init__(self, name: str, run: Callable[..., Awaitable[object]]) -> None:
        self._name = name
        self._run = run
        _, *parameters = inspect.signature(run).parameters.values()
        self._open = any(each.kind is each.VAR_KEYWORD for each in parameters)
        named = [each for each in parameters if each.kind is not each.VAR_KEYWORD]
        self._known = {each.name for each in named}
        self._needed = {each.name for each in named if each.default is each.empty}

    def __call__(self, request: Request) -> Awaitable[object]:
        """@raise InvalidInput: an argument is missing or not known."""
        given = request.args.keys()
        missing, unknown = self._needed - given, given - self._known
        if missing:
            raise InvalidInput(f"{self._name} needs {', '.join(sorted(missing))}")
        if unknown and not self._open:
            raise InvalidInput(f"{self._name} takes no {', '.join(sorted(unknown))}")
        return self._run(request.context, **request.args)


@dataclass(eq=False)
class _Work:
    """A delivery and its request, waiting for its turn or in hand."""

    delivery: Delivery
    request: Request
    lane: object


class Intake:
    """
    The messages of one consumer: at most C{limit} in hand, one at a time per instance.

    Messages for the same C{instance_id} keep the order in which they arrived, but for
    methods that are L{nova_tx.remote.at_any_time}.
    A cast whose method raised L{Unavailable} goes back to its queue after L{PAUSE}.
    """

    def __init__(self, service: object, limit: int, clock: IReactorTime) -> None:
        self._dispatcher = Dispatcher(service)
        self._clock = clock
        self._pauses: dict[Deferred[None], IDelayedCall] = {}
        self._limit = max(1, limit)
        self._in_hand = 0
        self._waiting: dict[_Work, None] = {}
        self._ready: deque[_Work] = deque()
        self._lanes: dict[object, deque[_Work]] = {}
        self._beginning = False
        self._stopped = False
        self._empty: list[Deferred[None]] = []

    def take(self, delivery: Delivery) -> None:
        """A message has been fetched."""
        if self._stopped:
            delivery.give_back()
            return
        try:
            request = decode_request(delivery.body)
        except InvalidInput as error:
            self._in_hand += 1
            self._start(self._refuse(delivery, error), None)
            return
        lane = request.args.get("instance_id")
        if not isinstance(lane, (int, str)) or not self._dispatcher.in_turn(request.method):
            lane = None
        work = _Work(delivery, request, lane)
        self._waiting[work] = None
        metrics.RPC_WAITING.add(1)
        if lane is None:
            self._ready.append(work)
        elif lane in self._lanes:
            self._lanes[lane].append(work)
        else:
            self._lanes[lane] = deque()
            self._ready.append(work)
        self._begin()

    def hold(self) -> None:
        """Begin nothing more; what waits keeps waiting."""
        self._limit = 0

    def stop(self) -> Deferred[None]:
        """Give back what was not begun; fires when all in hand has ended and is acknowledged."""
        self._stopped = True
        waiting, self._waiting = self._waiting, {}
        self._ready.clear()
        metrics.RPC_WAITING.add(-len(waiting))
        for work in waiting:
            work.delivery.give_back()
        for pause, call in list(self._pauses.items()):
            call.cancel()
            pause.callback(None)
        if self._in_hand == 0:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._empty.append(ended)
        return ended

    def _begin(self) -> None:
        if self._beginning:
            return
        self._beginning = True
        try:
            while self._ready and self._in_hand < self._limit:
                work = self._ready.popleft()
                del self._waiting[work]
                metrics.RPC_WAITING.add(-1)
                if work.delivery.lost():
                    self._next(work.lane)
                    continue
                self._in_hand += 1
                self._start(self._work(work), work)
        finally:
            self._beginning = False

    def _start(self, work: Coroutine[Deferred[Any], Any, None], of: _Work | None) -> None:
        metrics.RPC_IN_HAND.add(1)
        _ = background(work, "a message").addCallback(lambda _: self._ended(of))

    async def _work(self, work: _Work) -> None:
        belongs_to(work.request.context)
        try:
            reply = await self._dispatcher.handle(work.request)
        except Unavailable:
            await self._pause()
            work.delivery.give_back()
            return
        try:
            if reply is not None and work.request.reply is not None:
                await work.delivery.reply(work.request.reply.queue, reply)
        finally:
            work.delivery.done()

    async def _pause(self) -> None:
        """Wait a little, so that what is away is not asked for without end."""
        if self._stopped:
            return
        pause: Deferred[None] = Deferred()
        self._pauses[pause] = self._clock.callLater(PAUSE, pause.callback, None)
        await pause
        del self._pauses[pause]

    async def _refuse(self, delivery: Delivery, error: InvalidInput) -> None:
        answer = refusal(delivery.body, error)
        if answer is not None:
            await delivery.reply(answer[0].queue, answer[1])
        delivery.done()

    def _ended(self, work: _Work | None) -> None:
        self._in_hand -= 1
        metrics.RPC_IN_HAND.add(-1)
        if work is not None:
            self._next(work.lane)
        if self._stopped:
            if self._in_hand == 0:
                empty, self._empty = self._empty, []
                for ended in empty:
                    ended.callback(None)
        else:
            self._begin()

    def _next(self, lane: object) -> None:
        if lane is None:
            return
        following = self._lanes[lane]
        if following and not self._stopped:
            self._ready.append(following.popleft())
        else:
            del self._lanes[lane]
