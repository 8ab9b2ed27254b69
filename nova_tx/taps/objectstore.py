"""
nova-objectstore: S3 buckets, and images made of what is in them.

With C{objectstore_workers}, all of its crew serve on one port, and work on the same files.
"""

from __future__ import annotations

from nova_tx.flags import (
    AuthFlags,
    BackendFlags,
    BusFlags,
    CryptoFlags,
    GlanceFlags,
    ImageFlags,
    LdapFlags,
    NodeFlags,
    S3Flags,
    SecretsFlags,
    SqlFlags,
)
from nova_tx.ids import new_request_id
from nova_tx.image.interfaces import IDepot
from nova_tx.objectstore import xml
from nova_tx.objectstore.site import Objectstore
from nova_tx.taps import crew
from nova_tx.taps.build import daemon
from nova_tx.taps.crew import Crew
from nova_tx.taps.crowd import Crowd, refusal
from nova_tx.taps.daemon import Daemon, Part
from nova_tx.taps.listener import Listener
from nova_tx.taps.options import DaemonOptions
from nova_tx.taps.parts import Parts
from nova_tx.taps.tls import identify

#: Seconds that a request waits for a database that went away.
PATIENCE = 10.0
#: File descriptors of a connection: its own, a thread's of it, and that of the object's file.
_DESCRIPTORS = 3


class Options(DaemonOptions):
    program = "nova-objectstore"
    own = (S3Flags,)
    wanted = (
        NodeFlags,
        BusFlags,
        SqlFlags,
        AuthFlags,
        SecretsFlags,
        LdapFlags,
        S3Flags,
        BackendFlags,
        ImageFlags,
        GlanceFlags,
        CryptoFlags,
    )


def room(parts: Parts) -> list[Part]:
    """The only process that serves."""
    return [parts.users, *_depot(parts), *_room(parts)]


def _room(
    parts: Parts, shared: bool = False, inherited: int | None = None
) -> tuple[Objectstore, Listener]:
    """The store and its listener; see L{Listener}."""
    flags = parts.flags.section(S3Flags)
    depot = IDepot(parts.images, None)
    store = parts.make(
        Objectstore, runner=parts.unprivileged, joins=inherited is not None, depot=depot
    )
    full = refusal(xml.error("SlowDown", "Too many connections.", "/", new_request_id()))
    clients = Crowd(store.site, flags.s3_max_connections, parts.reactor, full)
    parts.descriptors += clients.most + (_DESCRIPTORS - 1) * flags.s3_max_connections
    address, port = flags.s3_listen_host, flags.s3_port
    pair = flags.s3_ssl_cert, flags.s3_ssl_key
    identity = identify("objectstore", "s3", pair, parts.reactor)
    if identity is not None and flags.s3_scheme != "https":
        parts.flags.warnings.append("the objectstore has TLS, but --s3_scheme is not https")
    return store, Listener(
        parts.reactor,
        address,
        port,
        clients,
        shared=shared,
        inherited=inherited,
        identity=identity,
    )


def _depot(parts: Parts) -> list[Part]:
    """What images are given to, if they do not stay here."""
    return [parts.images] if IDepot.providedBy(parts.images) else []


def makeService(options: Options) -> Daemon:
    """Called by twistd, before it becomes a daemon: opens nothing."""
    size = options.flags.section(S3Flags).objectstore_workers
    if size <= 1:
        return daemon(options, PATIENCE, room)

    def one_of_several(parts: Parts) -> list[Part]:
        socket = crew.inherited()
        store, door = _room(parts, True, socket)
        if socket is not None:
            return [parts.users, *_depot(parts), store, door]
        return [
            parts.users,
            *_depot(parts),
            store,
            door,
            Crew(parts.reactor, size - 1, program, door),
        ]

    program = crew.program(options)
    return daemon(options, PATIENCE, one_of_several, shared=True)
