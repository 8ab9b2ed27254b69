"""
The threads that share the connection to libvirt.

Work goes in as C{fn(conn, ...)} and comes out as a Deferred.  Some is done at a
time, so that a guest that takes long to start holds up no other; whoever wants
order waits for one result before asking for the next.  A connection that breaks
is opened again: by the next work at once, and with growing pauses by itself, so
that events come even when nobody asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import Lock, Thread
from time import perf_counter
from typing import Any, Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from nova_tx import metrics
from nova_tx.errors import HypervisorAway, VirtError
from nova_tx.log import background
from nova_tx.states import Power
from nova_tx.threads import in_pool
from nova_tx.virt.libvirt.events import library, power_after

P = ParamSpec("P")
T = TypeVar("T")

_log = Logger()

#: Calls at once; libvirtd takes five of a connection (max_client_requests).
THREADS = 4
#: Attempts to reach libvirt at start; the pauses between them double from one second.
ATTEMPTS = 5
#: Longest pause between attempts to reach it again, in seconds.
LONGEST_PAUSE = 30
#: Seconds between keepalive messages, and how many may stay unanswered: a libvirtd
#: that hangs is a connection that breaks.
KEEPALIVE = (5, 6)
#: Seconds that the end of the daemon waits for libvirt.
CLOSE_LIMIT = 10.0


class _Thread(Thread):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, daemon=True)


class _Pool(ThreadPool):
    threadFactory = _Thread


class LibvirtThread:
    """
    @ivar seen: called on the reactor with the name and new state of a guest that changed.
    @ivar back: called on the reactor when the connection is there again: events were missed.
    """

    def __init__(
        self,
        reactor: Any,
        uri: str,
        seen: Callable[[str, Power], None],
        back: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._clock: IReactorTime = reactor
        self._uri = uri
        self._seen = seen
        self._back = back
        self._pool = _Pool(1, THREADS, "libvirt")
        # held while the connection is changed, or its users are; in threads alone
        self._lock = Lock()
        self._conn: Any = None
        self._events = -1
        self._users: Counter[Any] = Counter()
        self._open = False
        self._in_hand = 0
        self._idle: Deferred[None] | None = None
        self._return: Deferred[None] | None = None

    async def open(self) -> None:
        """
        Start the threads and connect.

        @raise StartupError: libvirt-python is not installed.
        @raise HypervisorAway: libvirt can't be reached, after some attempts.
        """
        library()
        self._open = True
        self._pool.start()
        for attempt in range(ATTEMPTS):
            try:
                await self.run(_nothing)
                return
            except VirtError as error:
                if attempt == ATTEMPTS - 1:
                    await self.close()
                    raise
                _log.warn("{error}; trying again", error=error)
            await deferLater(self._clock, 2**attempt)

    async def close(self) -> None:
        """Wait for the work in hand, disconnect, end the threads."""
        if not self._open:
            return
        self._open = False
        if self._return is not None:
            self._return.cancel()
        ended = self._ended().addCallback(
            lambda _: deferToThreadPool(self._reactor, self._pool, self._end)
        )
        try:
            await ended.addTimeout(CLOSE_LIMIT, self._clock)
        except TimeoutError:
            _log.warn("libvirt at {uri} does not answer; its threads are left", uri=self._uri)
        else:
            self._pool.stop()

    def run(
        self, fn: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """
        Run C{fn(conn, ...)} in a thread.

        @raise HypervisorAway: libvirt can't be reached, or the connection broke meanwhile.
        @raise VirtError: it refused; the cause is kept.
        """
        self._in_hand += 1

        def work(conn: Any) -> T:
            began = perf_counter()
            try:
                return fn(conn, *args, **kwargs)
            finally:
                seconds = perf_counter() - began
                metrics.LIBVIRT_SECONDS.observe(seconds, fn.__name__)
                _log.debug("libvirt: {call} in {seconds:.3f} s", call=fn.__name__, seconds=seconds)

        return in_pool(self._reactor, self._pool, self._attempt, work).addBoth(self._done)

    def _done(self, result: T) -> T:
        self._in_hand -= 1
        if not self._in_hand and self._idle is not None:
            idle, self._idle = self._idle, None
            idle.callback(None)
        return result

    def _ended(self) -> Deferred[None]:
        """Fires when no work is in hand."""
        if not self._in_hand:
            return succeed(None)
        self._idle = Deferred()
        return self._idle

    # In threads.

    def _attempt(self, work: Callable[[Any], T]) -> T:
        libvirt = library()
        conn = None
        try:
            with self._lock:
                conn = self._connected(libvirt)
                self._users[conn] += 1
            return work(conn)
        except libvirt.libvirtError as error:
            away = conn is None or conn is not self._conn or not conn.isAlive()
            kind = HypervisorAway if away else VirtError
            raise kind(f"libvirt at {self._uri}: {error}") from error
        finally:
            if conn is not None:
                with self._lock:
                    self._leave(conn)

    def _leave(self, conn: Any) -> None:
        """The last user of a connection that has broken closes it: nobody is to be inside."""
        self._users[conn] -= 1
        if not self._users[conn]:
            del self._users[conn]
            if conn is not self._conn:
                _undo(conn.close)

    def _connected(self, libvirt: Any) -> Any:
        if self._conn is not None:
            if self._conn.isAlive():
                return self._conn
            self._disconnect()
            self._reactor.callFromThread(self._lost)
        if not self._open:  # nobody would close it, and libvirt may not answer at all
            raise HypervisorAway(f"libvirt at {self._uri} is not wanted any more")
        conn = libvirt.open(self._uri)
        for prepare in (
            lambda: conn.registerCloseCallback(self._closed, None),
            lambda: conn.setKeepAlive(*KEEPALIVE),
        ):
            try:
                prepare()
            except libvirt.libvirtError as error:
                # a driver inside this process has no connection that could break
                if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
                    conn.close()
                    raise
        lifecycle = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE
        self._events = conn.domainEventRegisterAny(None, lifecycle, self._changed, None)
        self._conn = conn
        return conn

    def _disconnect(self) -> None:
        conn, self._conn = self._conn, None
        _undo(conn.unregisterCloseCallback)
        _undo(lambda: conn.domainEventDeregisterAny(self._events))
        if not self._users[conn]:
            del self._users[conn]
            _undo(conn.close)

    def _end(self) -> None:
        with self._lock:
            if self._conn is not None:
                self._disconnect()

    # In libvirt's event thread.

    def _changed(self, conn: Any, dom: Any, event: int, detail: int, opaque: Any) -> None:
        power = power_after(library(), event, detail)
        if power is not None:
            self._reactor.callFromThread(self._tell, dom.name(), power)

    def _closed(self, conn: Any, reason: int, opaque: Any) -> None:
        self._reactor.callFromThread(self._lost)

    # On the reactor.

    def _tell(self, name: str, power: Power) -> None:
        if self._open:
            self._seen(name, power)

    def _lost(self) -> None:
        if self._open and self._return is None:
            _log.warn("lost libvirt at {uri}", uri=self._uri)
            self._return = background(self._reconnect(), "the way back to libvirt")
            _ = self._return.addBoth(self._returned)

    def _returned(self, result: object) -> None:
        self._return = None

    async def _reconnect(self) -> None:
        pause = 1
        while True:
            try:
                await self.run(_nothing)
                break
            except VirtError:
                await deferLater(self._clock, pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        _log.info("reached libvirt at {uri} again", uri=self._uri)
        self._back()


def _undo(what: Callable[[], object]) -> None:
    try:
        what()
    except library().libvirtError:
        pass  # the connection is broken, or has no such callback


def _nothing(conn: Any) -> None:
    """Being connected is enough."""
