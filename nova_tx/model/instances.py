"""
Facts of instances: what they are, what is asked for and what is shown of them.

Facts are what rooms hand to each other: frozen, without behaviour.  Times are naive UTC
C{datetime}s; sizes say their unit in the name; an address or a network is text
(C{10.0.0.3}, C{10.0.0.0/24}).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nova_tx.block_devices import Mapped


@dataclass(frozen=True)
class InstanceType:
    """
    A size of instance.

    @ivar swap: in GB; like C{rxtx_quota}, in GB, and C{rxtx_cap}, in MB, kept for those who
        ask, and nothing that guests get.
    """

    name: str
    memory_mb: int
    vcpus: int
    local_gb: int
    flavorid: int
    swap: int = 0
    rxtx_quota: int = 0
    rxtx_cap: int = 0


#: Bexar's five types; an operator may have made others of them.   [spec/02 section 5]
INSTANCE_TYPES: dict[str, InstanceType] = {
    each.name: each
    for each in (
        InstanceType("m1.tiny", 512, 1, 0, 1),
        InstanceType("m1.small", 2048, 1, 20, 2),
        InstanceType("m1.medium", 4096, 2, 40, 3),
        InstanceType("m1.large", 8192, 4, 80, 4),
        InstanceType("m1.xlarge", 16384, 8, 160, 5),
    )
}


@dataclass(frozen=True)
class Instance:
    """
    A row of C{instances}.

    @ivar state: the power number, see L{nova_tx.states.POWER}.
    @ivar state_description: the state, one of L{nova_tx.states}.
    @ivar reason: why it is in C{error}, for its owner to read.
    @ivar user_data: as the client sent it: base64.
    @ivar build_attempts: how often a compute host has begun to build its guest.
    @ivar disable_api_termination: it is protected: TerminateInstances is refused.
    @ivar shutdown_behavior: what follows when its guest switches itself off: C{stop} or
        C{terminate}.
    @ivar block_devices: what was asked for, as L{nova_tx.block_devices} writes it, None if
        nothing was.
    @ivar client_token: what made its launch idempotent.
    @ivar architecture: its image's.
    """

    id: int
    reservation_id: str
    user_id: str
    project_id: str
    image_id: str
    kernel_id: str | None
    ramdisk_id: str | None
    launch_index: int
    key_name: str | None
    key_data: str | None
    state: int | None
    state_description: str
    reason: str | None
    instance_type: str
    memory_mb: int
    vcpus: int
    local_gb: int
    hostname: str
    host: str | None
    user_data: str | None
    mac_address: str
    availability_zone: str | None
    display_name: str
    display_description: str
    locked: bool
    created_at: datetime
    updated_at: datetime | None
    scheduled_at: datetime | None
    launched_at: datetime | None
    terminated_at: datetime | None
    deleted: bool
    build_attempts: int = 0
    disable_api_termination: bool = False
    shutdown_behavior: str = "stop"
    block_devices: str | None = None
    client_token: str | None = None
    architecture: str | None = None


@dataclass(frozen=True)
class InstanceDetails:
    """
    An instance with all that a list shows of it.

    @ivar fixed_ip: its address, None until it has one.
    @ivar floating_ip: its first floating address.
    @ivar groups: names of its security groups.
    @ivar zone: the availability zone of its host, None without a host.
    @ivar tags: those that the project of whoever asks gave it.
    """

    instance: Instance
    fixed_ip: str | None
    floating_ip: str | None
    groups: tuple[str, ...]
    zone: str | None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tag:
    """
    A tag as a list of tags shows it.

    @ivar resource_type: C{instance}, C{image} …, as AWS calls it.
    """

    resource_id: str
    resource_type: str
    key: str
    value: str


@dataclass(frozen=True)
class ClientToken:
    """
    What makes a request idempotent.

    @ivar fingerprint: of the request's parameters: another request is not answered with this one's
        result.
    """

    action: str
    text: str
    fingerprint: str


@dataclass(frozen=True)
class InstanceRequest:
    """
    What RunInstances asks for, checked in form: the image is visible.

    @ivar architecture: the image's.
    """

    image_id: str
    kernel_id: str | None
    ramdisk_id: str | None
    instance_type: str
    min_count: int
    max_count: int
    key_name: str | None
    security_groups: tuple[str, ...]
    user_data: str | None
    availability_zone: str | None
    display_name: str | None
    display_description: str | None
    architecture: str | None = None
    disable_api_termination: bool = False
    shutdown_behavior: str = "stop"
    block_devices: tuple[Mapped, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    client_token: ClientToken | None = None
