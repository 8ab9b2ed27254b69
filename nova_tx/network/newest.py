"""Plans of networks, put into effect one at a time per bridge: the newest, for all who wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from nova_tx.context import RequestContext
from nova_tx.log import background, request
from nova_tx.model.networks import NetworkPlan


class Newest:
    """Calls C{apply} with the newest plan of a bridge, however many came while it was busy."""

    def __init__(self, apply: Callable[[NetworkPlan], Awaitable[None]]) -> None:
        self._apply = apply
        self._plans: dict[str, tuple[NetworkPlan, RequestContext | None]] = {}
        self._waiting: dict[str, list[Deferred[None]]] = {}
        self._busy: set[str] = set()

    def put(self, plan: NetworkPlan) -> Deferred[None]:
        """
        Put a plan into effect.

        Plans of a bridge come in the order in which they were made.  Done when
        this one or a newer one is in effect; fails as C{apply} fails.
        """
        self._plans[plan.bridge] = plan, request.get()
        done: Deferred[None] = Deferred()
        self._waiting.setdefault(plan.bridge, []).append(done)
        if plan.bridge not in self._busy:
            self._busy.add(plan.bridge)
            _ = background(self._work(plan.bridge), f"putting {plan.bridge} in order")
        return done

    async def _work(self, bridge: str) -> None:
        while waiting := self._waiting.pop(bridge, []):
            failed: Failure | None = None
            plan, whose = self._plans.pop(bridge)
            request.set(whose)  # the last of those for whom it is done
            try:
                await self._apply(plan)
            except Exception:
                failed = Failure()
            for each in waiting:
                if failed is None:
                    each.callback(None)
                else:
                    each.errback(failed)
        self._busy.discard(bridge)
