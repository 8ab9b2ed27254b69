"""
nova-api: the EC2 API, and the metadata service on a port of its own.

With C{api_workers}, the others of its crew have the EC2 API alone.  TLS is for the EC2 API:
guests know the metadata service as plain HTTP.
"""

from __future__ import annotations

from twisted.web.server import Site

from nova_tx.api.ec2 import xml
from nova_tx.api.site import ec2_site, metadata_site
from nova_tx.flags import (
    AuthFlags,
    BusFlags,
    ComputeFlags,
    CryptoFlags,
    Ec2Flags,
    GlanceFlags,
    ImageFlags,
    LdapFlags,
    NodeFlags,
    QuotaFlags,
    S3Flags,
    SecretsFlags,
    SqlFlags,
)
from nova_tx.ids import new_request_id
from nova_tx.taps import crew
from nova_tx.taps.build import daemon
from nova_tx.taps.crew import Crew
from nova_tx.taps.crowd import Crowd, refusal
from nova_tx.taps.daemon import Daemon, Part
from nova_tx.taps.listener import Listener
from nova_tx.taps.options import DaemonOptions
from nova_tx.taps.parts import Parts
from nova_tx.taps.resumed import Resumed
from nova_tx.taps.sweep import Sweep
from nova_tx.taps.tls import identify

#: Seconds that a request waits for a database that went away.
PATIENCE = 10.0


class Options(DaemonOptions):
    program = "nova-api"
    own = (Ec2Flags,)
    wanted = (
        NodeFlags,
        BusFlags,
        SqlFlags,
        AuthFlags,
        SecretsFlags,
        LdapFlags,
        Ec2Flags,
        S3Flags,
        CryptoFlags,
        ImageFlags,
        GlanceFlags,
        QuotaFlags,
        ComputeFlags,
    )


def room(parts: Parts) -> list[Part]:
    """The only process that serves."""
    return _first(parts, _door(parts))


def _door(parts: Parts, shared: bool = False, inherited: int | None = None) -> Listener:
    """The listener of the EC2 API; see L{Listener}."""
    flags = parts.flags.section(Ec2Flags)
    users = _crowd(parts, parts.make(ec2_site))
    address, port = flags.ec2_listen, flags.ec2_listen_port
    pair = flags.ec2_ssl_cert, flags.ec2_ssl_key
    identity = identify("EC2 API", "ec2", pair, parts.reactor)
    if identity is not None and flags.ec2_scheme != "https":
        parts.flags.warnings.append("the EC2 API has TLS, but --ec2_scheme is not https")
    return Listener(
        parts.reactor,
        address,
        port,
        users,
        shared=shared,
        inherited=inherited,
        identity=identity,
    )


def _crowd(parts: Parts, site: Site) -> Crowd:
    full = refusal(xml.failure("RequestLimitExceeded", "Too many connections.", new_request_id()))
    room = parts.flags.section(Ec2Flags).ec2_max_connections
    clients = Crowd(site, room, parts.reactor, full)
    parts.descriptors += clients.most
    return clients


def _first(parts: Parts, door: Listener) -> list[Part]:
    """Both listeners, and the image service they ask."""
    flags = parts.flags.section(Ec2Flags)
    guests = _crowd(parts, parts.make(metadata_site))
    return [
        parts.users,
        parts.images,
        door,
        # a bridge's address, which the network worker makes later
        Listener(parts.reactor, flags.metadata_listen, flags.metadata_port, guests, free=True),
        parts.make(
            Resumed,
            instances=parts.operations.instances,
            power=parts.operations.power,
            images=parts.operations.images,
        ),
        parts.make(Sweep),
    ]


def makeService(options: Options) -> Daemon:
    """Called by twistd, before it becomes a daemon: opens nothing."""
    size = options.flags.section(Ec2Flags).api_workers
    if size <= 1:
        return daemon(options, PATIENCE, room)

    def one_of_several(parts: Parts) -> list[Part]:
        socket = crew.inherited()
        door = _door(parts, True, socket)
        if socket is not None:
            return [parts.users, parts.images, door]
        return [*_first(parts, door), Crew(parts.reactor, size - 1, program, door)]

    program = crew.program(options)
    return daemon(options, PATIENCE, one_of_several, shared=True)
