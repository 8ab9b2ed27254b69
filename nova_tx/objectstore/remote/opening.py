"""The store in another S3, as the flags say."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime

from nova_tx.flags import BackendFlags
from nova_tx.objectstore.remote.agent import Connections
from nova_tx.objectstore.remote.client import Client
from nova_tx.objectstore.remote.place import place
from nova_tx.objectstore.remote.store import RemoteStore
from nova_tx.objectstore.threads import IPool


def remote_store(
    flags: BackendFlags, pool: IPool, reactor: Any, clock: IReactorTime | None = None
) -> RemoteStore:
    """
    A store where the flags say.

    @param pool: computes digests, and reads long answers.
    @param clock: see L{RemoteStore}.
    @raise StartupError: they make no sense.
    """
    where = place(flags)
    connections = Connections(reactor, flags.s3_backend_ca)
    client = Client(where, connections, reactor, pool)
    return RemoteStore(client, where.prefix, pool, reactor, connections.close, clock)
