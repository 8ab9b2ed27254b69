"""nova-all: the five daemons in one process, by default without a broker."""

from __future__ import annotations

import sys

from nova_tx.flags import Ec2Flags
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
    flags = options.flags.section(Ec2Flags)
    if flags.api_workers != 1:
        print("nova-all: is one process, so --api_workers must be 1", file=sys.stderr)
        raise SystemExit(1)
    rooms = (objectstore.room, network.room, scheduler.room, compute.room, api.room)
    return daemon(options, None, *rooms)
