"""
The facts that rooms hand to each other: frozen, without behaviour.

Times are naive UTC C{datetime}s; sizes say their unit in the name; an address
or a network is text (C{10.0.0.3}, C{10.0.0.0/24}).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

# Who.


@dataclass(frozen=True)
class User:
    """
    A user. The printed form leaves the keys out.

    @ivar roles: roles held in the whole cloud.
    """

    id: str
    access_key: str
    secret_key: str
    is_admin: bool
    roles: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<User {self.id}>"


@dataclass(frozen=True)
class Project:
    """A project: what owns instances, images and buckets."""

    id: str
    manager: str
    description: str
    members: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Membership:
    """
    A user in a project, as one look-up by access key finds them.

    @ivar member: the user is a member (a manager always is).
    @ivar project_roles: roles held in this project.
    @ivar failures: how often the access key was used wrongly of late.
    @ivar locked_until: it opens nothing before that time, naive UTC.
    """

    user: User
    project: Project
    member: bool
    project_roles: frozenset[str] = frozenset()
    failures: int = 0
    locked_until: datetime | None = None


# Instances.


@dataclass(frozen=True)
class InstanceType:
    """A size of instance."""

    name: str
    memory_mb: int
    vcpus: int
    local_gb: int
    flavorid: int


#: Bexar's five types.                                          [spec/02 section 5]
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
    What RunInstances asks for, checked in form: the image is visible, the type exists.

    @ivar architecture: the image's.
    @ivar block_devices: see L{Instance}.
    """

    image_id: str
    kernel_id: str | None
    ramdisk_id: str | None
    instance_type: InstanceType
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
    block_devices: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    client_token: ClientToken | None = None


@dataclass(frozen=True)
class KeyPair:
    """A key pair of a user, without id before it has a row. The private key is never kept."""

    user_id: str
    name: str
    fingerprint: str
    public_key: str
    key_type: str = "rsa"
    id: int | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class SecurityGroupRule:
    """
    What a security group lets in: from a network, or from another group.

    @ivar from_port: first port, or icmp type; -1 is any.
    @ivar to_port: last port, or icmp code; -1 is any.
    """

    protocol: str | None
    from_port: int | None
    to_port: int | None
    cidr: str | None
    group_name: str | None
    group_project: str | None


@dataclass(frozen=True)
class SecurityGroup:
    """A security group with its rules."""

    id: int
    project_id: str
    user_id: str
    name: str
    description: str
    rules: tuple[SecurityGroupRule, ...]


@dataclass(frozen=True)
class Service:
    """
    A worker's row.

    @ivar updated_at: its last heartbeat, None before the first.
    @ivar age: seconds since the last sign of life, by the database's clock.
    """

    id: int
    host: str
    binary: str
    topic: str
    report_count: int
    disabled: bool
    availability_zone: str
    created_at: datetime
    updated_at: datetime | None
    age: float


@dataclass(frozen=True)
class Host:
    """
    A live compute host, as a scheduling policy sees it.

    @ivar vcpus_used: virtual CPUs of the instances on it.
    """

    name: str
    zone: str
    vcpus_used: int


# Network.


@dataclass(frozen=True)
class Network:
    """A row of C{networks}."""

    id: int
    cidr: str
    netmask: str
    bridge: str
    gateway: str
    broadcast: str
    dns: str | None
    dhcp_start: str
    vlan: int | None
    label: str | None
    project_id: str | None
    host: str | None
    injected: bool


@dataclass(frozen=True)
class FixedIp:
    """A row of C{fixed_ips}."""

    id: int
    address: str
    network_id: int
    instance_id: int | None
    allocated: bool
    leased: bool
    reserved: bool


@dataclass(frozen=True)
class Nic:
    """
    An instance's place in a network: the answer of C{allocate_fixed_ip}.

    Travels as JSON (C{dataclasses.asdict} there, C{Nic(**value)} here).
    """

    mac: str
    address: str
    bridge: str
    cidr: str
    netmask: str
    gateway: str
    broadcast: str
    dns: str | None


@dataclass(frozen=True)
class DhcpHost:
    """One guest that a DHCP server knows."""

    mac: str
    hostname: str
    address: str


