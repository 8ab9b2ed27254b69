"""nova-all: the five daemons in one process, by default without a broker."""

from __future__ import annotations

from nova_tx.taps import api, compute, network, objectstore, scheduler
from nova_tx.taps.build import daemon
from nova_tx.taps.daemon import Daemon
from nova_tx.taps.options import DaemonOptions


class Options(DaemonOptions):
    program = "nova-all"
    wanted = tuple(
        dict.fromkeys(
            section
            for each in (objectstore, network, scheduler, compute, api)
            for section in each.Options.wanted
        )
    )
    presets = {"fake_rabbit": True}


def makeService(options: Options) -> Daemon:
    """
    Called by twistd, before it becomes a daemon: opens nothing.

    Who serves comes before who asks.
    """
    rooms = (objectstore.room, network.room, scheduler.room, compute.room, api.room)
    return daemon(options, None, *rooms)
