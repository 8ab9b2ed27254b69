"""
Instances: run, list, and what their consoles say.                     [spec/01 section 6]
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from nova_tx import states
from nova_tx.block_devices import Mapped
from nova_tx.compute.client import ComputeClient
from nova_tx.context import RequestContext, admin_context
from nova_tx.db import instance_details, instances, reservations
from nova_tx.db.engine import Database
from nova_tx.errors import InvalidInput, NovaError, Unavailable
from nova_tx.flags import ComputeFlags, Ec2Flags, ImageFlags, QuotaFlags
from nova_tx.log import background
from nova_tx.model.images import Image
from nova_tx.model.instances import (
    ClientToken,
    InstanceDetails,
    InstanceRequest,
)
from nova_tx.operations.clock import moment
from nova_tx.operations.idempotence import client_token
from nova_tx.operations.images import Images
from nova_tx.operations.tags import check_tags
from nova_tx.operations.together import together
from nova_tx.scheduler.client import SchedulerClient

_log = Logger()

#: What may follow when a guest switches itself off.
STOP, TERMINATE = "stop", "terminate"
#: Bytes of user data before base64, as AWS allows.
MAX_USER_DATA = 16 * 1024


@dataclass(frozen=True)
class Wanted:
    """
    What a user asks for; None leaves it to the cloud.

    @ivar user_data: base64.
    @ivar availability_zone: C{zone}, or C{zone:host} from an administrator.
    @ivar shutdown_behavior: C{stop} or C{terminate}.
    """

    image_id: str
    min_count: int | None = None
    max_count: int | None = None
    instance_type: str | None = None
    kernel_id: str | None = None
    ramdisk_id: str | None = None
    key_name: str | None = None
    security_groups: tuple[str, ...] = ()
    user_data: str | None = None
    availability_zone: str | None = None
    display_name: str | None = None
    display_description: str | None = None
    disable_api_termination: bool = False
    shutdown_behavior: str | None = None
    block_devices: tuple[Mapped, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


class Instances:
    """What a user may do with instances."""

    def __init__(
        self,
        database: Database,
        scheduler: SchedulerClient,
        compute: ComputeClient,
        images: Images,
        ec2: Ec2Flags,
        quotas: QuotaFlags,
        defaults: ComputeFlags,
        image: ImageFlags,
        clock: IReactorTime,
    ) -> None:
        self._database = database
        self._scheduler = scheduler
        self._compute = compute
        self._images = images
        self._listed_for = timedelta(seconds=ec2.terminated_instance_seconds)
        self._quotas = quotas
        self._default_type = defaults.default_instance_type
        self._null_kernel = image.null_kernel
        self._clock = clock

    async def run(
        self, context: RequestContext, wanted: Wanted, token: str | None = None
    ) -> tuple[InstanceDetails, ...]:
        """
        Start a reservation: answered as soon as its rows are safe.

        A row is never lost: if the scheduler can't be told now, it finds the
        row by itself. So nobody waits for that; the bus bounds what it keeps.

        @param token: a second request with it gets the reservation of the first, also
            if its image is gone meanwhile.
        @raise InvalidInput: counts, user data, tags or behaviour make no sense.
        @raise ImageNotFound, ImageUnavailable: an image can't be used.
        @raise InvalidInput, InvalidBlockDevices, QuotaExceeded, KeyPairNotFound,
            SecurityGroupNotFound, ZoneNotFound, TokenMismatch, TokenOver: as
            L{nova_tx.db.reservations.reserve}.
        """
        minimum, maximum = counts(wanted.min_count, wanted.max_count)
        check_user_data(wanted.user_data)
        claimed = client_token(context, "RunInstances", token, wanted)
        try:
            image, kernel_id, ramdisk_id = await self._boot_images(context, wanted)
        except NovaError:
            earlier = await self._earlier(context, claimed)
            if not earlier:
                raise
            return self._told(context, earlier)
        request = InstanceRequest(
            image_id=wanted.image_id,
            kernel_id=kernel_id,
            ramdisk_id=ramdisk_id,
            instance_type=wanted.instance_type or self._default_type,
            min_count=minimum,
            max_count=maximum,
            key_name=wanted.key_name,
            security_groups=wanted.security_groups,
            user_data=wanted.user_data,
            availability_zone=wanted.availability_zone,
            display_name=wanted.display_name,
            display_description=wanted.display_description,
            architecture=image.architecture,
            disable_api_termination=wanted.disable_api_termination,
            shutdown_behavior=check_behavior(wanted.shutdown_behavior or STOP),
            block_devices=wanted.block_devices,
            tags=check_tags(wanted.tags),
            client_token=claimed,
        )
        reserved = await self._database.run(
            reservations.reserve,
            context,
            request,
            self._quotas,
            moment(self._clock),
            self._listed_after(),
        )
        return self._told(context, reserved)

    async def _earlier(
        self, context: RequestContext, token: ClientToken | None
    ) -> tuple[InstanceDetails, ...]:
        """What was launched with a token, if anything was."""
        if token is None:
            return ()
        return await self._database.read(reservations.earlier, context, token, moment(self._clock))

    def _told(
        self, context: RequestContext, reserved: tuple[InstanceDetails, ...]
    ) -> tuple[InstanceDetails, ...]:
        """A reservation, once a scheduler is being told of those that have no host."""
        for each in reserved:
            if each.instance.state_description == states.SCHEDULING and not each.instance.host:
                _ = background(self._schedule(context, each.instance.id), "telling a scheduler")
        return reserved

    async def _boot_images(
        self, context: RequestContext, wanted: Wanted
    ) -> tuple[Image, str | None, str | None]:
        """
        The image, kernel and ramdisk to boot with, all of them usable.

        What the image itself names is known with it, and looked at then.
        """
        raw = wanted.kernel_id == self._null_kernel
        named = () if raw else (wanted.kernel_id, wanted.ramdisk_id)
        seen = dict.fromkeys((wanted.image_id, *(each for each in named if each)))
        image, *_ = await together(self._images.usable(context, each) for each in seen)
        if image.type != "machine":
            raise InvalidInput(f"The image id '{image.id}' is a {image.type}'s, not a machine's")
        kernel_id = wanted.kernel_id or image.kernel_id
        if kernel_id == self._null_kernel:
            return image, None, None
        ramdisk_id = wanted.ramdisk_id or image.ramdisk_id
        if kernel_id:  # else the disk boots by itself, whatever ramdisk there is
            own = [each for each in (kernel_id, ramdisk_id) if each and each not in seen]
            await together(self._images.usable(context, each) for each in own)
        return image, kernel_id, ramdisk_id

    async def _schedule(self, context: RequestContext, instance_id: int) -> None:
        try:
            await self._scheduler.run_instance(context, instance_id)
        except Unavailable as error:
            _log.warn(
                "instance {id} waits for a scheduler that looks for it: {error}",
                id=instance_id,
                error=str(error),
            )

    async def resume(self) -> None:
        """Tell a scheduler again of what an API that died may not have told it."""
        waiting = await self._database.read(instances.untold)
        await together(
            self._schedule(admin_context(each.user_id, each.project_id), each.id)
            for each in waiting
        )

    async def listed(
        self, context: RequestContext, ids: Sequence[int] = ()
    ) -> tuple[InstanceDetails, ...]:
        """
        The instances that the caller may see, those terminated lately among them.

        @raise InstanceNotFound: one of C{ids} is not there, or another project's.
        """
        return await self._database.read(
            instance_details.details, context, ids, self._listed_after()
        )

    def _listed_after(self) -> datetime:
        """Instances that ended before are gone."""
        return moment(self._clock) - self._listed_for

    async def at_address(self, address: str) -> InstanceDetails:
        """
        The instance that has an address: who asks the metadata service.

        @raise FixedIpNotFound: no instance has it.
        """
        return await self._database.read(instance_details.at_address, address)

    async def console(self, context: RequestContext, instance_id: int) -> tuple[datetime, bytes]:
        """
        What the guest last wrote to its console, and when that was read.

        Nothing while it has no host, or when it is gone.

        @raise InstanceNotFound: it is not there, or another project's.
        @raise RemoteTimeout, Unavailable: its host does not answer.
        """
        (found,) = await self.listed(context, (instance_id,))
        host = found.instance.host
        if host is None or found.instance.state_description == states.TERMINATED:
            return moment(self._clock), b""
        output = await self._compute.get_console_output(context, host, instance_id)
        return moment(self._clock), output


def counts(minimum: int | None, maximum: int | None) -> tuple[int, int]:
    """
    How many at least and at most.

    @raise InvalidInput: none, or more at least than at most.
    """
    most = maximum if maximum is not None else minimum if minimum is not None else 1
    least = minimum if minimum is not None else most
    if least < 1:
        raise InvalidInput(f"Value ({least}) for parameter minCount is invalid. Minimum is 1")
    if least > most:
        raise InvalidInput(
            f"Value ({most}) for parameter maxCount is invalid. It is less than minCount ({least})"
        )
    return least, most


def check_behavior(behavior: str) -> str:
    """
    See that it is something that can follow when a guest switches itself off.

    @raise InvalidInput: it is not.
    """
    if behavior not in (STOP, TERMINATE):
        raise InvalidInput(
            f"Invalid value '{behavior}' for InstanceInitiatedShutdownBehavior: "
            f"{STOP} or {TERMINATE}"
        )
    return behavior


def check_user_data(user_data: str | None) -> None:
    """
    See that user data is base64, and short enough.

    @raise InvalidInput: it is not.
    """
    if user_data is None:
        return
    try:
        raw = base64.b64decode("".join(user_data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("Invalid BASE64 encoding of user data") from None
    if len(raw) > MAX_USER_DATA:
        raise InvalidInput(f"User data is limited to {MAX_USER_DATA} bytes")
