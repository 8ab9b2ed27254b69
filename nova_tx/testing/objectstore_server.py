"""
An objectstore in a process of its own, for tests: C{python -m … DIRECTORY [PORT [FLAG ...]]}.

All its files are in the directory, and so is the certificate authority.  When
it listens it writes one line, the port.  SIGTERM ends it as twistd would.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from nova_tx.auth.lockout import Lockout
from nova_tx.auth.memory import MemoryUsers
from nova_tx.db.engine import Database
from nova_tx.db.schema import metadata
from nova_tx.flags import (
    AuthFlags,
    BackendFlags,
    CryptoFlags,
    Flags,
    ImageFlags,
    NodeFlags,
    S3Flags,
    SqlFlags,
)
from nova_tx.model.users import User
from nova_tx.objectstore.site import Objectstore
from nova_tx.process import Runner
from nova_tx.taps.listener import Listener
from nova_tx.taps.tls import identify

#: The users there are; each has a project of its name. The first is an administrator.
USERS = (
    User("admin", "admin-access", "admin-secret", True),
    User("joe", "joe-access", "joe-secret", False),
    User("eve", "eve-access", "eve-secret", False),
)


async def known_users() -> MemoryUsers:
    """L{USERS}, with their projects."""
    users = MemoryUsers()
    for user in USERS:
        await users.create_user(user.id, user.access_key, user.secret_key, user.is_admin)
        await users.create_project(user.id, user.id, None)
    return users


def flags_for(directory: str, *more: str) -> Flags:
    """Flags whose files are all in one directory."""
    sections = (NodeFlags, SqlFlags, S3Flags, BackendFlags, ImageFlags, CryptoFlags, AuthFlags)
    return Flags.load([f"--state_path={directory}", "--my_ip=127.0.0.1", *more], sections)


async def serve(reactor: Any, directory: str, port: str = "0", *more: str) -> None:
    """Run until the process is told to end."""
    flags = flags_for(directory, *more)
    database = Database(flags.section(SqlFlags), reactor)
    await database.open()
    metadata.create_all(database.engine)
    objectstore = Objectstore(
        flags.section(S3Flags),
        flags.section(BackendFlags),
        flags.section(ImageFlags),
        flags.section(CryptoFlags),
        flags.section(AuthFlags),
        await known_users(),
        Lockout(database, flags.section(AuthFlags), reactor),
        database,
        Runner(reactor, ()),
        reactor,
    )
    await objectstore.open()
    s3 = flags.section(S3Flags)
    identity = identify("objectstore", "s3", (s3.s3_ssl_cert, s3.s3_ssl_key), reactor)
    listener = Listener(reactor, "127.0.0.1", int(port), objectstore.site, identity=identity)
    await listener.open()
    listening: Any = listener.port
    stop: Deferred[None] = Deferred()
    ended: Deferred[None] = Deferred()

    def shutdown() -> Deferred[None]:
        stop.callback(None)
        return ended

    reactor.addSystemEventTrigger("before", "shutdown", shutdown)
    sys.stdout.write(f"{listening.getHost().port}\n")
    sys.stdout.flush()
    await stop
    await listener.close()
    await objectstore.close()
    await database.close()
    ended.callback(None)


def main(argv: Sequence[str]) -> None:
    """Serve."""
    react(lambda reactor: Deferred.fromCoroutine(serve(reactor, *argv)))


if __name__ == "__main__":
    main(sys.argv[1:])
