"""
Ports of loopback for servers of tests that are told which one to have.

They are below those that Linux gives, unless told otherwise, to clients and to who has no wish:
between the choice of such a port and the start of a server, which takes seconds, any connection
could be given it.                                                  [ip(7), ip_local_port_range]
"""

from __future__ import annotations

import random
import socket

#: Above those of whole clouds, see L{nova_tx.testing.daemons.free_plan}.
_PORTS = range(22_000, 32_000)


def free_port() -> int:
    """A port that nobody has, and that nobody is given who does not ask for it."""
    return next(port for port in random.sample(_PORTS, 1000) if is_free(port))


def is_free(port: int) -> bool:
    """Whether a server could listen on a port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
