"""The network worker on a fabric in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, update
from twisted.internet.defer import Deferred, gatherResults

from nova_tx.context import admin_context
from nova_tx.db import networks
from nova_tx.db.engine import Database, now
from nova_tx.db.schema import fixed_ips, instances
from nova_tx.errors import (
    Conflict,
    FabricError,
    FixedIpNotFound,
    InstanceNotFound,
    NetworkNotFound,
    NoMoreAddresses,
    StartupError,
    WrongState,
)
from nova_tx.flags import Ec2Flags, Flags, NetworkFlags, NodeFlags
from nova_tx.model.networks import NetworkPlan, Nic
from nova_tx.network.fabric.memory import MemoryFabric
from nova_tx.network.managers.flat_dhcp import FlatDHCPManager
from nova_tx.network.worker import NetworkWorker
from nova_tx.testing.rows import an_instance

CONTEXT = admin_context()


class CountingFabric(MemoryFabric):
    """Counts what it is asked; fails, or waits, if it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.broken = False
        self.gate: Deferred[None] | None = None

    async def ensure_network(self, plan: NetworkPlan) -> None:
        await self._called(f"ensure {plan.bridge}")
        await super().ensure_network(plan)

    async def update_dhcp(self, plan: NetworkPlan) -> None:
        await self._called(f"update {plan.bridge}")
        await super().update_dhcp(plan)

    async def _called(self, call: str) -> None:
        self.calls.append(call)
        if self.gate is not None:
            await self.gate
        if self.broken:
            raise FabricError("the cable is cut")


class Cloud:
    """A network worker, five addresses and five instances."""

    def __init__(self, database: Database, host: str = "HostA") -> None:
        argv = [f"--host={host}", "--my_ip=192.0.2.1"]
        flags = Flags.load(argv, [NodeFlags, NetworkFlags, Ec2Flags])
        network = flags.section(NetworkFlags)
        self.database = database
        self.fabric = CountingFabric()
        self.worker = NetworkWorker(
            database,
            self.fabric,
            FlatDHCPManager(network, flags.section(Ec2Flags)),
            flags.section(NodeFlags),
            network,
        )

    async def create(self) -> None:
        """Make the network."""
        await self.database.run(networks.create, "10.0.0.0/29", 1, 8, "br100", "8.8.4.4")

    async def instances(self) -> None:
        """Make the instances."""
        await self.database.run(add_instances)

    async def allocate(self, id: int = 1) -> Nic:
        answer: Any = await self.worker.remote_allocate_fixed_ip(CONTEXT, instance_id=id)
        return Nic(**answer)

    async def deallocate(self, id: int = 1) -> None:
        await self.worker.remote_deallocate_fixed_ip(CONTEXT, instance_id=id)

    async def taken(self) -> list[tuple[str, bool]]:
        """Address and lease of each row that has an instance."""
        return await self.database.read(taken)


def mac(id: int) -> str:
    """The mac of an instance."""
    return f"02:16:3e:00:00:{id:02x}"


def add_instances(txn: Connection) -> None:
    """Instances 1 to 6."""
    for id in range(1, 7):
        made = an_instance(id=id, mac_address=mac(id), hostname=f"i-{id:08x}")
        txn.execute(insert(instances).values(**vars(made)))


def taken(txn: Connection) -> list[tuple[str, bool]]:
    """Address and lease of each row that has an instance."""
    found = select(fixed_ips.c.address, fixed_ips.c.leased).where(
        fixed_ips.c.instance_id.is_not(None)
    )
    return [(row.address, row.leased) for row in txn.execute(found.order_by(fixed_ips.c.id))]


def change(txn: Connection, id: int, **columns: object) -> None:
    """Change an instance's row."""
    txn.execute(update(instances).where(instances.c.id == id).values(**columns))


def grow_old(txn: Connection) -> None:
    """As if everything that was done to addresses had been done an hour ago."""
    txn.execute(update(fixed_ips).values(updated_at=now() - timedelta(hours=1)))


@pytest.fixture
def cloud(database: Database) -> Cloud:
    return Cloud(database)


async def started(cloud: Cloud) -> Cloud:
    """The cloud with its network, its instances, its worker started."""
    await cloud.create()
    await cloud.instances()
    await cloud.worker.start()
    return cloud


async def test_start(cloud: Cloud) -> None:
    """A worker that starts carries the network that nobody carries."""
    await started(cloud)
    plan = cloud.fabric.networks["br100"]
    assert (plan.cidr, plan.gateway, plan.dhcp_start) == ("10.0.0.0/29", "10.0.0.1", "10.0.0.2")
    assert (plan.metadata, plan.source_address) == (("192.0.2.1", 8775), "192.0.2.1")
    assert await cloud.database.read(networks.host_for, 1) == "HostA"


