"""
What every bus promises, as tests: an L{IRPC} that passes them can carry a cloud.

Use: a test module with a fixture C{bus} and C{class TestIt(RPCConformance): pass};
a fixture C{logged_errors} holds the errors that were logged, and its
C{flush(type)} takes out those that a test expects.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from zope.interface import implementer

from nova_tx.context import RequestContext
from nova_tx.errors import (
    InstanceNotFound,
    InvalidInput,
    NoSuchMethod,
    NovaError,
    QuotaExceeded,
    RemoteError,
    RemoteTimeout,
    Unroutable,
    WrongState,
)
from nova_tx.log import request as current_request
from nova_tx.remote import at_any_time
from nova_tx.rpc.interfaces import IRPC

T = TypeVar("T")

JOHN = RequestContext(user="john", project="physics", remote_address="192.0.2.7")

#: Nothing here takes longer than this many seconds, however slow the machine.
DEADLINE = 120.0


@dataclass
class Bus:
    """
    What the tests run on: two processes on one bus (may be one object twice).

    @ivar limit: its C{rpc_thread_pool_size}; small, at least 2.
    """

    here: IRPC
    there: IRPC
    limit: int


def soon(work: Awaitable[T]) -> Deferred[T]:
    """Start it; it fails if it is not done by the deadline."""

    async def run() -> T:
        return await work

    return Deferred.fromCoroutine(run()).addTimeout(DEADLINE, reactor)


class Service:
    """
    Offers methods that answer, fail, and wait for a gate.

    @ivar events: what happened, in order.
    """

    def __init__(self, name: str = "service") -> None:
        self.name = name
        self.events: list[Any] = []
        self.contexts: list[RequestContext] = []
        self._gates: dict[object, Deferred[None]] = {}
        self._awaited: list[tuple[int, Deferred[None]]] = []

    def happened(self, event: object) -> None:
        """Note an event, and tell who waits for that many."""
        self.events.append(event)
        for entry in list(self._awaited):
            if len(self.events) >= entry[0]:
                self._awaited.remove(entry)
                entry[1].callback(None)

    def after(self, count: int) -> Deferred[None]:
        """Fires when C{count} events have happened."""
        reached: Deferred[None] = Deferred()
        self._awaited.append((count, reached))
        if len(self.events) >= count:
            self._awaited.pop()[1].callback(None)
        return soon(reached)

    def gate(self, key: object) -> Deferred[None]:
        """Fire it to let C{remote_hold} of that key end."""
        return self._gates.setdefault(key, Deferred())

    async def remote_echo(self, context: RequestContext, value: object) -> object:
        self.contexts.append(context)
        return value

    async def remote_who(self, context: RequestContext) -> str:
        return self.name

    async def remote_note(
        self, context: RequestContext, value: object, instance_id: int | None = None
    ) -> None:
        self.happened(value)

    async def remote_hold(
        self, context: RequestContext, key: str, instance_id: int | None = None
    ) -> str:
        self.happened(f"{key} begins")
        await self.gate(key)
        self.happened(f"{key} ends")
        return key

    @at_any_time
    async def remote_glance(self, context: RequestContext, instance_id: int) -> str:
        return self.name

    async def remote_whose(self, context: RequestContext) -> str | None:
        asking = current_request.get()
        return asking.request_id if asking else None

    async def remote_declared(self, context: RequestContext) -> None:
        raise InstanceNotFound("instance i-0000000a")

    async def remote_wrong_state(self, context: RequestContext) -> None:
        self.happened("wrong state")
        raise WrongState("is running, not scheduling")

    async def remote_undeclared(self, context: RequestContext) -> None:
        raise ZeroDivisionError("the secret is 42")

    async def remote_unspeakable(self, context: RequestContext) -> object:
        return {"a": object()}

    async def remote__private(self, context: RequestContext) -> None:
        self.happened("private")

    async def local(self, context: RequestContext) -> None:
        self.happened("local")


@implementer(ILogObserver)
class Log:
    """The events that were logged inside."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Log:
        globalLogPublisher.addObserver(self)
        return self

    def __exit__(self, *args: object) -> None:
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: dict[str, Any]) -> None:
        self.events.append(event)


async def called(rpc: IRPC, method: str, topic: str = "compute.a", **args: object) -> object:
    """A call as John."""
    return await soon(rpc.call(JOHN, topic, method, args))


