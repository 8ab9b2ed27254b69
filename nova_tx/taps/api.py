"""nova-api: the EC2 API, and the metadata service on a port of its own."""

from __future__ import annotations

from nova_tx.api.ec2 import xml
from nova_tx.api.site import ec2_site, metadata_site
from nova_tx.flags import (
    AuthFlags,
    BusFlags,
    ComputeFlags,
    CryptoFlags,
    Ec2Flags,
    ImageFlags,
    NodeFlags,
    QuotaFlags,
    S3Flags,
    SqlFlags,
)
from nova_tx.ids import new_request_id
from nova_tx.taps.build import daemon
from nova_tx.taps.crowd import Crowd, refusal
from nova_tx.taps.daemon import Daemon, Part
from nova_tx.taps.listener import Listener
from nova_tx.taps.options import DaemonOptions
from nova_tx.taps.parts import Parts
from nova_tx.taps.resumed import Resumed

#: Seconds that a request waits for a database that went away.
PATIENCE = 10.0


class Options(DaemonOptions):
    program = "nova-api"
    wanted = (
        NodeFlags,
        BusFlags,
        SqlFlags,
        AuthFlags,
        Ec2Flags,
        S3Flags,
        CryptoFlags,
        ImageFlags,
        QuotaFlags,
        ComputeFlags,
    )


def room(parts: Parts) -> list[Part]:
    """Both listeners, and the image service they ask."""
    flags = parts.flags.section(Ec2Flags)
    ec2 = parts.make(ec2_site)
    metadata = parts.make(metadata_site)
    full = refusal(xml.failure("RequestLimitExceeded", "Too many connections.", new_request_id()))
    users, guests = (
        Crowd(site, flags.ec2_max_connections, parts.reactor, full) for site in (ec2, metadata)
    )
    return [
        parts.images,
        Listener(parts.reactor, flags.ec2_listen, flags.ec2_listen_port, users),
        # a bridge's address, which the network worker makes later
        Listener(parts.reactor, flags.metadata_listen, flags.metadata_port, guests, free=True),
        parts.make(
            Resumed,
            instances=parts.operations.instances,
            power=parts.operations.power,
            images=parts.operations.images,
        ),
    ]


def makeService(options: Options) -> Daemon:
    """Called by twistd, before it becomes a daemon: opens nothing."""
    return daemon(options, PATIENCE, room)
