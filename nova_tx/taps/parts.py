"""
Builds what daemons are made of, each part once, from the flags.

A constructor says by its annotations what it needs: a section of flags, the
database, the bus, a driver that a flag chooses.  It is given just that.
Nothing is opened here: that is L{nova_tx.taps.daemon}'s, after the fork.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterable
from functools import cached_property
from types import ModuleType
from typing import Any, TypeVar

import nova_tx.auth
import nova_tx.image
import nova_tx.network.fabric
import nova_tx.network.managers
import nova_tx.scheduler.policies
import nova_tx.virt
import nova_tx.virt.libvirt
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.lockout import Lockout
from nova_tx.compute.client import ComputeClient
from nova_tx.db import services
from nova_tx.db.engine import Database
from nova_tx.errors import StartupError, Unavailable
from nova_tx.flags import (
    AuthFlags,
    BusFlags,
    ComputeFlags,
    Flags,
    ImageFlags,
    NetworkFlags,
    NodeFlags,
    SchedulerFlags,
)
from nova_tx.image.interfaces import IImages
from nova_tx.image.local import LocalImages
from nova_tx.image.objectstore import ObjectstoreImages
from nova_tx.monitor.health import Ask
from nova_tx.network.client import NetworkClient
from nova_tx.network.fabric.interfaces import IFabric
from nova_tx.network.fabric.memory import MemoryFabric
from nova_tx.network.managers.interfaces import INetworkManager
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
from nova_tx.process import IRunner, Runner
from nova_tx.registry import by_name, choose, definitions, is_class, registered
from nova_tx.rpc.amqp import AmqpRPC
from nova_tx.rpc.interfaces import IRPC
from nova_tx.rpc.memory import MemoryRPC
from nova_tx.scheduler.client import SchedulerClient
from nova_tx.scheduler.policies.interfaces import IPolicy
from nova_tx.taps.descriptors import OWN
from nova_tx.virt.interfaces import IVirtDriver
from nova_tx.worker import Serving, Worker

T = TypeVar("T")

#: Parts that are asked whether they are well.
DATABASE, BUS, HYPERVISOR = "database", "bus", "hypervisor"

#: What compute_driver is where connection_type says it.
BY_CONNECTION_TYPE = "nova.virt.connection.get_connection"


def drivers(interface: Any, *packages: ModuleType) -> dict[str, Any]:
    """The classes of some packages that provide an interface, under each of their names."""
    found = [
        value
        for package in packages
        for value in definitions(package, is_class)
        if interface.implementedBy(value)
    ]
    table = offered(found, *(package.__name__ for package in packages))
    for name, value in table.items():
        if not interface.implementedBy(value):
            raise StartupError(f"{name} is registered, but is no {interface.__name__}")
    return table


def offered(ours: Iterable[Any], *groups: str) -> dict[str, Any]:
    """
    Our classes, and those that other distributions register, by name.

    @param groups: entry point groups.
    @raise StartupError: two have the same name, or one can't be loaded.
    """
    table = by_name(ours, lambda each: each.names)
    for group in groups:
        for name, value in registered(group).items():
            if name in table:
                raise StartupError(f"{name} is registered under {group}, but that name is taken")
            table[name] = value
    return table


class Parts:
    """
    The parts of one process; asking twice gives the same part.

    @ivar checks: how each part that can be away is asked whether it is well.
    """

    def __init__(self, flags: Flags, reactor: Any, patience: float | None) -> None:
        """
        @param patience: seconds to wait for a database that went away; None: for ever.
        """
        self.flags = flags
        self.reactor = reactor
        self.descriptors = OWN
        self._patience = patience
        self.checks: dict[str, Ask] = {DATABASE: self._ask_database, BUS: self._ask_bus}

    def make(self, wanted: Callable[..., T], **given: object) -> T:
        """
        Call a constructor with what its parameters ask for by their types.

        @param given: parameters that are settled already.
        """
        init = wanted.__init__ if inspect.isclass(wanted) else wanted
        hints = typing.get_type_hints(init)
        for name, parameter in inspect.signature(wanted).parameters.items():
            if name not in given and parameter.default is parameter.empty:
                given[name] = self._supply(wanted, name, hints.get(name))
        return wanted(**given)

    def _supply(self, wanted: object, name: str, kind: Any) -> object:
        if name in ("reactor", "clock"):
            return self.reactor
        if kind in _SUPPLIES:
            return getattr(self, _SUPPLIES[kind])
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            return self.flags.section(kind)
        raise TypeError(f"{wanted}: there is nothing to give for {name}: {kind}")

    def worker(self, own: type[Worker], name: str, flag: str) -> Worker:
        """
        What works on a topic's messages, as a flag says.

        @param own: ours; others are entry points of the group that is called as its package.
        """
        table = offered((own,), own.__module__.rpartition(".")[0])
        chosen: Worker = self.make(choose(table, name, f"--{flag}"))
        return chosen

    def serving(self, worker: Worker, topic: str, binary: str) -> Serving:
        """A worker with its queues and its heartbeat."""
        node = self.flags.section(NodeFlags)

        async def report() -> None:
            await self.database.run(
                services.report,
                node.host,
                binary,
                topic,
                node.node_availability_zone,
                node.enable_new_services,
            )

        serving = Serving(self.reactor, self.rpc, worker, topic, node, report)
        self.checks[binary] = serving.health
        return serving

    async def _ask_database(self) -> str:
        return await self.database.health()

    async def _ask_bus(self) -> str:
        trouble = self.rpc.trouble()
        if trouble is not None:
            raise Unavailable(trouble)
        return ""

    async def _ask_hypervisor(self) -> str:
        return f"{len(await self.driver.guests())} guests"

    # What there is one of.

    @cached_property
    def database(self) -> Database:
        """The database."""
        return self.make(Database, patience=self._patience)

    @cached_property
    def rpc(self) -> IRPC:
        """The bus."""
        if self.flags.section(BusFlags).fake_rabbit:
            return self.make(MemoryRPC)
        return self.make(AmqpRPC)

    @cached_property
    def runner(self) -> IRunner:
        """What runs programs."""
        return Runner(self.reactor)

    @cached_property
    def unprivileged(self) -> IRunner:
        """What runs programs that are to have no more rights than this process."""
        return Runner(self.reactor, ())

    @cached_property
    def users(self) -> IUsers:
        """Users, as flag auth_driver says."""
        name = self.flags.section(AuthFlags).auth_driver
        chosen: IUsers = self._chosen(IUsers, name, "auth_driver", nova_tx.auth)
        return chosen

    @cached_property
    def lockout(self) -> Lockout:
        """The rule for access keys that are used wrongly."""
        return self.make(Lockout)

    @cached_property
    def images(self) -> IImages:
        """Images, as flag image_service says."""
        flags = self.flags.section(ImageFlags)
        name = flags.image_service
        if not flags.use_s3 and name in ObjectstoreImages.names:
            name = LocalImages.names[0]
        chosen: IImages = self._chosen(IImages, name, "image_service", nova_tx.image)
        return chosen

    @cached_property
    def driver(self) -> IVirtDriver:
        """The hypervisor, as flag compute_driver says, or connection_type."""
        flags = self.flags.section(ComputeFlags)
        flag, name = "connection_type", flags.connection_type
        if flags.compute_driver != BY_CONNECTION_TYPE:
            flag, name = "compute_driver", flags.compute_driver
        packages = (nova_tx.virt, nova_tx.virt.libvirt)
        self.checks[HYPERVISOR] = self._ask_hypervisor
        chosen: IVirtDriver = self._chosen(IVirtDriver, name, flag, *packages)
        return chosen

    @cached_property
    def manager(self) -> INetworkManager:
        """The kind of network, as flag network_manager says."""
        name = self.flags.section(NetworkFlags).network_manager
        packages = (nova_tx.network.managers,)
        chosen: INetworkManager = self._chosen(INetworkManager, name, "network_manager", *packages)
        return chosen

    @cached_property
    def policy(self) -> IPolicy:
        """The scheduling policy, as flag scheduler_driver says."""
        name = self.flags.section(SchedulerFlags).scheduler_driver
        packages = (nova_tx.scheduler.policies,)
        chosen: IPolicy = self._chosen(IPolicy, name, "scheduler_driver", *packages)
        return chosen

    @cached_property
    def fabric(self) -> IFabric:
        """This host's network devices, as flags fake_network and network_driver say."""
        flags = self.flags.section(NetworkFlags)
        if flags.fake_network:
            return self.make(MemoryFabric)
        packages = (nova_tx.network.fabric,)
        chosen: IFabric = self._chosen(IFabric, flags.network_driver, "network_driver", *packages)
        return chosen

    @cached_property
    def operations(self) -> Operations:
        """What users may do."""
        return self.make(
            Operations,
            instances=self.make(Instances),
            power=self.make(PowerControl),
            images=self.images_used,
            key_pairs=self.make(KeyPairs),
            security_groups=self.make(SecurityGroups),
            zones=self.make(Zones),
            accounts=self.make(Accounts),
            quotas=self.make(Quotas),
            ipv6=self.make(Ipv6),
            tags=self.make(Tags),
            attributes=self.make(Attributes),
            types=self.make(Types),
        )

    @cached_property
    def images_used(self) -> Images:
        """What users may do with images: it remembers those that were used of late."""
        return self.make(Images)

    @cached_property
    def compute(self) -> ComputeClient:
        """Messages to compute workers."""
        return ComputeClient(self.rpc, self.flags.section(BusFlags).compute_topic)

    @cached_property
    def network(self) -> NetworkClient:
        """Messages to network workers."""
        host = self.flags.section(NetworkFlags).network_host
        return NetworkClient(self.rpc, self.flags.section(BusFlags).network_topic, host or None)

    @cached_property
    def scheduler(self) -> SchedulerClient:
        """Messages to schedulers."""
        bus = self.flags.section(BusFlags)
        return SchedulerClient(self.rpc, bus.scheduler_topic, bus.compute_topic)

    def _chosen(self, interface: Any, name: str, flag: str, *packages: ModuleType) -> Any:
        return self.make(choose(drivers(interface, *packages), name, f"--{flag}"))


_SUPPLIES: dict[Any, str] = {
    Database: "database",
    IRPC: "rpc",
    IRunner: "runner",
    IUsers: "users",
    IImages: "images",
    IVirtDriver: "driver",
    INetworkManager: "manager",
    IPolicy: "policy",
    IFabric: "fabric",
    ComputeClient: "compute",
    NetworkClient: "network",
    SchedulerClient: "scheduler",
    Operations: "operations",
    Images: "images_used",
    Lockout: "lockout",
}
