"""What happens to fetched messages: order, room, answers, and who gets what back."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from nova_tx.errors import Unavailable
from nova_tx.rpc.envelope import ReplyAddress, Request, encode_request
from nova_tx.rpc.server import PAUSE, Intake
from nova_tx.testing.conformance.rpc import JOHN, Service


class Message:
    """A delivery that notes what becomes of it."""

    def __init__(self, fates: list[str], name: str, method: str = "hold", **args: Any) -> None:
        args = args or {"key": name}
        self.body = encode_request(Request(method, args, JOHN, ReplyAddress("q", name)))
        self.gone = False
        self.broken = False
        self._name = name
        self._fates = fates

    def lost(self) -> bool:
        return self.gone

    async def reply(self, queue: str, body: bytes) -> None:
        if self.broken:
            raise OSError("no way to the broker")
        self._fates.append(f"{self._name} answered")

    def done(self) -> None:
        self._fates.append(f"{self._name} done")

    def give_back(self) -> None:
        self._fates.append(f"{self._name} back")


def test_acknowledged_after_the_answer() -> None:
    """A message is off the queue only when its method has ended and its answer is safe."""
    fates: list[str] = []
    service = Service()
    intake = Intake(service, 2, Clock())
    intake.take(Message(fates, "a"))
    assert (service.events, fates) == (["a begins"], [])
    service.gate("a").callback(None)
    assert fates == ["a answered", "a done"]


def test_answer_that_can_not_be_sent(logged_errors: Any) -> None:
    """An answer that can't be sent costs its caller the answer, not the worker its place."""
    fates: list[str] = []
    intake = Intake(Service(), 1, Clock())
    message = Message(fates, "a", "who", **{"x": 1})
    message.broken = True
    intake.take(message)
    assert fates == ["a done"]
    assert len(logged_errors.flush(OSError)) == 1
    intake.take(Message(fates, "b", "echo", value=1))
    assert fates[1:] == ["b answered", "b done"]


class Away:
    """A service whose database is away until a test says otherwise."""

    def __init__(self) -> None:
        self.waiting: Deferred[None] = Deferred()

    async def remote_work(self, context: object) -> None:
        await self.waiting


def test_a_cast_without_a_part_it_needs_comes_again() -> None:
    """What a cast needs is away: after a pause it goes back to its queue, never off it."""
    fates: list[str] = []
    service, clock = Away(), Clock()
    intake = Intake(service, 1, clock)
    message = Message(fates, "a")
    message.body = encode_request(Request("work", {}, JOHN))
    intake.take(message)
    service.waiting.errback(Unavailable("the database does not answer"))
    assert fates == []
    clock.advance(PAUSE)
    assert fates == ["a back"]


@pytest.mark.parametrize("before", [True, False])
def test_a_cast_that_a_stop_breaks_off_goes_back_at_once(before: bool) -> None:
    """Who stops keeps nothing that waits for a part that is away."""
    fates: list[str] = []
    service, clock = Away(), Clock()
    intake = Intake(service, 1, clock)
    message = Message(fates, "a")
    message.body = encode_request(Request("work", {}, JOHN))
    intake.take(message)
    away = Unavailable("the database does not answer")
    if before:
        service.waiting.errback(away)
    stopped = intake.stop()
    if not before:
        service.waiting.errback(away)
    assert fates == ["a back"]
    assert stopped.called and clock.getDelayedCalls() == []


def test_lost_messages_are_not_begun() -> None:
    """What the broker will deliver again is not begun; what follows it in its lane is."""
    fates: list[str] = []
    service = Service()
    intake = Intake(service, 2, Clock())
    messages = [Message(fates, name, key=name, instance_id=1) for name in "abc"]
    for message in messages:
        intake.take(message)
    messages[1].gone = True
    service.gate("a").callback(None)
    assert service.events == ["a begins", "a ends", "c begins"]
    service.gate("c").callback(None)
    assert fates == ["a answered", "a done", "c answered", "c done"]


def test_a_lane_holds_up_nobody_else() -> None:
    """Messages that wait for their instance take no room from other instances."""
    fates: list[str] = []
    service = Service()
    intake = Intake(service, 2, Clock())
    for name in "abc":
        intake.take(Message(fates, name, key=name, instance_id=1))
    intake.take(Message(fates, "d", key="d", instance_id=2))
    assert service.events == ["a begins", "d begins"]
    for name in "abcd":
        service.gate(name).callback(None)
    assert len(fates) == 8


def test_odd_instance_ids() -> None:
    """An instance_id that is no id at all is no reason to fail."""
    fates: list[str] = []
    intake = Intake(Service(), 2, Clock())
    for number, odd in enumerate([[1], {"a": 1}, None, 1.5]):
        intake.take(Message(fates, str(number), "note", value=odd, instance_id=odd))
    assert len(fates) == 8


def test_many_at_once() -> None:
    """A thousand messages that end at once are handled without nesting."""
    fates: list[str] = []
    service = Service()
    intake = Intake(service, 1, Clock())
    intake.take(Message(fates, "first"))
    for number in range(2000):
        intake.take(Message(fates, str(number), "note", value=number, instance_id=number % 3))
    service.gate("first").callback(None)
    assert service.events[2:] == list(range(2000))


def test_hold_then_stop() -> None:
    """Held, nothing more is begun; stopped, it goes back in order, and so does what comes late."""
    fates: list[str] = []
    service = Service()
    intake = Intake(service, 1, Clock())
    for name in "abc":
        intake.take(Message(fates, name))
    intake.hold()
    service.gate("a").callback(None)
    assert fates == ["a answered", "a done"]
    assert intake.stop().called
    intake.take(Message(fates, "d"))
    assert fates[2:] == ["b back", "c back", "d back"]
    assert service.events == ["a begins", "a ends"]


def test_stop_waits() -> None:
    """A stop fires when the last message in hand is acknowledged, for each who asked."""
    fates: list[str] = []
    service = Service()
    intake = Intake(service, 2, Clock())
    for name in "ab":
        intake.take(Message(fates, name))
    stops = [intake.stop(), intake.stop()]
    service.gate("a").callback(None)
    assert not any(each.called for each in stops)
    service.gate("b").callback(None)
    assert all(each.called for each in stops)
    assert fates[-1] == "b done"
