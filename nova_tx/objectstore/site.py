"""
nova-objectstore: S3 buckets, and the images made of what lies in them.  [spec/04]
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import LoopingCall
from twisted.web.resource import Resource

from nova_tx import metrics
from nova_tx.access_log import TracedRequest, TracedSite
from nova_tx.auth.admission import Admission
from nova_tx.auth.authority import Authority
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.lockout import Lockout
from nova_tx.auth.roles import Roles
from nova_tx.db.engine import Database
from nova_tx.errors import StartupError
from nova_tx.flags import AuthFlags, BackendFlags, CryptoFlags, ImageFlags, S3Flags
from nova_tx.gate import Gate
from nova_tx.ids import new_request_id
from nova_tx.image.interfaces import IDepot
from nova_tx.objectstore.action import Actions
from nova_tx.objectstore.arrivals import Arrivals
from nova_tx.objectstore.bounds import BODY_THREADS
from nova_tx.objectstore.callers import Callers
from nova_tx.objectstore.conditions import http_date
from nova_tx.objectstore.conversion import Conversion
from nova_tx.objectstore.disk.filesystem import FilesystemStore
from nova_tx.objectstore.door import Door
from nova_tx.objectstore.handover import Handover
from nova_tx.objectstore.images import Images
from nova_tx.objectstore.interfaces import IStore
from nova_tx.objectstore.making import Making
from nova_tx.objectstore.patience import Channel, Watch
from nova_tx.objectstore.registrations import Registrations
from nova_tx.objectstore.remote.opening import remote_store
from nova_tx.objectstore.request import StreamingRequest
from nova_tx.objectstore.shelf import Shelf
from nova_tx.objectstore.threads import IPool, Pool
from nova_tx.process import IRunner

#: Threads for what is short, and for images unbundled at once.
_FILE_THREADS = 4
_IMAGE_THREADS = 2
#: Seconds that a request may take when the daemon is to end.
GRACE = 10.0
#: Seconds in which processes die whose first one is dead.
_DYING = 5.0
#: How often clients are looked at in the time that they are given.
_LOOKS = 8

#: Kept, for requests of the same second are many.
_date = lru_cache(4)(lambda second: http_date(second).encode())


class StreamingSite(TracedSite):
    """A factory of connections whose requests go to one door."""

    protocol = Channel  # type: ignore[assignment]
    logger = "nova_tx.objectstore"

    def __init__(self, door: Door, reactor: Any, patience: float) -> None:
        """
        @param patience: seconds that a client is waited for.
        """
        super().__init__(
            Resource(),
            StreamingRequest,
            parsePOSTFormSubmission=False,
            reactor=reactor,
            timeout=patience,
        )
        self._door = door
        self._clock = reactor
        self._patience = patience
        self._watch = Watch(patience)
        self._watching = LoopingCall(self._look)
        self._watching.clock = reactor
        self._running: dict[StreamingRequest, Deferred[None]] = {}
        self._ending = False

    def startFactory(self) -> None:
        super().startFactory()
        self._ending = False
        _ = self._watching.start(self._patience / _LOOKS, now=False)

    def stopFactory(self) -> None:
        super().stopFactory()
        self._watching.stop()

    def _look(self) -> None:
        self._watch.look(self._running, self._clock.seconds())

    def count(self, request: TracedRequest, seconds: float) -> None:
        operation = request.action
        metrics.S3_REQUESTS.add(operation, str(request.code))
        metrics.S3_SECONDS.observe(seconds, operation)
        metrics.S3_BYTES_OUT.add(operation, n=request.sentLength)
        if isinstance(request, StreamingRequest):
            metrics.S3_BYTES_IN.add(operation, n=request.body.received)

    def serve(self, request: StreamingRequest) -> None:
        """Have a request answered; one that comes while we end finds us gone."""
        if self._ending:
            request.cut()
            return
        # by which clients whose clock is wrong learn how wrong it is  [RFC 9110 section 6.6.1]
        request.setHeader(b"date", _date(int(self._clock.seconds())))
        serving = Deferred.fromCoroutine(self._serve(request))
        if not serving.called:
            self._running[request] = serving

    async def _serve(self, request: StreamingRequest) -> None:
        try:
            await self._door.serve(request, new_request_id())
        finally:
            self._running.pop(request, None)

    async def drain(self) -> None:
        """Begin no more requests; wait for those in hand, which are cut after L{GRACE} seconds."""
        self._ending = True
        waiting = DeferredList(list(self._running.values()))
        alarm = self._clock.callLater(GRACE, self._cut)
        await waiting
        if alarm.active():
            alarm.cancel()

    def _cut(self) -> None:
        for request in list(self._running):
            request.cut()


class Objectstore:
    """
    The parts of the daemon.

    @ivar site: what listens on C{s3_port}.
    """

    def __init__(
        self,
        s3: S3Flags,
        backend: BackendFlags,
        images: ImageFlags,
        crypto: CryptoFlags,
        auth: AuthFlags,
        users: IUsers,
        lockout: Lockout,
        database: Database,
        runner: IRunner,
        reactor: Any,
        pools: tuple[IPool, IPool, IPool] | None = None,
        joins: bool = False,
        depot: IDepot | None = None,
    ) -> None:
        """
        Nothing is opened before L{open}; users and database are opened by others.

        @raise StartupError: flags make no sense together.

        @param runner: runs programs with no more rights than this process has.
        @param pools: for what is short with files, for large bodies, and for
            images that are unbundled; by default threads of this reactor.
        @param joins: others of C{objectstore_workers} are at work, and belong there.
        @param depot: where images go that are made here; None: they stay.
        """
        self._pools = pools or (
            Pool(reactor, "objectstore", _FILE_THREADS),
            Pool(reactor, "bodies", BODY_THREADS),
            Pool(reactor, "images", _IMAGE_THREADS),
        )
        files, bodies, unbundling = self._pools
        roles = Roles(auth)
        shared = s3.objectstore_workers > 1
        self._store: IStore
        if not backend.s3_backend_url:
            self._store = FilesystemStore(
                s3.buckets_path, files, bodies, shared, s3.s3_fsync, 0.0 if joins else _DYING
            )
        elif shared:
            raise StartupError("with s3_backend_url objectstore_workers must be 1")
        else:
            self._store = remote_store(backend, bodies, reactor)
        self._shelf = Shelf(images.images_path, files, shared)
        self._arrivals = Arrivals(self._shelf, images.image_max_bytes, database, bodies)
        conversion = Conversion(runner, images.image_max_bytes, images.image_convert_seconds)
        handover = None if depot is None else Handover(depot, database, reactor)
        making = Making(
            self._shelf,
            images.image_max_bytes,
            self._store,
            Authority(crypto),
            database,
            users,
            roles,
            unbundling,
            conversion,
            handover,
        )
        self._registrations = Registrations(
            self._shelf, making, conversion, database, unbundling, reactor, handover
        )
        door = Door(
            Callers(Admission(users, roles, lockout, reactor), roles, reactor),
            Actions(self._store, users),
            Images(
                self._registrations,
                self._arrivals,
                self._shelf,
                users,
                database,
                files,
                bodies,
            ),
            self._store,
            s3.s3_domain,
            Gate("requests", s3.s3_max_requests),
        )
        self.site = StreamingSite(door, reactor, s3.s3_client_timeout)

    async def open(self) -> None:
        """
        Remove what an earlier process left unfinished, go on with its registrations.

        @raise StartupError: a directory can't be used.
        """
        for pool in self._pools:
            pool.start()
        try:
            await self._store.open()
            await self._pools[0].run(self._shelf.prepare)
            await self._registrations.start()
        except OSError as error:
            raise StartupError(f"can't use {error.filename}: {error.strerror}") from None

    async def close(self) -> None:
        """Wait for the requests in hand; registrations begin again at the next start."""
        await self.site.drain()
        await self._registrations.stop()
        await self._store.close()
        await self._pools[0].run(self._shelf.close)
        for pool in self._pools:
            await pool.stop()
