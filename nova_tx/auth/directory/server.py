"""
The LDAP server: functions run in its threads, each of which keeps a connection.

A function whose first parameter is C{tree} runs there. If the server is found to be away
before anything was sent that changes something, the function is run again on a new
connection; afterwards nobody knows, and it fails with L{Unavailable}.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import ldap
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from nova_tx.auth.directory.names import Places
from nova_tx.auth.directory.tree import LOST, Tree, connect
from nova_tx.db.threads import Inline, IThreads, Threads
from nova_tx.errors import DirectoryError, StartupError, Unavailable
from nova_tx.flags import LdapFlags

P = ParamSpec("P")
T = TypeVar("T")

_log = Logger()

#: Threads, and connections.
_THREADS = 4
#: Questions that are asked at once, or wait.
_MOST = 256
#: Seconds for which a server that could not be reached is not tried again.
_PAUSE = 1.0


class Server:
    """The one door to the directory."""

    def __init__(self, flags: LdapFlags, reactor: Any, inline: bool) -> None:
        """
        Nothing is opened before it is needed.

        @param inline: ask in the calling thread, which waits.
        @raise StartupError: a flag has a value that can't be.
        """
        self.places = Places(flags)
        if not flags.ldap_password:
            raise StartupError("--ldap_password is empty: that would be nobody [RFC 4513 5.1.2]")
        try:
            ldap.initialize(flags.ldap_url)
        except (ldap.LDAPError, ValueError):
            raise StartupError(
                f"--ldap_url={flags.ldap_url} is no ldap://, ldaps:// or ldapi:// URL"
            ) from None
        self._flags = flags
        self._threads: IThreads = (
            Inline() if inline else Threads(reactor, _MOST, _THREADS, what="directory")
        )
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._connections: set[Any] = set()
        self._answers = True
        self._next_try = 0.0

    async def open(self) -> None:
        """
        See that the server knows us; one that is away may come.

        @raise StartupError: it does not.
        """
        self._threads.start()
        try:
            await self.run(lambda tree: tree.read(self._flags.ldap_user_subtree))
        except Unavailable:
            pass  # told in the log
        except DirectoryError as error:
            await self.close()
            raise StartupError(str(error)) from None

    async def close(self) -> None:
        """Wait for what is running, and close every connection."""
        await self._threads.stop(self._disconnect)

    def run(
        self, fn: Callable[Concatenate[Tree, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """
        Run C{fn(tree, ...)}.

        @raise Unavailable: the server is away; a change was made, or not, or in part.
        @raise DirectoryError: it refused.
        """
        running: Deferred[T] = self._threads.defer(
            lambda: self._attempts(lambda tree: fn(tree, *args, **kwargs)), False
        )
        return running

    # In a thread.

    def _attempts(self, work: Callable[[Tree], T]) -> T:
        for kept in (True, False):
            connection = self._connection(kept)
            tree = Tree(connection, self.places)
            try:
                return work(tree)
            except LOST as lost:
                self._drop(connection)
                if tree.changed:
                    raise Unavailable(
                        "the directory went away during a change; it may have been made or not"
                    ) from lost
                if not kept:
                    raise self._away(lost) from None
            except ldap.LDAPError as refused:
                raise _refusal(refused) from None
        raise AssertionError("two attempts have ended")

    def _connection(self, kept: bool) -> Any:
        """
        This thread's connection.

        @param kept: whether it may be one of before.
        @raise Unavailable: there is none to be had.
        @raise DirectoryError: the server does not take us.
        """
        connection = getattr(self._mine, "connection", None)
        if kept and connection is not None:
            return connection
        if time.monotonic() < self._next_try:
            raise Unavailable("the directory of users does not answer; try again later")
        try:
            connection = connect(self._flags)
        except LOST as lost:
            raise self._away(lost) from None
        except ldap.LDAPError as refused:
            raise _refusal(refused) from None
        self._mine.connection = connection
        with self._lock:
            self._connections.add(connection)
            back, self._answers = not self._answers, True
        if back:
            _log.info("the directory answers again")
        return connection

    def _away(self, lost: Exception) -> Unavailable:
        """Note that the server is away: once in the log, until it is back."""
        self._next_try = time.monotonic() + _PAUSE
        with self._lock:
            told, self._answers = not self._answers, False
        if not told:
            where, why = self._flags.ldap_url, _reason(lost)
            _log.warn("the directory {where} went away: {why}", where=where, why=why)
        return Unavailable("the directory of users does not answer; try again later")

    def _drop(self, connection: Any) -> None:
        self._mine.connection = None
        with self._lock:
            self._connections.discard(connection)

    def _disconnect(self) -> None:
        with self._lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            try:
                connection.unbind_s()
            except ldap.LDAPError:
                pass


def _refusal(refused: ldap.LDAPError) -> DirectoryError:
    return DirectoryError(f"the directory of users refused: {_reason(refused)}")


def _reason(error: Exception) -> str:
    """What the server said; that has no values in it."""
    said = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    parts = [said.get("desc") or type(error).__name__, said.get("info")]
    return ": ".join(str(part) for part in parts if part)
