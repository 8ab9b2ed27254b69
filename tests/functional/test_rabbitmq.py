"""The bus over a real RabbitMQ: what every bus promises, and what only a broker can do to one."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from nova_tx.flags import BusFlags
from nova_tx.rpc.amqp import AmqpRPC
from nova_tx.testing.conformance.rpc import Bus, RPCConformance
from nova_tx.testing.rabbitmq import RabbitMQ, free_port


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A node for this module."""
    node = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"), free_port())
    node.start()
    yield node
    node.stop()


def flags_for(node: RabbitMQ, **changes: Any) -> BusFlags:
    """How our daemons would be told of it; each test has an exchange of its own."""
    flags = BusFlags(
        rabbit_host="127.0.0.1",
        rabbit_port=node.port,
        rabbit_userid=node.user,
        rabbit_password=node.password,
        rabbit_virtual_host=node.vhost,
        rabbit_max_retries=1,
        rpc_thread_pool_size=4,
    )
    return dataclasses.replace(flags, **changes)


@pytest_twisted.async_yield_fixture
async def bus(broker: RabbitMQ) -> AsyncIterator[Bus]:
    """Two processes' worth of connections."""
    flags = flags_for(broker)
    here, there = AmqpRPC(flags, reactor), AmqpRPC(flags, reactor)
    await here.open()
    await there.open()
    yield Bus(here, there, 4)
    await there.close()
    await here.close()


class TestRabbitMQ(RPCConformance):
    """The conformance suite."""
