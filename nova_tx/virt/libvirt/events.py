"""
Libvirt's own event loop in a thread of its own, and what its events mean.

The loop is the process's, made at the first connection and never ended: its
thread sleeps in poll(2) and ends with the process.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from nova_tx.errors import StartupError
from nova_tx.states import Power


@cache
def library() -> Any:
    """
    The module C{libvirt}, with its event loop running.

    @raise StartupError: it is not installed.
    """
    try:
        import libvirt
    except ImportError:
        raise StartupError(
            "connection_type libvirt needs libvirt-python: pip install 'nova_tx[libvirt]'"
        ) from None
    libvirt.registerErrorHandler(lambda context, error: None, None)  # or it prints them
    libvirt.virEventRegisterDefaultImpl()

    def loop() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=loop, name="libvirt-events", daemon=True).start()
    return libvirt


def power_after(libvirt: Any, event: int, detail: int) -> Power | None:
    """
    The power state that a lifecycle event leads to; None if it changes none.

    C{SHUTDOWN} is only what a guest does itself: QEMU ends in the same way when
    its host asks it to.
    """
    if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
        crashed = detail == libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED
        return Power.CRASHED if crashed else Power.SHUTOFF
    if event == libvirt.VIR_DOMAIN_EVENT_SHUTDOWN:
        return Power.SHUTDOWN if detail == libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_GUEST else None
    return {
        libvirt.VIR_DOMAIN_EVENT_STARTED: Power.RUNNING,
        libvirt.VIR_DOMAIN_EVENT_RESUMED: Power.RUNNING,
        libvirt.VIR_DOMAIN_EVENT_SUSPENDED: Power.PAUSED,
        libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED: Power.SUSPENDED,
        libvirt.VIR_DOMAIN_EVENT_CRASHED: Power.CRASHED,
    }.get(event)
