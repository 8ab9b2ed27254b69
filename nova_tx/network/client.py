"""What other services may ask of a network worker.                     [spec/01 section 5.3]"""

from __future__ import annotations

from nova_tx.context import RequestContext
from nova_tx.model.networks import Nic
from nova_tx.rpc.interfaces import IRPC


class NetworkClient:
    """Messages to network workers."""

    def __init__(self, rpc: IRPC, topic: str, usual: str | None = None) -> None:
        """
        @param usual: the host that is meant by None; None: whichever takes a message first.
        """
        self._rpc = rpc
        self._topic = topic
        self._usual = usual

    async def allocate_fixed_ip(
        self, context: RequestContext, host: str | None, instance_id: int
    ) -> Nic:
        """
        Give an instance an address, known to the DHCP server when this returns.

        Again for the same instance: the same address.

        @raise NoMoreAddresses: every address is taken.
        @raise NetworkNotFound: there is no network yet.
        """
        answer = await self._rpc.call(
            context, self._where(host), "allocate_fixed_ip", {"instance_id": instance_id}
        )
        assert isinstance(answer, dict)
        return Nic(**answer)

    async def deallocate_fixed_ip(
        self, context: RequestContext, host: str | None, instance_id: int
    ) -> None:
        """Take back whatever address an instance has; none is nothing."""
        await self._rpc.call(
            context, self._where(host), "deallocate_fixed_ip", {"instance_id": instance_id}
        )

    def _where(self, host: str | None) -> str:
        host = host or self._usual
        return self._topic if host is None else f"{self._topic}.{host}"