async def test_start_fails(cloud: Cloud) -> None:
    """A network that can't be carried when the worker starts is a StartupError that says why."""
    await cloud.create()
    cloud.fabric.broken = True
    with pytest.raises(StartupError, match="the cable is cut"):
        await cloud.worker.start()


async def test_allocate(cloud: Cloud) -> None:
    """The answer is the instance's place in the network, and the DHCP server knows it."""
    await started(cloud)
    assert await cloud.allocate() == Nic(
        mac=mac(1),
        address="10.0.0.2",
        bridge="br100",
        cidr="10.0.0.0/29",
        netmask="255.255.255.248",
        gateway="10.0.0.1",
        broadcast="10.0.0.7",
        dns="8.8.4.4",
    )
    assert cloud.fabric.ask("br100", mac(1)) == "10.0.0.2"


async def test_allocate_again(cloud: Cloud) -> None:
    """Asking again for an instance gives the same address, and takes no other."""
    await started(cloud)
    assert await cloud.allocate() == await cloud.allocate()
    assert await cloud.taken() == [("10.0.0.2", False)]


async def test_one_transaction(cloud: Cloud) -> None:
    """Giving an address is one transaction."""
    await started(cloud)
    begun: list[Any] = []
    event.listen(cloud.database.engine, "begin", begun.append)
    await cloud.allocate()
    assert len(begun) == 1


async def test_all_taken(cloud: Cloud) -> None:
    """The sixth of five addresses is NoMoreAddresses."""
    await started(cloud)
    for id in range(1, 6):
        await cloud.allocate(id)
    with pytest.raises(NoMoreAddresses):
        await cloud.allocate(6)


async def test_no_network(cloud: Cloud) -> None:
    """Without a network it is NetworkNotFound."""
    await cloud.instances()
    await cloud.worker.start()
    with pytest.raises(NetworkNotFound):
        await cloud.allocate()


async def test_network_made_later(cloud: Cloud) -> None:
    """A network that was made after the start is carried when the first address is asked for."""
    await cloud.instances()
    await cloud.worker.start()
    await cloud.create()
    await cloud.allocate()
    assert cloud.fabric.calls == ["ensure br100"]
    assert cloud.fabric.ask("br100", mac(1)) == "10.0.0.2"


async def test_strange_instances(cloud: Cloud) -> None:
    """No address for an instance that never was, nor for one that is terminated."""
    await started(cloud)
    with pytest.raises(InstanceNotFound):
        await cloud.allocate(77)
    await cloud.database.run(change, 1, state_description="terminated")
    with pytest.raises(WrongState, match="instance 1 is terminated"):
        await cloud.allocate(1)
    assert await cloud.taken() == []


async def test_other_host(database: Database) -> None:
    """A worker gives no address of a network that another host carries, and does not carry it."""
    await started(Cloud(database))
    other = Cloud(database, "HostB")
    await other.worker.start()
    with pytest.raises(WrongState, match=r"10\.0\.0\.0/29 is carried by HostA, not by HostB"):
        await other.allocate()
    assert other.fabric.calls == []
    assert await other.taken() == []


async def test_many_at_once(cloud: Cloud) -> None:
    """Addresses that are asked for at once are told to the DHCP server together."""
    await started(cloud)
    cloud.fabric.calls.clear()
    cloud.fabric.gate = gate = Deferred()
    asked = [Deferred.fromCoroutine(cloud.allocate(id)) for id in range(1, 6)]
    gate.callback(None)
    given = await gatherResults(asked, consumeErrors=True)
    assert sorted(nic.address for nic in given) == [f"10.0.0.{n}" for n in range(2, 7)]
    assert cloud.fabric.calls == ["update br100"] * 2
    for nic in given:
        assert cloud.fabric.ask("br100", nic.mac) == nic.address


async def test_fabric_fails(cloud: Cloud) -> None:
    """When the DHCP server can't be told the caller hears it; giving back frees the address."""
    await started(cloud)
    cloud.fabric.broken = True
    with pytest.raises(FabricError, match="the cable is cut"):
        await cloud.allocate()
    assert await cloud.taken() == [("10.0.0.2", False)]
    cloud.fabric.broken = False
    await cloud.deallocate()
    assert await cloud.taken() == []
    assert cloud.fabric.networks["br100"].hosts == ()


