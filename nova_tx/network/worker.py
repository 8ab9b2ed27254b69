"""
The network worker: carries this host's networks, gives addresses and takes them back.

Every change of addresses is one transaction; what the DHCP servers are to know
comes out of the same transaction, and is told to them once for all changes
that came while they were busy.                    [spec/06 sections 3, 4; spec/01 section 5.3]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from twisted.internet.defer import DeferredList, DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure

from nova_tx.context import RequestContext
from nova_tx.db import addresses, instances, networks
from nova_tx.db.engine import Database, now
from nova_tx.errors import Conflict, FabricError, FixedIpNotFound, StartupError, WrongState
from nova_tx.flags import NetworkFlags, NodeFlags
from nova_tx.log import background
from nova_tx.model.networks import NetworkPlan, Nic
from nova_tx.network.fabric.interfaces import IFabric
from nova_tx.network.managers.interfaces import INetworkManager
from nova_tx.network.newest import Newest
from nova_tx.states import TERMINATED

P = ParamSpec("P")
T = TypeVar("T")
Event = tuple[str, str, str]
Plans = tuple[NetworkPlan, ...]

_log = Logger()


class NetworkWorker:
    """Answers topic C{network}."""

    def __init__(
        self,
        database: Database,
        fabric: IFabric,
        manager: INetworkManager,
        node: NodeFlags,
        flags: NetworkFlags,
    ) -> None:
        self._database = database
        self._fabric = fabric
        self._manager = manager
        self._host = node.host
        # a lease that nobody ended must have run out before its address is free
        self._stale = timedelta(
            seconds=max(flags.fixed_ip_disassociate_timeout, flags.dhcp_lease_time)
        )
        self._changing = DeferredLock()
        self._newest = Newest(self._put_into_effect)
        self._up: set[str] = set()
        self._events: list[Event] = []
        self._recording = DeferredLock()

    async def start(self) -> None:
        """
        Carry the networks of this host; from now on hear of leases.

        @raise StartupError: a network can't be carried.
        """
        try:
            await self._fabric.watch_leases(self._seen)
            await self._change(carry, self._host)
        except FabricError as error:
            raise StartupError(str(error)) from error

    async def periodic(self) -> None:
        """Carry new networks, mend what is broken, free what nobody gave back."""
        self._up.clear()
        await self._change(carry, self._host)
        for instance_id in await self._database.read(addresses.orphans, self._host):
            _log.warn("terminated instance {id} still had an address", id=instance_id)
            await self._deallocate(instance_id)
        freed = await self._database.run(addresses.reclaim, self._host, now() - self._stale)
        for address in freed:
            _log.info("address {address} is free: its lease ended unseen", address=address)

    async def stop(self) -> None:
        """Hear of no more leases. Networks stay up."""
        await self._fabric.close()
        async with self._recording:
            pass

    # What other services ask for.

    async def remote_set_network_host(self, context: RequestContext, network_id: int) -> str:
        """
        Carry a network, unless somebody does; returns who does.

        @raise NetworkNotFound: there is no such network.
        """
        await self._change(carry, self._host)
        network = await self._database.read(networks.get, network_id)
        assert network.host is not None
        return network.host

    async def remote_allocate_fixed_ip(
        self, context: RequestContext, instance_id: int
    ) -> dict[str, object]:
        """
        Give an instance an address that the DHCP server knows when this returns.

        @return: the fields of a L{Nic}.
        @raise InstanceNotFound: there is no such instance.
        @raise WrongState: it is terminated; or another host carries its network.
        @raise NetworkNotFound: there is no network yet.
        @raise NoMoreAddresses: every address is taken.
        @raise FabricError: the DHCP server could not be told; the address is
            taken until it is given back.
        """
        nic = await self._change(allocate, self._host, instance_id)
        _log.info("instance {id} has {address}", id=instance_id, address=nic.address)
        return asdict(nic)

    async def remote_deallocate_fixed_ip(self, context: RequestContext, instance_id: int) -> None:
        """
        Take back an instance's address and end its lease, which makes it free.

        @raise FabricError: the DHCP server could not be told; the address is
            free when its lease has run out.
        """
        await self._deallocate(instance_id)

    async def remote_lease_fixed_ip(self, context: RequestContext, mac: str, address: str) -> None:
        """
        A DHCP server has leased an address.

        @raise FixedIpNotFound: no instance has it.
        @raise Conflict: the instance that has it has another mac.
        """
        await self._database.run(addresses.lease, mac, address)

    async def remote_release_fixed_ip(
        self, context: RequestContext, mac: str, address: str
    ) -> None:
        """
        A lease has ended.

        @raise FixedIpNotFound: no instance has it.
        @raise Conflict: the instance that has it has another mac.
        """
        await self._database.run(addresses.release, mac, address)

    # Addresses.

    async def _deallocate(self, instance_id: int) -> None:
        for each in await self._change(deallocate, self._host, instance_id):
            _log.info("instance {id} gives {address} back", id=instance_id, address=each.address)
            await self._fabric.release_lease(each.bridge, each.mac, each.address)

    async def _change(
        self,
        fn: Callable[Concatenate[Connection, INetworkManager, P], tuple[T, Plans]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """
        Run a transaction and put the plans that it returns into effect.

        One transaction after the other, so that a later plan knows all that an
        earlier one does.
        """
        async with self._changing:
            outcome, plans = await self._database.run(fn, self._manager, *args, **kwargs)
            waiting = [self._newest.put(plan) for plan in plans]
        for _, result in await DeferredList(waiting, consumeErrors=True):
            if isinstance(result, Failure):
                result.raiseException()
        return outcome

    async def _put_into_effect(self, plan: NetworkPlan) -> None:
        if plan.bridge in self._up:
            await self._fabric.update_dhcp(plan)
        else:
            await self._fabric.ensure_network(plan)
            self._up.add(plan.bridge)

    # Leases.

    def _seen(self, event: str, mac: str, address: str) -> None:
        self._events.append((event, mac, address))
        if len(self._events) == 1:
            _ = background(self._record(), "recording leases")

    async def _record(self) -> None:
        """Write down all events that came while the last ones were written."""
        async with self._recording:
            events, self._events = self._events, []
            for problem in await self._database.run(record, events):
                _log.warn("{problem}", problem=problem)


# Inside a transaction.


def carry(txn: Connection, manager: INetworkManager, host: str) -> tuple[None, Plans]:
    """The plans of all networks that a host carries."""
    return None, tuple(manager.plan(txn, each) for each in manager.carried(txn, host))


def allocate(
    txn: Connection, manager: INetworkManager, host: str, instance_id: int
) -> tuple[Nic, Plans]:
    """
    Give an instance an address.

    @raise InstanceNotFound, WrongState, NetworkNotFound, NoMoreAddresses: as
        L{NetworkWorker.remote_allocate_fixed_ip}.
    """
    instance = instances.get(txn, instance_id)
    if instance.state_description == TERMINATED:
        raise WrongState(f"instance {instance_id} is terminated")
    network, fixed_ip = manager.allocate(txn, host, instance_id)
    nic = Nic(
        mac=instance.mac_address,
        address=fixed_ip.address,
        bridge=network.bridge,
        cidr=network.cidr,
        netmask=network.netmask,
        gateway=network.gateway,
        broadcast=network.broadcast,
        dns=network.dns,
    )
    return nic, (manager.plan(txn, network),)


@dataclass(frozen=True)
class GivenBack:
    """An address that was taken back, and who had it."""

    bridge: str
    mac: str
    address: str


def deallocate(
    txn: Connection, manager: INetworkManager, host: str, instance_id: int
) -> tuple[list[GivenBack], Plans]:
    """Take back an instance's addresses; says which of them this host's DHCP servers know."""
    given_back, plans = [], []
    for fixed_ip in addresses.deallocate(txn, instance_id):
        network = networks.get(txn, fixed_ip.network_id)
        if network.host == host:
            mac = instances.get(txn, instance_id).mac_address
            given_back.append(GivenBack(network.bridge, mac, fixed_ip.address))
            plans.append(manager.plan(txn, network))
    return given_back, tuple(plans)


def record(txn: Connection, events: Sequence[Event]) -> list[str]:
    """Write down lease events; returns a sentence for each that fits no instance."""
    problems = []
    for event, mac, address in events:
        change = addresses.release if event == "del" else addresses.lease
        try:
            change(txn, mac, address)
        except (FixedIpNotFound, Conflict) as error:
            problems.append(str(error))
    return problems