class RPCConformance:
    """Each test gets a fresh C{bus}; what is served on it is stopped by the fixture."""

    async def test_call(self, bus: Bus) -> None:
        """A call is answered with what the method returned."""
        await bus.there.serve("compute", "a", Service())
        assert await called(bus.here, "echo", value=[1, "two"]) == [1, "two"]

    @pytest.mark.parametrize(
        "value",
        [
            None,
            True,
            -1,
            0,
            2**63,
            -0.5,
            1e300,
            "",
            "é ü 漢字 🐟 \u202e",
            "\x00\x01\x7f\x80\xff\r\n",
            "\ud800",
            {"a": {"b": [None, {"": [[]]}, -7.25]}},
            [],
            {},
        ],
        ids=lambda value: ascii(value)[:12],
    )
    async def test_values(self, bus: Bus, value: object) -> None:
        """Whatever JSON can say arrives as it was, with its type."""
        await bus.there.serve("compute", "a", Service())
        result = await called(bus.here, "echo", value=value)
        assert result == value
        assert type(result) is type(value)

    async def test_big(self, bus: Bus) -> None:
        """A megabyte goes there and back unharmed, whatever its characters."""
        await bus.there.serve("compute", "a", Service())
        text = ("0123456789é\x00" * 90_000)[:1_000_000]
        assert await called(bus.here, "echo", value=text) == text

    @pytest.mark.parametrize(
        "value",
        [b"bytes", {1: "key"}, {"a", "set"}, float("nan"), float("inf"), object(), [[b""]]],
        ids=lambda value: type(value).__name__,
    )
    async def test_unspeakable_arguments(self, bus: Bus, value: object) -> None:
        """What JSON can't say is refused where it is sent, and nothing is sent."""
        service = Service()
        await bus.there.serve("compute", "a", service)
        with pytest.raises(TypeError):
            await soon(bus.here.cast(JOHN, "compute.a", "note", {"value": value}))
        with pytest.raises(TypeError):
            await called(bus.here, "note", value=value)
        await called(bus.here, "note", value="speakable")
        assert service.events == ["speakable"]

    async def test_context(self, bus: Bus) -> None:
        """The method gets the context of the sender, and its log lines carry the request's id."""
        service = Service()
        await bus.there.serve("compute", "a", service)
        await called(bus.here, "echo", value=1)
        assert service.contexts == [JOHN]
        assert await called(bus.here, "whose") == JOHN.request_id

    async def test_no_trouble(self, bus: Bus) -> None:
        """A bus that is open and works has nothing to complain of."""
        assert bus.here.trouble() is None

    async def test_cast(self, bus: Bus) -> None:
        """A cast arrives, and its sender does not wait for the method to end."""
        service = Service()
        await bus.there.serve("compute", "a", service)
        await soon(bus.here.cast(JOHN, "compute.a", "hold", {"key": "x"}))
        await service.after(1)
        assert service.events == ["x begins"]
        service.gate("x").callback(None)
        await service.after(2)

    async def test_declared_error(self, bus: Bus) -> None:
        """A declared error arrives with the same class and the same text."""
        await bus.there.serve("compute", "a", Service())
        with pytest.raises(InstanceNotFound) as caught:
            await called(bus.here, "declared")
        assert type(caught.value) is InstanceNotFound
        assert str(caught.value) == "instance i-0000000a"

    async def test_undeclared_error(self, bus: Bus, logged_errors: Any) -> None:
        """An undeclared error tells the caller nothing, and the log of the service everything."""
        await bus.there.serve("compute", "a", Service())
        with pytest.raises(RemoteError) as caught:
            await called(bus.here, "undeclared")
        assert str(caught.value) == "internal error"
        (failure,) = logged_errors.flush(ZeroDivisionError)
        assert "remote_undeclared" in failure.getTraceback()

    async def test_unspeakable_result(self, bus: Bus, logged_errors: Any) -> None:
        """A result that JSON can't say is an internal error, not a silence."""
        await bus.there.serve("compute", "a", Service())
        with pytest.raises(RemoteError):
            await called(bus.here, "unspeakable")
        assert len(logged_errors.flush(TypeError)) == 1

    @pytest.mark.parametrize("method", ["missing", "local", "_private", "__init__", "name", ""])
    async def test_unknown_method(self, bus: Bus, method: str) -> None:
        """Nothing but public remote_ methods can be called; the rest is answered with an error."""
        service = Service()
        await bus.there.serve("compute", "a", service)
        with pytest.raises(NovaError) as caught:
            await called(bus.here, method)
        assert type(caught.value) is (NoSuchMethod if method else InvalidInput)
        assert service.events == []

    @pytest.mark.parametrize(
        "args",
        [{}, {"value": 1, "more": 2}, {"value": 1, "context": 2}, {"value": 1, "self": 3}],
        ids=lambda args: "+".join(args) or "none",
    )
    async def test_wrong_arguments(self, bus: Bus, args: dict[str, object]) -> None:
        """Missing and unknown arguments are a declared error that names them."""
        await bus.there.serve("compute", "a", Service())
        with pytest.raises(InvalidInput, match=list({"value": 1, **args})[-1]):
            await soon(bus.here.call(JOHN, "compute.a", "echo", args))
        assert await called(bus.here, "who") == "service"

    async def test_failed_casts(self, bus: Bus, logged_errors: Any) -> None:
        """A cast that fails in whatever way is taken off the queue, and the worker goes on."""
        service = Service()
        await bus.there.serve("compute", "a", service)
        for method in ("undeclared", "declared", "missing", "echo"):
            await soon(bus.here.cast(JOHN, "compute.a", method, {}))
        await soon(bus.here.cast(JOHN, "compute.a", "note", {"value": "last"}))
        await service.after(1)
        assert len(logged_errors.flush(ZeroDivisionError)) == 1
        assert service.events == ["last"]

    async def test_wrong_state_is_normal(self, bus: Bus) -> None:
        """A cast that finds a wrong state, as a message delivered twice does, is one info line."""
        service = Service()
        await bus.there.serve("compute", "a", service)
        with Log() as log:
            await soon(bus.here.cast(JOHN, "compute.a", "wrong_state", {}))
            await called(bus.here, "who")
        assert service.events == ["wrong state"]
        lines = [each for each in log.events if "is running, not" in str(each.get("error"))]
        assert [(each["log_level"], "log_failure" in each) for each in lines] == [
            (LogLevel.info, False)
        ]

    async def test_timeout(self, bus: Bus) -> None:
        """A call that is not answered in time fails; the late answer harms nobody."""
        service = Service()
        await bus.there.serve("compute", "a", service)
        timeout = 0.5
        while not service.events:  # what nobody has taken by then is not delivered any more
            with pytest.raises(RemoteTimeout):
                await soon(bus.here.call(JOHN, "compute.a", "hold", {"key": "x"}, timeout=timeout))
            assert await called(bus.here, "who") == "service"
            timeout *= 4
        service.gate("x").callback(None)
        assert await called(bus.here, "who") == "service"
        assert service.events == ["x begins", "x ends"]

    async def test_stale_call(self, bus: Bus) -> None:
        """A call whose caller gave up before anybody took it is not carried out."""
        service = Service()
        serving = await bus.there.serve("compute", "a", service)
        await soon(serving.stop())
        with pytest.raises(RemoteTimeout):
            await soon(bus.here.call(JOHN, "compute.a", "note", {"value": 1}, timeout=0.5))
        await soon(bus.here.cast(JOHN, "compute.a", "note", {"value": 2}))
        await bus.there.serve("compute", "a", service)
        await service.after(1)
        assert service.events == [2]

    async def test_unroutable(self, bus: Bus) -> None:
        """A message for a queue that nobody ever served fails at its sender."""
        await bus.there.serve("compute", "a", Service())
        for topic in ("network", "compute.b", "compute.a.c"):
            with pytest.raises(Unroutable):
                await soon(bus.here.cast(JOHN, topic, "who", {}))
            with pytest.raises(Unroutable):
                await called(bus.here, "who", topic)

    async def test_host_addressing(self, bus: Bus) -> None:
        """topic.host reaches that host alone, even if its name has dots."""
        for host in ("a", "b.example.org"):
            await bus.there.serve("compute", host, Service(host))
        for host in ("a", "b.example.org"):
            for _ in range(3):
                assert await called(bus.here, "who", f"compute.{host}") == host

    async def test_competing(self, bus: Bus) -> None:
        """Each message for a topic goes to one of its workers, and every worker gets some."""
        services = [Service("a"), Service("b")]
        await bus.there.serve("compute", "a", services[0])
        await bus.here.serve("compute", "b", services[1])
        calls = [called(bus.here, "who", "compute") for _ in range(20)]
        names = await gatherResults([Deferred.fromCoroutine(each) for each in calls])
        assert sorted(map(str, set(names))) == ["a", "b"]

    async def test_order(self, bus: Bus) -> None:
        """Messages for one instance are handled one at a time, in the order of arrival."""
        service = Service()
        await bus.there.serve("compute", "a", service)
        for key in ("x", "y", "z"):
            await soon(bus.here.cast(JOHN, "compute.a", "hold", {"key": key, "instance_id": 5}))
        await soon(bus.here.cast(JOHN, "compute.a", "note", {"value": "other"}))
        await service.after(2)
        assert sorted(service.events) == ["other", "x begins"]
        for count, key in ((4, "x"), (6, "y"), (7, "z")):
            service.gate(key).callback(None)
            await service.after(count)
        mine = [event for event in service.events if event != "other"]
        assert mine == [f"{key} {what}" for key in "xyz" for what in ("begins", "ends")]

    async def test_a_look_at_any_time(self, bus: Bus) -> None:
        """A method that only looks is answered while its instance is worked on."""
        service = Service()
        await bus.there.serve("compute", "a", service)
        await soon(bus.here.cast(JOHN, "compute.a", "hold", {"key": "x", "instance_id": 5}))
        await service.after(1)
        assert await called(bus.here, "glance", "compute.a", instance_id=5) == service.name
        assert service.events == ["x begins"]
        service.gate("x").callback(None)
        await service.after(2)

    async def test_concurrency(self, bus: Bus) -> None:
        """Different instances are handled together, up to rpc_thread_pool_size."""
        service = Service()
        await bus.there.serve("compute", "a", service)
        keys = [str(number) for number in range(bus.limit + 2)]
        for number, key in enumerate(keys):
            await soon(
                bus.here.cast(JOHN, "compute.a", "hold", {"key": key, "instance_id": number})
            )
        await service.after(bus.limit)
        assert len(service.events) == bus.limit
        service.gate(keys[0]).callback(None)
        await service.after(bus.limit + 2)
        assert service.events[bus.limit :] == ["0 ends", f"{bus.limit} begins"]
        for key in keys[1:]:
            service.gate(key).callback(None)
        await service.after(2 * len(keys))

    async def test_calls_inside_a_method(self, bus: Bus) -> None:
        """A method may call another service, and its own."""

        class Compute(Service):
            async def remote_boot(self, context: RequestContext, instance_id: int) -> object:
                own = await bus.there.call(context, "compute.a", "who", {})
                return [own, await bus.there.call(context, "network", "declared", {})]

        await bus.there.serve("compute", "a", Compute())
        await bus.here.serve("network", "n", Service())
        with pytest.raises(InstanceNotFound):
            await called(bus.here, "boot", instance_id=1)

    async def test_stop_drains(self, bus: Bus) -> None:
        """A stop waits for what is in hand, whose answer still arrives, and gives back the rest."""
        service = Service()
        serving = await bus.there.serve("compute", "a", service)
        answer = soon(bus.here.call(JOHN, "compute.a", "hold", {"key": "x", "instance_id": 1}))
        await service.after(1)
        for value in range(5):
            args = {"value": value, "instance_id": 1}
            await soon(bus.here.cast(JOHN, "compute.a", "note", args))
        stopping = serving.stop()
        again = serving.stop()
        assert not stopping.called
        service.gate("x").callback(None)
        assert await answer == "x"
        await soon(stopping)
        await soon(again)
        assert service.events == ["x begins", "x ends"]
        successor = Service()
        await bus.here.serve("compute", "a", successor)
        await successor.after(5)
        assert successor.events == list(range(5))

    async def test_queues_outlive_their_consumer(self, bus: Bus) -> None:
        """What is cast while no worker runs waits for the next one, in order."""
        serving = await bus.there.serve("compute", "a", Service())
        await soon(serving.stop())
        for value in range(3):
            await soon(bus.here.cast(JOHN, "compute.a", "note", {"value": value}))
        service = Service()
        await bus.there.serve("compute", "a", service)
        await service.after(3)
        assert service.events == [0, 1, 2]

    async def test_error_texts(self, bus: Bus) -> None:
        """The text of an error travels whole: quotes, newlines, any alphabet."""
        text = 'a "quoted" é\nline <b> {brace} %s'

        class Failing(Service):
            async def remote_fail(self, context: RequestContext) -> None:
                raise QuotaExceeded(text)

        await bus.there.serve("compute", "a", Failing())
        with pytest.raises(QuotaExceeded) as caught:
            await called(bus.here, "fail")
        assert str(caught.value) == text
