"""
A whole EC2 door in memory, driven by real clients' requests: for tests.

Everything is real but the image service and the bus: the database is given,
users live in memory, and messages to workers are written down.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, fromstring

from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.session import Session  # type: ignore[import-untyped]
from treq.testing import StubTreq
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from zope.interface import implementer

from nova_tx.api.site import ec2_site, metadata_site
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.lockout import Lockout
from nova_tx.auth.memory import MemoryUsers
from nova_tx.auth.signatures import v2_signature
from nova_tx.compute.client import ComputeClient
from nova_tx.context import RequestContext
from nova_tx.db import tags
from nova_tx.db.engine import Database, now
from nova_tx.flags import (
    AuthFlags,
    ComputeFlags,
    CryptoFlags,
    Ec2Flags,
    Flags,
    ImageFlags,
    NodeFlags,
    QuotaFlags,
    S3Flags,
)
from nova_tx.image.memory import MemoryImages
from nova_tx.model.images import Image, ImageSource, NewImage
from nova_tx.model.users import User
from nova_tx.operations import Operations
from nova_tx.operations.accounts import Accounts
from nova_tx.operations.attributes import Attributes
from nova_tx.operations.images import Images
from nova_tx.operations.instances import Instances
from nova_tx.operations.ipv6 import Ipv6
from nova_tx.operations.key_pairs import KeyPairs
from nova_tx.operations.power import PowerControl
from nova_tx.operations.quotas import Quotas
from nova_tx.operations.security_groups import SecurityGroups
from nova_tx.operations.tags import Tags
from nova_tx.operations.types import Types
from nova_tx.operations.zones import Zones
from nova_tx.rpc.interfaces import IRPC
from nova_tx.scheduler.client import SchedulerClient
from nova_tx.testing import ec2_model

HOST = "127.0.0.1:8773"
PATH = "/services/Cloud"
URL = f"http://{HOST}{PATH}"

#: What a client of 2011 and one of today say as Version.
OLD, NEW = "2009-11-30", "2016-11-15"


def an_image(**changes: object) -> Image:
    """A public machine image that is ready; C{changes} are other values of its fields."""
    image = Image(
        id="ami-tiny",
        location="lab/tiny.manifest.xml",
        owner="admin",
        is_public=True,
        architecture="x86_64",
        type="machine",
        state="available",
        state_reason=None,
        kernel_id=None,
        ramdisk_id=None,
        display_name="",
        description=None,
        size=1024,
    )
    return replace(image, **changes)  # type: ignore[arg-type]


class ImageShelf(MemoryImages):
    """
    Images that a test puts there.

    @ivar shown: ids that were asked for one by one, in order.
    """

    def __init__(self, database: Database | None = None) -> None:
        """
        @param database: where new images' tags go.
        """
        super().__init__()
        self.shown: list[str] = []
        self._database = database

    def put(self, *images: Image) -> None:
        """Add images, or replace them."""
        for image in images:
            self.add(image)

    async def show(self, context: RequestContext, image_id: str) -> Image:
        self.shown.append(image_id)
        return await super().show(context, image_id)

    async def register(self, context: RequestContext, new: NewImage) -> str:
        return await self._tagged(context, await super().register(context, new), new.tags)

    async def announce(
        self, context: RequestContext, source: ImageSource, name: str, description: str | None
    ) -> str:
        image_id = await super().announce(context, source, name, description)
        return await self._tagged(context, image_id, source.tags)

    async def _tagged(
        self, context: RequestContext, image_id: str, given: tuple[tuple[str, str], ...]
    ) -> str:
        if given and self._database:
            ends = {image_id: None}
            await self._database.run(tags.attach, context.project, ends, dict(given), now())
        return image_id


@implementer(IRPC)
class Notebook:
    """
    A bus that goes nowhere.

    @ivar casts: (topic, method, arguments) of what was sent.
    @ivar answers: by method, what calls are answered with.
    @ivar failure: raised instead of sending, if it is not None.
    """

    def __init__(self) -> None:
        self.casts: list[tuple[str, str, dict[str, object]]] = []
        self.answers: dict[str, object] = {}
        self.failure: Exception | None = None

    def trouble(self) -> str | None:
        return None if self.failure is None else str(self.failure)

    async def cast(
        self, context: RequestContext, topic: str, method: str, args: Mapping[str, object]
    ) -> None:
        if self.failure is not None:
            raise self.failure
        self.casts.append((topic, method, dict(args)))

    async def call(
        self,
        context: RequestContext,
        topic: str,
        method: str,
        args: Mapping[str, object],
        timeout: float | None = None,
    ) -> object:
        await self.cast(context, topic, method, args)
        return self.answers[method]

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def serve(self, topic: str, host: str, service: object) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class Answered:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def xml(self) -> Element:
        """The body as a document."""
        return fromstring(self.body)

    @property
    def code(self) -> str | None:
        """The EC2 error code."""
        return self.xml.findtext(".//Code")


def inline(work: Awaitable[Any]) -> Any:
    """The result of what has ended already, its failure raised."""
    results: list[Any] = []
    done: Deferred[Any] = (
        work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)  # type: ignore[arg-type]
    )
    _ = done.addBoth(results.append)
    assert results, "it has not ended"
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]


def _at_once(work: Callable[..., Any], *args: object) -> Awaitable[Any]:
    """Instead of a thread."""
    return succeed(work(*args))


class Door:
    """
    The EC2 door and the metadata service over a database.

    @ivar clock: starts at the time of the machine, for the clients' sake.
    """

    def __init__(self, database: Database, *arguments: str, users: IUsers | None = None) -> None:
        """
        @param arguments: flags.
        @param users: kept elsewhere than in memory.
        """
        sections = (
            *(AuthFlags, ComputeFlags, Ec2Flags),
            *(ImageFlags, NodeFlags, QuotaFlags, CryptoFlags, S3Flags),
        )
        flags = Flags.load(["--my_ip=127.0.0.1", *arguments], sections)
        self.database = database
        self.clock = Clock()
        self.clock.advance(time.time())
        self._moments = itertools.count()
        self.bus = Notebook()
        self.images = ImageShelf(database)
        self.users: IUsers = users or MemoryUsers()
        ec2, node = flags.section(Ec2Flags), flags.section(NodeFlags)
        images = Images(self.images, database, ComputeClient(self.bus, "compute"), self.clock)
        self.operations = Operations(
            instances=Instances(
                database,
                SchedulerClient(self.bus, "scheduler", "compute"),
                ComputeClient(self.bus, "compute"),
                images,
                ec2,
                flags.section(QuotaFlags),
                flags.section(ComputeFlags),
                flags.section(ImageFlags),
                self.clock,
            ),
            power=PowerControl(database, ComputeClient(self.bus, "compute"), self.clock),
            images=images,
            key_pairs=KeyPairs(database, self.clock, in_thread=_at_once),
            security_groups=SecurityGroups(database, self.clock),
            zones=Zones(database, ec2, node),
            accounts=Accounts(
                self.users,
                database,
                flags.section(AuthFlags),
                ec2,
                flags.section(S3Flags),
                flags.section(CryptoFlags),
                in_thread=_at_once,
            ),
            quotas=Quotas(database, flags.section(QuotaFlags)),
            ipv6=Ipv6(database),
            tags=Tags(database, self.images, ec2, self.clock),
            types=Types(database),
            attributes=Attributes(
                database,
                images,
                flags.section(QuotaFlags),
                flags.section(ImageFlags),
                self.clock,
            ),
        )
        auth = flags.section(AuthFlags)
        self.lockout = Lockout(database, auth, self.clock)
        self.site = ec2_site(self.users, self.lockout, self.operations, ec2, auth, self.clock)
        self.metadata_site = metadata_site(self.operations, ec2, self.clock)

    def add_user(self, name: str, is_admin: bool = False, roles: tuple[str, ...] = ()) -> User:
        """A user with a project of the same name, and roles in it; the key is the name."""
        user: User = inline(self.users.create_user(name, name, f"secret-of-{name}", is_admin))
        inline(self.users.create_project(name, name, None))
        for role in roles:
            inline(self.users.add_role(name, role, None))
            inline(self.users.add_role(name, role, name))
        return user

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        root: Resource | None = None,
    ) -> Answered:
        """
        Send a request as it is; what is answered to new clients is held to AWS's model.

        @param root: of another site than EC2's.
        """
        stub = StubTreq(self.site.resource if root is None else root)
        asked = stub.request(  # type: ignore[attr-defined]
            method, url, headers=dict(headers or {}), data=body
        )
        stub.flush()
        response = inline(asked)
        content = inline(response.content())
        if response.code == 200 and root is None:
            ec2_model.hold(url, body, content)
        return Answered(
            response.code,
            {
                name.decode().lower(): values[0].decode()
                for name, values in response.headers.getAllRawHeaders()
            },
            content,
        )

    def ask(
        self,
        user: User,
        action: str,
        parameters: Mapping[str, str] | None = None,
        version: str = NEW,
        project: str | None = None,
        method: str = "GET",
        path: str = PATH,
    ) -> Answered:
        """Send an action, signed with version 2 as the clients of the time do."""
        key = user.access_key if project is None else f"{user.access_key}:{project}"
        given = {
            "AWSAccessKeyId": key,
            "Action": action,
            "SignatureMethod": "HmacSHA256",
            "SignatureVersion": "2",
            "Timestamp": datetime.fromtimestamp(self.clock.seconds(), UTC).strftime(
                "%Y-%m-%dT%H:%M:%S"
            )
            + f".{next(self._moments):06}",  # else one second's like requests would be the same
            "Version": version,
            **(parameters or {}),
        }
        given["Signature"] = v2_signature(
            user.secret_key, given["SignatureMethod"], method, HOST, path, given
        )
        if method == "GET":
            return self.send(method, f"http://{HOST}{path}?{urlencode(given)}")
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.send(method, f"http://{HOST}{path}", form, urlencode(given).encode())

    def client(self, user: User, signature: str = "v4") -> Any:
        """botocore's EC2 client for a user, whose requests come here."""
        session = Session()
        session.set_credentials(user.access_key, user.secret_key)
        client = session.create_client(
            "ec2",
            region_name="nova",
            endpoint_url=URL,
            config=Config(signature_version=signature, retries={"total_max_attempts": 1}),
        )

        def send(request: Any, **_: object) -> AWSResponse:
            headers = {
                name: value.decode() if isinstance(value, bytes) else value
                for name, value in request.headers.items()
                if name.lower() != "content-length"
            }
            body = request.body.encode() if isinstance(request.body, str) else request.body
            answered = self.send(request.method, request.url, headers, body)
            return AWSResponse(
                request.url, answered.status, dict(answered.headers), _Raw(answered.body)
            )

        client.meta.events.register("before-send.ec2", send)
        return client


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: object, **__: object) -> list[bytes]:
        return [self._body]
