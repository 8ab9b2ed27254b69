"""What other services may ask of the scheduler.                        [spec/01 section 5.1]"""

from __future__ import annotations

from nova_tx.context import RequestContext
from nova_tx.rpc.interfaces import IRPC


class SchedulerClient:
    """Messages to whichever scheduler takes them first."""

    def __init__(self, rpc: IRPC, topic: str, compute_topic: str) -> None:
        self._rpc = rpc
        self._topic = topic
        self._compute_topic = compute_topic

    async def run_instance(self, context: RequestContext, instance_id: int) -> None:
        """Choose a host for an instance that is C{scheduling}, and tell it."""
        await self._rpc.cast(
            context,
            self._topic,
            "run_instance",
            {"topic": self._compute_topic, "instance_id": instance_id},
        )
