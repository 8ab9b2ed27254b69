"""
The part of a daemon that monitoring asks; without flag C{metrics_port} nothing of it is imported.
"""

from __future__ import annotations

from nova_tx import metrics
from nova_tx.db import overview
from nova_tx.flags import MetricsFlags, NodeFlags
from nova_tx.monitor.health import Health, Probe
from nova_tx.monitor.keeper import Keeper
from nova_tx.monitor.lag import Lag
from nova_tx.monitor.pages import site
from nova_tx.states import POWER
from nova_tx.taps import crew
from nova_tx.taps.listener import Listener
from nova_tx.taps.parts import HYPERVISOR, Parts


class Monitoring:
    """The first part to be opened: it tells of all others, also of their opening."""

    def __init__(self, parts: Parts) -> None:
        """
        @param parts: all that will be opened are there.
        """
        flags = parts.flags.section(MetricsFlags)
        self._parts = parts
        self._lag = Lag(parts.reactor)
        self._keeper = Keeper()
        counted = Probe(self._count, parts.reactor) if HYPERVISOR in parts.checks else None
        pages = site(self._keeper, Health(parts.checks, parts.reactor), counted, parts.reactor)
        # further processes of the same daemon have the next ports
        port = flags.metrics_port + crew.number()
        self._listener = Listener(parts.reactor, flags.metrics_listen, port, pages)

    async def open(self) -> None:
        """
        Listen.

        @raise StartupError: the port can't be had.
        """
        await self._listener.open()
        self._lag.start()

    async def close(self) -> None:
        """Tell nothing more."""
        self._lag.stop()
        await self._listener.close()
        self._keeper.forget()

    async def _count(self) -> str:
        host = self._parts.flags.section(NodeFlags).host
        found = await self._parts.database.read(overview.states, host)
        for state in POWER:
            metrics.INSTANCES.put(found.get(state, 0), state)
        return ""
