"""
The connection below a request: what of it is a socket that carries bodies as they are.

Over TLS there is no such socket: what comes is decrypted, and what goes encrypted, by the event
loop, and threads have their part in files only.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from typing import Any

from twisted.internet.interfaces import ISSLTransport, IWriteDescriptor


def own_socket(transport: Any) -> socket.socket | None:
    """
    The socket of a connection, for threads to read from or write to; None over TLS.

    A copy, to be closed: the connection may be closed while it is used.
    """
    if ISSLTransport.providedBy(transport):
        return None
    found: socket.socket = transport.getHandle().dup()
    return found


def waiting(connection: Any) -> int:
    """
    Bytes that were sent on a connection, and that the client has not acknowledged.

    @param connection: a transport or a socket, that is open.
    """
    held = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", held)[0])


def send_now(transport: Any) -> None:
    """
    Send what was written, without another turn of the loop.

    TLS, and a connection that ends, take theirs.
    """
    if ISSLTransport.providedBy(transport):
        return
    sends: Any = IWriteDescriptor(transport, None)
    if sends is not None and not sends.disconnecting:
        sends.doWrite()
