"""nova-objectstore: S3 buckets, and images made of what is in them."""

from __future__ import annotations

from nova_tx.flags import (
    AuthFlags,
    BusFlags,
    CryptoFlags,
    ImageFlags,
    NodeFlags,
    S3Flags,
    SqlFlags,
)
from nova_tx.ids import new_request_id
from nova_tx.objectstore import xml
from nova_tx.objectstore.site import Objectstore
from nova_tx.taps.build import daemon
from nova_tx.taps.crowd import Crowd, refusal
from nova_tx.taps.daemon import Daemon, Part
from nova_tx.taps.listener import Listener
from nova_tx.taps.options import DaemonOptions
from nova_tx.taps.parts import Parts

#: Seconds that a request waits for a database that went away.
PATIENCE = 10.0


class Options(DaemonOptions):
    program = "nova-objectstore"
    wanted = (NodeFlags, BusFlags, SqlFlags, AuthFlags, S3Flags, ImageFlags, CryptoFlags)


def room(parts: Parts) -> list[Part]:
    """The store and its listener."""
    flags = parts.flags.section(S3Flags)
    store = parts.make(Objectstore, runner=parts.unprivileged)
    full = refusal(xml.error("SlowDown", "Too many connections.", "/", new_request_id()))
    clients = Crowd(store.site, flags.s3_max_connections, parts.reactor, full)
    return [store, Listener(parts.reactor, flags.s3_listen_host, flags.s3_port, clients)]


def makeService(options: Options) -> Daemon:
    """Called by twistd, before it becomes a daemon: opens nothing."""
    return daemon(options, PATIENCE, room)
