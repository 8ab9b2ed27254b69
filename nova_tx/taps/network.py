"""nova-network: carries networks, gives instances their addresses."""

from __future__ import annotations

from nova_tx.flags import BusFlags, Ec2Flags, NetworkFlags, NodeFlags, SqlFlags
from nova_tx.network.worker import NetworkWorker
from nova_tx.taps.build import daemon
from nova_tx.taps.daemon import Daemon, Part
from nova_tx.taps.options import DaemonOptions
from nova_tx.taps.parts import Parts


class Options(DaemonOptions):
    program = "nova-network"
    own = (NetworkFlags,)
    wanted = (NodeFlags, BusFlags, SqlFlags, NetworkFlags, Ec2Flags)


def room(parts: Parts) -> list[Part]:
    """The network worker."""
    topic = parts.flags.section(BusFlags).network_topic
    return [parts.serving(parts.make(NetworkWorker), topic, "nova-network")]


def makeService(options: Options) -> Daemon:
    """Called by twistd, before it becomes a daemon: opens nothing."""
    return daemon(options, None, room)
