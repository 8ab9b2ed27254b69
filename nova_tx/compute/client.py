"""What other services may ask of a compute worker.                     [spec/01 section 5.2]"""

from __future__ import annotations

from nova_tx.context import RequestContext
from nova_tx.rpc.interfaces import IRPC


class ComputeClient:
    """Messages to the compute worker of a host."""

    def __init__(self, rpc: IRPC, topic: str) -> None:
        self._rpc = rpc
        self._topic = topic

    async def run_instance(self, context: RequestContext, host: str, instance_id: int) -> None:
        """Build and start the guest of an instance."""
        await self._cast(context, host, "run_instance", instance_id)

    async def terminate_instance(
        self, context: RequestContext, host: str, instance_id: int
    ) -> None:
        """End the guest of an instance that is C{terminating}."""
        await self._cast(context, host, "terminate_instance", instance_id)

    async def reboot_instance(self, context: RequestContext, host: str, instance_id: int) -> None:
        """Switch the guest of an instance that is C{rebooting} off and on."""
        await self._cast(context, host, "reboot_instance", instance_id)

    async def start_instance(self, context: RequestContext, host: str, instance_id: int) -> None:
        """Switch the guest of an instance that is C{starting} on."""
        await self._cast(context, host, "start_instance", instance_id)

    async def stop_instance(
        self, context: RequestContext, host: str, instance_id: int, force: bool = False
    ) -> None:
        """
        Switch the guest of an instance that is C{stopping} off.

        @param force: cut its power at once.
        """
        await self._cast(context, host, "stop_instance", instance_id, force=force)

    async def rescue_instance(self, context: RequestContext, host: str, instance_id: int) -> None:
        """Boot an instance that is C{rescuing} from the rescue image."""
        await self._cast(context, host, "rescue_instance", instance_id)

    async def unrescue_instance(self, context: RequestContext, host: str, instance_id: int) -> None:
        """Boot an instance that is C{unrescuing} from its own disk again."""
        await self._cast(context, host, "unrescue_instance", instance_id)

    async def create_image(
        self, context: RequestContext, host: str, instance_id: int, image_id: str
    ) -> None:
        """
        Make an image that was announced of an instance's disk.

        Whether its guest is switched off for that, the row says: see
        L{nova_tx.db.power.request_image}, which is asked before.
        """
        await self._cast(context, host, "create_image", instance_id, image_id=image_id)

    async def get_console_output(
        self, context: RequestContext, host: str, instance_id: int
    ) -> bytes:
        """
        The last 64 KiB of the guest's console.

        @raise RemoteTimeout: the host does not answer.
        """
        text = await self._rpc.call(
            context,
            f"{self._topic}.{host}",
            "get_console_output",
            {"instance_id": instance_id},
        )
        # one character per byte: JSON has no bytes
        return str(text).encode("latin-1")

    async def _cast(
        self,
        context: RequestContext,
        host: str,
        method: str,
        instance_id: int,
        **others: object,
    ) -> None:
        arguments = {"instance_id": instance_id, **others}
        await self._rpc.cast(context, f"{self._topic}.{host}", method, arguments)
