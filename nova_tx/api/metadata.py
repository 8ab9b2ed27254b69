"""
The metadata service: what a guest may know of itself.                 [spec/03]

Who asks is known by the address of the TCP connection, and by nothing else
(unless C{use_forwarded_for} trusts a proxy).
Unlike Nova's: 404 for an address without instance and for user data that is
not there (cloud-init knows both), sorted listings, a leaf has nothing below
it, no C{mpi/}, and security groups are named.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from nova_tx import block_devices
from nova_tx.access_log import trace
from nova_tx.api.web import Answer, AsyncResource, asker
from nova_tx.context import RequestContext
from nova_tx.errors import AuthFailure, InvalidInput, NotFound
from nova_tx.flags import Ec2Flags
from nova_tx.gate import Gate
from nova_tx.ids import instance_ec2_id
from nova_tx.model.instances import InstanceDetails
from nova_tx.operations import Operations

#: The versions that are served, all alike; C{latest} is not listed.
VERSIONS = (
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
)
LATEST = "latest"

#: Seconds that a session token may live.
LONGEST_TOKEN = 21600

_TOKEN = "x-aws-ec2-metadata-token"
_TOKEN_LIFE = "x-aws-ec2-metadata-token-ttl-seconds"

#: A directory, or a leaf's text.
Tree = Mapping[str, "Tree | bytes"]


def versions() -> Answer:
    """What C{GET /} lists."""
    return Answer("".join(f"{each}\n" for each in VERSIONS).encode())


class MetadataResource(AsyncResource):
    """All of the service; a token of IMDSv2 is checked if one is sent."""

    def __init__(self, operations: Operations, flags: Ec2Flags, clock: IReactorTime) -> None:
        super().__init__()
        self.room = Gate("requests of guests", flags.ec2_max_requests)
        self._instances = operations.instances
        self._tokens = Tokens(secrets.token_bytes(32))
        self._clock = clock
        self._forwarded = flags.use_forwarded_for

    async def answer(self, request: Request, request_id: str) -> Answer:
        """
        A listing, or a value; 404 if there is none, or nobody at that address.

        @raise InvalidInput, AuthFailure: a token was asked for wrongly.
        """
        trace(request, RequestContext(None, None, request_id=request_id), "metadata")
        address = asker(request, self._forwarded) or ""
        path = [part for part in request.path.decode("latin-1").split("/") if part]
        now = int(self._clock.seconds())
        if request.method == b"PUT" and path == [LATEST, "api", "token"]:
            return self._new_token(request, address, now)
        if request.method not in (b"GET", b"HEAD"):
            return Answer(b"", status=405, headers={"allow": "GET, HEAD"})
        token = request.getHeader(_TOKEN)
        if token is not None and not self._tokens.valid(token, address, now):
            return Answer(b"", status=401)
        if not path:
            return versions()
        try:
            return Answer(await self._value(address, path))
        except NotFound as error:
            return Answer(f"{error}\n".encode(), status=404)

    async def _value(self, address: str, path: list[str]) -> bytes:
        if path[0] not in (*VERSIONS, LATEST):
            raise NotFound("There is no such version")
        return look_up(tree(await self._instances.at_address(address)), path[1:])

    def _new_token(self, request: Request, address: str, now: int) -> Answer:
        if not self._forwarded and request.getHeader("x-forwarded-for") is not None:
            raise AuthFailure("The request came through a proxy")
        life = request.getHeader(_TOKEN_LIFE) or ""
        if not re.fullmatch(r"[0-9]{1,5}", life) or not 1 <= int(life) <= LONGEST_TOKEN:
            raise InvalidInput(f"{_TOKEN_LIFE} must be 1 to {LONGEST_TOKEN}")
        token = self._tokens.new(address, now + int(life))
        return Answer(token.encode(), headers={_TOKEN_LIFE: life})


class Tokens:
    """Session tokens that nobody has to remember: an address and an end, sealed."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def new(self, address: str, ends: int) -> str:
        """A token for an address, good until C{ends} (seconds of the epoch)."""
        return f"{ends}.{self._seal(address, ends)}"

    def valid(self, token: str, address: str, now: int) -> bool:
        """Whether a token is ours, that address's, and not over."""
        ends, _, seal = token.partition(".")
        if not re.fullmatch(r"[0-9]{1,12}", ends) or int(ends) <= now:
            return False
        return hmac.compare_digest(seal.encode(), self._seal(address, int(ends)).encode())

    def _seal(self, address: str, ends: int) -> str:
        digest = hmac.new(self._key, f"{address} {ends}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode()


def tree(details: InstanceDetails) -> Tree:
    """All that an instance may read, below the version.  [spec/03 section 4]"""
    instance = details.instance
    wanted_zone = (instance.availability_zone or "").partition(":")[0]
    values: dict[str, str | None] = {
        "ami-id": instance.image_id,
        "ami-launch-index": str(instance.launch_index),
        "ami-manifest-path": "(unknown)",
        "hostname": instance.hostname,
        "instance-action": "none",
        "instance-id": instance_ec2_id(instance.id),
        "instance-type": instance.instance_type,
        "kernel-id": instance.kernel_id,
        "local-hostname": instance.hostname,
        "local-ipv4": details.fixed_ip,
        "public-hostname": instance.hostname,
        "public-ipv4": details.floating_ip or "",
        "ramdisk-id": instance.ramdisk_id,
        "reservation-id": instance.reservation_id,
        "security-groups": "\n".join(details.groups),
    }
    meta_data: dict[str, Tree | bytes] = {
        name: value.encode() for name, value in values.items() if value is not None
    }
    meta_data["block-device-mapping"] = _devices(instance.block_devices)
    zone = details.zone or wanted_zone or "unknown zone"
    meta_data["placement"] = {"availability-zone": zone.encode()}
    if instance.key_name:
        key = (instance.key_data or "").encode()
        meta_data["public-keys"] = {f"0={instance.key_name}": {"openssh-key": key}}
    else:
        meta_data["public-keys"] = b""
    top: dict[str, Tree | bytes] = {"meta-data": meta_data}
    if instance.user_data:
        top["user-data"] = base64.b64decode(instance.user_data)
    return top


def _devices(asked: str | None) -> Tree:
    """The devices of 2011, which are nobody's, or those that were asked for at launch."""
    devices: dict[str, Tree | bytes] = {"ami": b"sda1", "root": block_devices.ROOT.encode()}
    if asked is None:
        return {**devices, block_devices.EPHEMERAL: b"sda2", "swap": b"sda3"}
    device = block_devices.ephemeral(asked)
    if device is not None:
        devices[block_devices.EPHEMERAL] = device.removeprefix("/dev/").encode()
    return devices


def look_up(found: Tree | bytes, path: list[str]) -> bytes:
    """
    A leaf's value, or a directory's listing: one name a line, sorted.

    A directory C{0=name} is found as C{0}, and shown without a slash.

    @raise NotFound: there is nothing of that name.
    """
    for part in path:
        if isinstance(found, bytes):
            raise NotFound("There is nothing below this")
        children = {name.partition("=")[0]: child for name, child in found.items()}
        if part not in children:
            raise NotFound("There is nothing of that name")
        found = children[part]
    if isinstance(found, bytes):
        return found
    lines = (
        name if isinstance(child, bytes) or "=" in name else f"{name}/"
        for name, child in sorted(found.items())
    )
    return "\n".join(lines).encode()
