"""nova-compute: builds and ends the guests of its host."""

from __future__ import annotations

from nova_tx.compute.worker import ComputeWorker
from nova_tx.flags import (
    AuthFlags,
    BusFlags,
    ComputeFlags,
    GlanceFlags,
    ImageFlags,
    LdapFlags,
    LibvirtFlags,
    NetworkFlags,
    NodeFlags,
    S3Flags,
    SecretsFlags,
    SqlFlags,
)
from nova_tx.taps.build import daemon
from nova_tx.taps.daemon import Daemon, Part
from nova_tx.taps.options import DaemonOptions
from nova_tx.taps.parts import Parts


class Options(DaemonOptions):
    program = "nova-compute"
    own = (ComputeFlags, LibvirtFlags)
    wanted = (
        NodeFlags,
        BusFlags,
        SqlFlags,
        AuthFlags,
        SecretsFlags,
        LdapFlags,
        ComputeFlags,
        LibvirtFlags,
        ImageFlags,
        GlanceFlags,
        S3Flags,
        NetworkFlags,
    )


def room(parts: Parts) -> list[Part]:
    """The compute worker."""
    topic = parts.flags.section(BusFlags).compute_topic
    name = parts.flags.section(ComputeFlags).compute_manager
    worker = parts.worker(ComputeWorker, name, "compute_manager")
    return [parts.users, parts.images, parts.serving(worker, topic, "nova-compute")]


def makeService(options: Options) -> Daemon:
    """Called by twistd, before it becomes a daemon: opens nothing."""
    return daemon(options, None, room)
