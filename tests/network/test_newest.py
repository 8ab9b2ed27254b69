"""Plans of networks: each is put into effect for the request that wanted it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from nova_tx.context import RequestContext
from nova_tx.log import in_context
from nova_tx.network.newest import Newest
from nova_tx.testing.lines import logged_lines

_log = Logger()


@dataclass
class Plan:
    """A plan, as far as it matters here."""

    bridge: str
    number: int


async def test_each_for_its_request() -> None:
    """What waits while another request's plan is at work is logged for its own request."""
    gate: Deferred[None] = Deferred()

    async def apply(plan: Any) -> None:
        _log.info("plan {number}", number=plan.number)
        if plan.number == 1:
            await gate
        _log.info("plan {number} is in effect", number=plan.number)

    newest = Newest(apply)
    contexts = [RequestContext(user="john", project=None) for _ in range(2)]
    with logged_lines() as lines:
        waiting = []
        for number, context in enumerate(contexts, 1):
            with in_context(context):
                waiting.append(newest.put(Plan("br100", number)))  # type: ignore[arg-type]
        gate.callback(None)
        for each in waiting:
            await each
    first, second = (each.request_id for each in contexts)
    assert [whose for whose, _ in lines.told] == [first, first, second, second]
