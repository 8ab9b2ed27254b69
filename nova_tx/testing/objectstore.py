"""An objectstore in this process, on loopback, with three users and a bundle: for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.task import deferLater

from nova_tx.auth import certificates
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.lockout import Lockout
from nova_tx.db import image_permissions, images
from nova_tx.db.engine import Database
from nova_tx.flags import AuthFlags, BackendFlags, CryptoFlags, ImageFlags, S3Flags
from nova_tx.image.bundles import bundle
from nova_tx.image.interfaces import IDepot
from nova_tx.image.objectstore import ObjectstoreImages
from nova_tx.model.images import ImageChange
from nova_tx.objectstore.disk.store import Store
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.site import Objectstore
from nova_tx.objectstore.threads import InlinePool
from nova_tx.process import Runner
from nova_tx.testing.objectstore_server import flags_for, known_users


@cache
def identity(name: str) -> tuple[bytes, bytes]:
    """A key and a certificate of it, PEM; the same for the same name."""
    key = certificates.new_key()
    now = datetime(2020, 1, 1)
    subject = certificates.subject("/CN=%s", name)
    signed = certificates.root(subject, key, (now, now + timedelta(days=36500)))
    return certificates.key_pem(key), signed.public_bytes(Encoding.PEM)


def install_authority(directory: str) -> None:
    """Give a directory the certificate authority of L{identity}'s C{cloud}."""
    key, certificate = identity("cloud")
    flags = flags_for(directory).section(CryptoFlags)
    key_file = Path(flags.ca_path, flags.key_file)
    key_file.parent.mkdir(parents=True, exist_ok=True)
    key_file.write_bytes(key)
    Path(flags.ca_path, flags.ca_file).write_bytes(certificate)


def make_bundle(directory: Path, content: bytes, **options: Any) -> tuple[str, ...]:
    """A bundle C{disk} of some content, encrypted for the cloud, signed by joe; its paths."""
    directory.mkdir(parents=True, exist_ok=True)
    source = directory / "disk"
    source.write_bytes(content)
    key, certificate = identity("joe")
    values: dict[str, Any] = {"arch": "x86_64", "kernel": None, "ramdisk": None, **options}
    return bundle(
        str(source),
        str(directory),
        "disk",
        user_key=key,
        user_cert=certificate,
        cloud_cert=identity("cloud")[1],
        **values,
    )


def put(store: Store, bucket: str, key: str, content: bytes, modified: float = 0.0) -> None:
    """An object, past the door."""
    path, file = store.begin()
    file.write(content)
    store.commit(path, file, bucket, key, Facts(len(content), "0" * 32, modified, {}, {}))


class RunningObjectstore:
    """
    All its parts: files in one directory, a database in memory.

    @ivar images: a client of it.
    """

    def __init__(
        self,
        directory: Path,
        database: Database,
        reactor: Any,
        *more: str,
        users: IUsers | None = None,
        depot: IDepot | None = None,
        port: int = 0,
    ) -> None:
        """
        @param depot: where images go that are made.
        @param port: to listen on; 0: any, another one at each start.
        @param more: flags.
        @param users: others than the known ones.
        """
        self.directory = directory
        self.database = database
        self._users = users
        self.flags = flags_for(str(directory), *more)
        self.store = Store(self.flags.section(S3Flags).buckets_path)
        self.reactor = reactor
        self._depot = depot
        self._port = port

    async def open(self) -> None:
        """Start, or start again."""
        users = self._users or await known_users()
        self.objectstore = Objectstore(
            self.flags.section(S3Flags),
            self.flags.section(BackendFlags),
            self.flags.section(ImageFlags),
            self.flags.section(CryptoFlags),
            self.flags.section(AuthFlags),
            users,
            Lockout(self.database, self.flags.section(AuthFlags), self.reactor),
            self.database,
            Runner(self.reactor, ()),
            self.reactor,
            (InlinePool(), InlinePool(), InlinePool()),
            depot=self._depot,
        )
        await self.objectstore.open()
        site = self.objectstore.site
        self._listening = self.reactor.listenTCP(self._port, site, interface="127.0.0.1")
        self.port: int = self._listening.getHost().port
        self.images = ObjectstoreImages(
            S3Flags(s3_host="127.0.0.1", s3_port=self.port), users, self.reactor
        )

    async def close(self) -> None:
        """End all connections."""
        await self.images.close()
        await self._listening.stopListening()
        await self.objectstore.close()

    async def settled(self, image_id: str) -> None:
        """Wait until an image is available or failed."""
        while True:
            image = await self.database.read(images.get, None, True, image_id)
            if image.state in (images.AVAILABLE, images.FAILED):
                return
            await deferLater(self.reactor, 0.01)

    async def set_public(self, image_id: str) -> None:
        """Let every project see an image."""
        wanted = ImageChange(is_public=True)
        await self.database.run(image_permissions.change, None, True, image_id, wanted)

    async def set_pending(self, image_id: str) -> None:
        """Put an image back to its first state."""
        await self.database.run(
            images.advance, image_id, images.AVAILABLE, images.PENDING, size=None
        )


@asynccontextmanager
async def running_objectstore(
    directory: Path,
    database: Database,
    reactor: Any,
    *more: str,
    users: IUsers | None = None,
    depot: IDepot | None = None,
    port: int = 0,
) -> AsyncIterator[RunningObjectstore]:
    """An objectstore that answers, with joe's empty bucket C{bucket}; C{more} are flags."""
    install_authority(str(directory))
    running = RunningObjectstore(
        directory, database, reactor, *more, users=users, depot=depot, port=port
    )
    await running.open()
    running.store.create(Bucket("bucket", "joe", 0.0))
    try:
        yield running
    finally:
        await running.close()
