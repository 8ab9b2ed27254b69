"""What an API that died had not told yet, told again by the next one."""

from __future__ import annotations

from twisted.logger import Logger

from nova_tx.errors import Unavailable
from nova_tx.operations.images import Images
from nova_tx.operations.instances import Instances
from nova_tx.operations.power import PowerControl

_log = Logger()


class Resumed:
    """The last part of a daemon: it serves already."""

    def __init__(self, instances: Instances, power: PowerControl, images: Images) -> None:
        self._instances = instances
        self._power = power
        self._images = images

    async def open(self) -> None:
        """Tell workers what waits for them; what can't be told is found by them, later."""
        try:
            await self._instances.resume()
            await self._power.resume()
            await self._images.resume()
        except Unavailable as error:
            _log.warn("what waits is not told again: {error}", error=str(error))

    async def close(self) -> None:
        """Nothing is held."""
