"""
One end of an RPC benchmark, in a process of its own: C{PEER echo|call ...}.

C{nova_tx} is the bus of this house: persistent where it matters, confirmed,
mandatory, acknowledged.  The other two are bare: transient messages that nobody
confirms, consumed without acknowledgement, JSON in and out, answers to an
exclusive queue by correlation id.  C{txamqp} is the library as it is (whose
wheel lacks its spec: it gets ours), C{pika} its BlockingConnection.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import ClientCreator
from twisted.internet.task import react

from nova_tx.context import RequestContext
from nova_tx.flags import BusFlags
from nova_tx.rpc.amqp import AmqpRPC

QUEUE = "benchmark"
_PASSWORD = "BENCHMARK_PASSWORD"


@dataclass(frozen=True)
class Work:
    """
    What a peer is asked to do.

    @ivar count: calls to make; so many, and no more, are in flight at once.
    """

    peer: str
    role: str
    port: int
    password: str
    count: int = 0
    in_flight: int = 1

    def argv(self) -> list[str]:
        """The command that does it."""
        values = (self.peer, self.role, self.port, self.count, self.in_flight)
        return [sys.executable, "-m", "benchmarks.rpc_peers", *map(str, values)]

    def environment(self) -> dict[str, str]:
        """Where the password is."""
        return {**os.environ, _PASSWORD: self.password}


def say(word: str) -> None:
    """Tell the benchmark: C{ready}, or seconds."""
    print(word, flush=True)


async def timed(call: Callable[[int], Awaitable[object]], work: Work) -> None:
    """Make the calls, and say how long it took."""
    await call(-1)
    say("ready")
    numbers = iter(range(work.count))

    async def one_after_the_other() -> None:
        for number in numbers:
            answer = await call(number)
            assert answer == number, (answer, number)

    began = time.perf_counter()
    await gatherResults(
        [Deferred.fromCoroutine(one_after_the_other()) for _ in range(work.in_flight)]
    )
    say(repr(time.perf_counter() - began))


# This house.


class Echo:
    """A service."""

    async def remote_echo(self, context: RequestContext, value: object) -> object:
        return value


async def nova_tx(reactor: Any, work: Work) -> None:
    """C{rpc.amqp}, as the daemons use it."""
    flags = BusFlags(
        rabbit_host="127.0.0.1",
        rabbit_port=work.port,
        rabbit_userid="nova",
        rabbit_password=work.password,
    )
    rpc = AmqpRPC(flags, reactor)
    await rpc.open()
    if work.role == "echo":
        _ = await rpc.serve(QUEUE, "here", Echo())
        say("ready")
        await Deferred()
    context = RequestContext(user="user", project="project", remote_address="127.0.0.1")
    await timed(lambda value: rpc.call(context, QUEUE, "echo", {"value": value}), work)
    await rpc.close()


# Bare txamqp.


async def txamqp(reactor: Any, work: Work) -> None:
    """The library as its documentation uses it."""
    from txamqp.client import TwistedDelegate
    from txamqp.content import Content
    from txamqp.protocol import AMQClient
    from txamqp.spec import load

    with resources.as_file(resources.files("nova_tx.rpc") / "amqp0-9-1.xml") as path:
        spec = load(str(path))
    creator = ClientCreator(reactor, AMQClient, delegate=TwistedDelegate(), vhost="/", spec=spec)
    client = await creator.connectTCP("127.0.0.1", work.port)
    await client.authenticate("nova", work.password)
    channel = await client.channel(1)
    await channel.channel_open()
    name = f"bare.{QUEUE}" if work.role == "echo" else ""
    declared = await channel.queue_declare(queue=name, exclusive=True)
    await channel.basic_consume(queue=declared.queue, no_ack=True, consumer_tag="tag")
    messages = await client.queue("tag")
    if work.role == "echo":
        say("ready")
        while True:
            message = await messages.get()
            properties = message.content.properties
            body = json.dumps(json.loads(message.content.body))
            content = Content(body, properties={"correlation-id": properties["correlation-id"]})
            _ = channel.basic_publish(routing_key=properties["reply-to"], content=content)
    waiting: dict[str, Deferred[object]] = {}

    def call(value: int) -> Deferred[object]:
        answer = waiting[str(value)] = Deferred()
        properties = {"correlation-id": str(value), "reply-to": declared.queue}
        content = Content(json.dumps(value), properties=properties)
        _ = channel.basic_publish(routing_key=f"bare.{QUEUE}", content=content)
        return answer

    async def answers() -> None:
        while True:
            message = await messages.get()
            answer = waiting.pop(message.content.properties["correlation-id"])
            answer.callback(json.loads(message.content.body))

    _ = Deferred.fromCoroutine(answers()).addErrback(lambda _: None)
    await timed(call, work)
    await client.close()


# Bare pika.


def pika(work: Work) -> None:
    """C{BlockingConnection}: its callbacks keep so many calls in flight."""
    import pika as library

    where = library.ConnectionParameters(
        "127.0.0.1", work.port, credentials=library.PlainCredentials("nova", work.password)
    )
    channel = library.BlockingConnection(where).channel()
    if work.role == "echo":
        channel.queue_declare(QUEUE + ".pika", exclusive=True)

        def echo(channel: Any, method: Any, properties: Any, body: bytes) -> None:
            answer = library.BasicProperties(correlation_id=properties.correlation_id)
            channel.basic_publish("", properties.reply_to, json.dumps(json.loads(body)), answer)

        channel.basic_consume(QUEUE + ".pika", echo, auto_ack=True)
        say("ready")
        channel.start_consuming()
    answers = channel.queue_declare("", exclusive=True).method.queue
    left = iter(range(work.count))
    missing = work.count

    def send() -> None:
        number = next(left, None)
        if number is not None:
            properties = library.BasicProperties(correlation_id=str(number), reply_to=answers)
            channel.basic_publish("", QUEUE + ".pika", json.dumps(number), properties)

    def answered(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        nonlocal missing
        assert json.loads(body) == int(properties.correlation_id)
        missing -= 1
        send()
        if not missing:
            channel.stop_consuming()

    channel.basic_consume(answers, answered, auto_ack=True)
    say("ready")
    began = time.perf_counter()
    for _ in range(work.in_flight):
        send()
    channel.start_consuming()
    say(repr(time.perf_counter() - began))


def main() -> None:
    """Do what the command line says."""
    peer, role, port, count, in_flight = sys.argv[1:]
    work = Work(peer, role, int(port), os.environ[_PASSWORD], int(count), int(in_flight))
    if work.peer == "pika":
        pika(work)
    else:
        of = {"nova_tx": nova_tx, "txamqp": txamqp}[work.peer]
        react(lambda reactor: Deferred.fromCoroutine(of(reactor, work)))


if __name__ == "__main__":
    main()
