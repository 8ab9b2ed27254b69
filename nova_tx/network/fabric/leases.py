"""The socket on which C{nova-dhcpbridge} reports lease events."""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.internet.interfaces import IListeningPort, IReactorUNIX
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver

from nova_tx.errors import FabricError

_log = Logger()

Seen = Callable[[str, str, str], None]


class _Events(LineOnlyReceiver):
    delimiter = b"\n"
    MAX_LENGTH = 256

    def lineReceived(self, line: bytes) -> None:
        words = line.decode("ascii", "replace").split()
        if len(words) != 3 or words[0] not in ("add", "old", "del"):
            _log.warn("not a lease event: {line}", line=line)
            assert self.transport is not None
            self.transport.loseConnection()
            return
        event, mac, address = words
        self.factory.seen(event, mac, address)
        self.sendLine(b"ok")


class _EventsFactory(Factory):
    protocol = _Events
    noisy = False

    def __init__(self, seen: Seen) -> None:
        self.seen = seen


def listen(reactor: IReactorUNIX, path: str, seen: Seen) -> IListeningPort:
    """
    Take events at a path, for this user alone; what an earlier run left there is replaced.

    @raise FabricError: the path is too long for a socket, or can't be written.
    """
    try:
        if os.path.exists(path):
            os.unlink(path)
        return reactor.listenUNIX(path, _EventsFactory(seen), mode=0o600)
    except Exception as error:
        raise FabricError(f"can't listen for leases at {path}: {error}") from error
