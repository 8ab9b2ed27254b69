"""nova-all: the five daemons in one process, by default without a broker."""

from __future__ import annotations

import sys

from nova_tx.flags import Ec2Flags, S3Flags
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
    own = tuple(
        section
        for each in (objectstore, network, scheduler, compute, api)
        for section in each.Options.own
    )
    presets = {"fake_rabbit": True}


def makeService(options: Options) -> Daemon:
    """
    Called by twistd, before it becomes a daemon: opens nothing.

    Who serves comes before who asks.
    """
    workers = {
        "api_workers": options.flags.section(Ec2Flags).api_workers,
        "objectstore_workers": options.flags.section(S3Flags).objectstore_workers,
    }
    for name, count in workers.items():
        if count != 1:
            print(f"nova-all: is one process, so --{name} must be 1", file=sys.stderr)
            raise SystemExit(1)
    rooms = (objectstore.room, network.room, scheduler.room, compute.room, api.room)
    return daemon(options, None, *rooms)