@dataclass(frozen=True)
class NetworkPlan:
    """
    All that a network host needs to know to carry a network: the fabric never asks.

    @ivar interface: the host's interface to put into the bridge, or None.
    @ivar metadata: (address, port) that 169.254.169.254:80 leads to.
    @ivar source_address: address that guests' traffic to the outside leaves
        with; None lets the kernel choose (masquerade).
    @ivar dmz_cidr: a range that guests reach with their own address.
    @ivar dns_server: upstream of the DHCP server's DNS; None uses the host's.
    """

    bridge: str
    cidr: str
    gateway: str
    netmask: str
    broadcast: str
    dhcp_start: str
    interface: str | None
    metadata: tuple[str, int]
    source_address: str | None
    dmz_cidr: str | None
    dns_server: str | None
    hosts: tuple[DhcpHost, ...]


# Hypervisor.


@dataclass(frozen=True)
class BootFiles:
    """
    Files on this host that a guest boots from.

    @ivar image: of the root disk (raw), read only, shared by guests.
    @ivar kernel: None for an image that boots by itself.
    @ivar ramdisk: None without one.
    """

    image: str
    kernel: str | None
    ramdisk: str | None


@dataclass(frozen=True)
class GuestSpec:
    """
    All that a virt driver may know of a guest.

    @ivar name: the hypervisor's name for it, C{instance-0000000a}.
    @ivar directory: where its files go; made by the driver, removed by its destroy.
    @ivar image: file of the base root disk (raw), read only, shared by guests.
    @ivar kernel: file of the kernel, or None for an image that boots by itself.
    @ivar ramdisk: file of the ramdisk, or None.
    @ivar root_bytes: size that the root disk is grown to; 0 leaves the image's.
    @ivar local_gb: size of the second, empty disk; 0 for none.
    @ivar local_device: what the second disk is called.
    """

    name: str
    directory: str
    image: str
    kernel: str | None
    ramdisk: str | None
    memory_mb: int
    vcpus: int
    root_bytes: int
    local_gb: int
    nics: tuple[Nic, ...]
    local_device: str = "vdb"


# Images.


@dataclass(frozen=True)
class Image:
    """
    An image in the registry.

    @ivar location: C{bucket/manifest} it was registered from, C{owner/name} if from none.
    @ivar type: machine, kernel or ramdisk.
    @ivar state: pending, decrypting, untarring, available or failed.
    @ivar state_reason: why it failed, for its owner to read.
    @ivar size: bytes of the image file, None until available.
    @ivar instance_id: the instance whose disk it is, None if it was registered.
    @ivar launch_projects: projects that may launch it beside its owner: all of them as its
        owner sees it, oneself at most as others do.
    """

    id: str
    location: str
    owner: str
    is_public: bool
    architecture: str
    type: str
    state: str
    state_reason: str | None
    kernel_id: str | None
    ramdisk_id: str | None
    display_name: str
    description: str | None
    size: int | None
    instance_id: int | None = None
    created_at: datetime | None = None
    launch_projects: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageChange:
    """
    What is to be another way with an image; None and nothing leave it as it is.

    @ivar is_public: everybody may launch it.
    @ivar add: projects that may launch it, too.
    @ivar remove: projects that may not any more; one in both lists may.
    @ivar reset: first, nobody may but its owner.
    """

    display_name: str | None = None
    description: str | None = None
    is_public: bool | None = None
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    reset: bool = False


@dataclass(frozen=True)
class ImageSource:
    """An instance whose disk becomes an image, and what the image has of it."""

    instance_id: int
    kernel_id: str | None
    ramdisk_id: str | None
    architecture: str


@dataclass(frozen=True)
class AwaitedImage:
    """
    An image whose file a compute host is to bring.

    @ivar host: where the instance is, None if it is nowhere.
    @ivar user_id: who asked for it, in project C{project_id}.
    @ivar since: when it was announced.
    """

    image_id: str
    instance_id: int
    host: str | None
    user_id: str
    project_id: str
    since: datetime | None = field(default=None, compare=False)
