"""nova-scheduler: chooses the host of each new instance."""

from __future__ import annotations

from nova_tx.flags import BusFlags, NodeFlags, SchedulerFlags, SqlFlags
from nova_tx.scheduler.worker import SchedulerWorker
from nova_tx.taps.build import daemon
from nova_tx.taps.daemon import Daemon, Part
from nova_tx.taps.options import DaemonOptions
from nova_tx.taps.parts import Parts


class Options(DaemonOptions):
    program = "nova-scheduler"
    own = (SchedulerFlags,)
    wanted = (NodeFlags, BusFlags, SqlFlags, SchedulerFlags)


def room(parts: Parts) -> list[Part]:
    """The scheduler."""
    topic = parts.flags.section(BusFlags).scheduler_topic
    name = parts.flags.section(SchedulerFlags).scheduler_manager
    worker = parts.worker(SchedulerWorker, name, "scheduler_manager")
    return [parts.serving(worker, topic, "nova-scheduler")]


def makeService(options: Options) -> Daemon:
    """Called by twistd, before it becomes a daemon: opens nothing."""
    return daemon(options, None, room)