async def test_deallocate(cloud: Cloud) -> None:
    """An address that is given back is free at once, and the DHCP server forgets the guest."""
    await started(cloud)
    await cloud.allocate()
    assert cloud.fabric.ask("br100", mac(1)) == "10.0.0.2"
    assert await cloud.taken() == [("10.0.0.2", True)]
    await cloud.deallocate()
    assert await cloud.taken() == []
    assert cloud.fabric.ask("br100", mac(1)) is None
    await cloud.deallocate()


async def test_leases(cloud: Cloud) -> None:
    """Leases are written down as they are reported; strange ones change nothing."""
    await started(cloud)
    await cloud.allocate()
    cloud.fabric.ask("br100", mac(1))
    assert await cloud.taken() == [("10.0.0.2", True)]
    cloud.fabric._tell("del", mac(2), "10.0.0.2")
    cloud.fabric._tell("add", mac(2), "10.0.0.3")
    cloud.fabric._tell("add", mac(2), "192.0.2.77")
    assert await cloud.taken() == [("10.0.0.2", True)]
    cloud.fabric._tell("del", mac(1), "10.0.0.2")
    assert await cloud.taken() == [("10.0.0.2", False)]


async def test_leases_by_message(cloud: Cloud) -> None:
    """Leases may be reported by messages too; strange ones are declared errors."""
    await started(cloud)
    await cloud.allocate()
    await cloud.worker.remote_lease_fixed_ip(CONTEXT, mac=mac(1), address="10.0.0.2")
    assert await cloud.taken() == [("10.0.0.2", True)]
    await cloud.worker.remote_release_fixed_ip(CONTEXT, mac=mac(1), address="10.0.0.2")
    assert await cloud.taken() == [("10.0.0.2", False)]
    with pytest.raises(Conflict):
        await cloud.worker.remote_lease_fixed_ip(CONTEXT, mac=mac(2), address="10.0.0.2")
    with pytest.raises(FixedIpNotFound):
        await cloud.worker.remote_release_fixed_ip(CONTEXT, mac=mac(2), address="10.0.0.3")


async def test_stop(cloud: Cloud) -> None:
    """A worker that has stopped hears of no leases; its networks stay up."""
    await started(cloud)
    await cloud.allocate()
    await cloud.worker.stop()
    assert cloud.fabric.ask("br100", mac(1)) == "10.0.0.2"
    assert await cloud.taken() == [("10.0.0.2", False)]


async def test_periodic_mends(cloud: Cloud) -> None:
    """The periodic work carries networks again that were lost, and such as were made since."""
    await cloud.worker.start()
    await cloud.create()
    await cloud.worker.periodic()
    assert "br100" in cloud.fabric.networks
    await cloud.fabric.remove_network("br100")
    await cloud.worker.periodic()
    assert "br100" in cloud.fabric.networks


async def test_periodic_reclaims(cloud: Cloud) -> None:
    """An address that was given back and whose lease's end was lost is free after a time."""
    await started(cloud)
    await cloud.allocate()
    cloud.fabric.ask("br100", mac(1))
    cloud.fabric.leases.clear()
    await cloud.deallocate()
    await cloud.worker.periodic()
    assert await cloud.taken() == [("10.0.0.2", True)]
    await cloud.database.run(grow_old)
    await cloud.worker.periodic()
    assert await cloud.taken() == []


async def test_periodic_orphans(cloud: Cloud) -> None:
    """The address of a terminated instance, which nobody gave back, is taken back."""
    await started(cloud)
    await cloud.allocate(1)
    await cloud.allocate(2)
    await cloud.database.run(change, 1, state_description="terminated")
    await cloud.worker.periodic()
    assert await cloud.taken() == [("10.0.0.3", False)]
    assert [host.address for host in cloud.fabric.networks["br100"].hosts] == ["10.0.0.3"]


async def test_set_network_host(database: Database) -> None:
    """The first worker that is asked to carry a network does; every one says who does."""
    one, two = Cloud(database), Cloud(database, "HostB")
    await one.create()
    assert await one.worker.remote_set_network_host(CONTEXT, network_id=1) == "HostA"
    assert await two.worker.remote_set_network_host(CONTEXT, network_id=1) == "HostA"
    assert "br100" in one.fabric.networks
    assert two.fabric.networks == {}
    with pytest.raises(NetworkNotFound):
        await one.worker.remote_set_network_host(CONTEXT, network_id=2)


async def test_first_of_a_bridge(cloud: Cloud) -> None:
    """Of several networks on one bridge the first is carried."""
    await cloud.create()
    await cloud.database.run(networks.create, "10.1.0.0/29", 1, 8, "br100")
    await cloud.worker.start()
    assert cloud.fabric.networks["br100"].cidr == "10.0.0.0/29"
    assert cloud.fabric.calls == ["ensure br100"]
