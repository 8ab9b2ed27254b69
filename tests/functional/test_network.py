"""Real bridges, rules, DHCP servers and guests' packets, in namespaces of the test's own."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from nova_tx.context import admin_context
from nova_tx.db import addresses, networks
from nova_tx.db.engine import Database
from nova_tx.db.schema import fixed_ips, instances
from nova_tx.errors import FabricError
from nova_tx.flags import Ec2Flags, Flags, NetworkFlags, NodeFlags
from nova_tx.model.networks import DhcpHost
from nova_tx.network.fabric.linux import LinuxFabric
from nova_tx.network.managers.flat_dhcp import FlatDHCPManager
from nova_tx.network.worker import NetworkWorker
from nova_tx.testing.conformance.fabric import ONE, PLAN, TWO, make_fabric_tests
from nova_tx.testing.namespaces import Guest, Namespace, guest, namespace, until
from nova_tx.testing.rows import an_instance

REMOVE = (sys.executable, "-m", "nova_tx.network.fabric.remove")
METADATA = "http://169.254.169.254/"


class LinuxBench:
    """A namespace as the host; each guest is a namespace, and asks with a real DHCP client."""

    def __init__(self, host: Namespace, directory: Path) -> None:
        self.host = host
        self.directory = directory

    def flags(self, networks_path: str = "networks", *more: str) -> Flags:
        argv = [f"--networks_path={self.directory / networks_path}", *more]
        return Flags.load(argv, [NetworkFlags, NodeFlags, Ec2Flags])

    def fabric(self, networks_path: str = "networks", *more: str) -> LinuxFabric:
        flags = self.flags(networks_path, *more).section(NetworkFlags)
        return LinuxFabric(self.host.runner, reactor, flags)

    @asynccontextmanager
    async def guest(self, mac: str, bridge: str = "br100") -> AsyncIterator[Guest]:
        async with guest(reactor, self.host, bridge, mac, str(self.directory)) as found:
            yield found

    async def ask(self, bridge: str, mac: str) -> str | None:
        async with self.guest(mac, bridge) as found:
            answer = await found.ask(3)
        return answer[0] if answer else None

    async def bridges(self) -> list[str]:
        shown = await self.host.run("ip", "-brief", "link", "show", "type", "bridge")
        return sorted(line.split()[0] for line in shown.splitlines())

    async def rules(self) -> list[str]:
        """Every rule and chain of the host, without counters."""
        saved = await self.host.run("iptables-save")
        return [line for line in saved.splitlines() if line[:1] in ("-", "*")]

    def pid(self, networks_path: str = "networks", bridge: str = "br100") -> int:
        return int((self.directory / networks_path / f"nova-{bridge}.pid").read_text())


@asynccontextmanager
async def bench(directory: Path) -> AsyncIterator[LinuxBench]:
    """A new host; whatever network a test leaves on it is removed."""
    async with namespace(reactor, f"ntx{secrets.token_hex(3)}") as host:
        found = LinuxBench(host, directory)
        try:
            yield found
        finally:
            for each in directory.glob("*/nova-*.pid"):
                fabric = found.fabric(each.parent.name)
                await fabric.remove_network(each.stem.removeprefix("nova-"))


class TestLinuxFabric(make_fabric_tests(bench)):  # type: ignore[misc]
    """The suite of IFabric on a real kernel with real dnsmasq and real guests' DHCP clients."""


# What a guest is told, and where its packets go.


async def test_what_a_guest_is_told(tmp_path: Path) -> None:
    """A guest learns its router, its DNS server, its name, and how long the lease is."""
    async with bench(tmp_path) as found:
        fabric = found.fabric("networks", "--dhcp_lease_time=300")
        await fabric.ensure_network(PLAN)
        async with found.guest(ONE.mac) as one:
            assert await one.ask() == [
                "10.0.0.2",
                "10.0.0.1",
                "10.0.0.1",
                "i-00000001",
                "novalocal",
                "300",
            ]


async def test_metadata(tmp_path: Path) -> None:
    """169.254.169.254 leads to the metadata service, which sees the guest's own address, even
    on a host that lets nothing else in."""
    async with bench(tmp_path) as found:
        await found.host.run("iptables", "-P", "INPUT", "DROP")
        await found.host.run("iptables", "-P", "FORWARD", "DROP")
        await found.fabric().ensure_network(PLAN)
        async with found.guest(ONE.mac) as one, found.host.echo("10.0.0.1", 8775):
            assert (await one.ask())[:1] == [ONE.address]
            assert await one.inside.fetch(METADATA) == ONE.address
        assert "-P INPUT DROP" in await found.host.run("iptables", "-S")


async def test_metadata_on_loopback(tmp_path: Path) -> None:
    """A metadata service that listens on 127.0.0.1 is reached too, and nothing else there is."""
    async with bench(tmp_path) as found:
        await found.fabric().ensure_network(replace(PLAN, metadata=("127.0.0.1", 8775)))
        async with (
            found.guest(ONE.mac) as one,
            found.host.echo("127.0.0.1", 8775),
            found.host.echo("127.0.0.5", 8776),
        ):
            await one.ask()
            assert await one.inside.fetch(METADATA) == ONE.address
            # a guest that sends packets for 127.0.0.1 to its router, as none should
            await one.inside.run("sysctl", "-q", "-w", "net.ipv4.conf.all.route_localnet=1")
            await one.inside.run("ip", "address", "flush", "dev", "lo")
            await one.inside.run("ip", "route", "add", "127.0.0.0/8", "via", "10.0.0.1")
            assert await one.inside.fetch("http://127.0.0.5:8776/") is None
            assert await one.inside.fetch(METADATA) == ONE.address


@pytest.mark.parametrize(
    ("source", "dmz", "seen"),
    [
        ("192.0.2.7", "10.128.0.0/24", "192.0.2.7"),
        (None, None, "192.0.2.1"),
        ("192.0.2.7", "192.0.2.0/24", ONE.address),
    ],
)
async def test_outside(tmp_path: Path, source: str | None, dmz: str | None, seen: str) -> None:
    """Guests' packets leave with the source address, or the host's; into the dmz with their own."""
    async with bench(tmp_path) as found, namespace(reactor, f"{found.host.name}-out") as outside:
        await found.host.join(outside, "pub0", "eth0")
        for address in ("192.0.2.1/24", "192.0.2.7/32"):
            await found.host.run("ip", "address", "add", address, "dev", "pub0")
        await outside.run("ip", "address", "add", "192.0.2.2/24", "dev", "eth0")
        if seen == ONE.address:
            await outside.run("ip", "route", "add", "10.0.0.0/24", "via", "192.0.2.1")
        plan = replace(PLAN, source_address=source, dmz_cidr=dmz, hosts=(ONE, TWO))
        await found.fabric().ensure_network(plan)
        async with found.guest(ONE.mac) as one, outside.echo("192.0.2.2", 80):
            await one.ask()
            assert await one.inside.fetch("http://192.0.2.2/") == seen
            async with found.guest(TWO.mac) as two, two.inside.echo("0.0.0.0", 80):
                await two.ask()
                assert await one.inside.fetch(f"http://{TWO.address}/") == ONE.address


# A host's own life.


async def test_two_clouds(tmp_path: Path) -> None:
    """Two clouds on one host answer their own guests; the end of one leaves the other as it was."""
    other_one = DhcpHost("02:16:3e:00:00:09", "i-00000001", "10.1.0.2")
    other = replace(
        PLAN,
        bridge="br200",
        cidr="10.1.0.0/24",
        gateway="10.1.0.1",
        broadcast="10.1.0.255",
        dhcp_start="10.1.0.2",
        metadata=("10.1.0.1", 8775),
        hosts=(other_one,),
    )
    async with bench(tmp_path) as found:
        await found.fabric("a").ensure_network(PLAN)
        before = await found.rules()
        await found.fabric("b").ensure_network(other)
        assert await found.ask("br100", ONE.mac) == ONE.address
        assert await found.ask("br200", other_one.mac) == other_one.address
        assert await found.ask("br200", ONE.mac) is None
        await found.fabric("b").remove_network("br200")
        assert await found.rules() == before
        assert await found.ask("br100", ONE.mac) == ONE.address


async def test_leaves_nothing(tmp_path: Path) -> None:
    """Of a network whose daemon is dead, remove leaves no rule, bridge, process or file."""
    async with bench(tmp_path) as found:
        await found.host.run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "1", "-j", "DROP")
        await found.host.run("iptables", "-t", "nat", "-N", "nova-br1000-pre")
        before = await found.rules()
        await found.fabric().ensure_network(PLAN)
        await found.fabric().ensure_network(PLAN)
        assert sorted(set(await found.rules())) == sorted(await found.rules())
        pid = found.pid()
        await found.host.run(*REMOVE, "br100", str(tmp_path / "networks"))
        assert await found.rules() == before
        assert await found.bridges() == []
        assert not os.path.exists(f"/proc/{pid}/exe")
        assert os.listdir(tmp_path / "networks") == []
        await found.host.run(*REMOVE, "br100", str(tmp_path / "networks"))


async def test_cannot_remove(tmp_path: Path) -> None:
    """What can't be removed is one sentence and status 1."""
    async with bench(tmp_path) as found:
        result = await found.host.runner.run((*REMOVE, "br 100", str(tmp_path)), check=False)
        assert (result.exit_code, result.stderr) == (1, b"'br 100' is no name for a bridge\n")


async def test_foreign_bridge(tmp_path: Path) -> None:
    """A bridge that was there before is used, and not removed."""
    async with bench(tmp_path) as found:
        await found.host.run("ip", "link", "add", "br100", "type", "bridge")
        await found.fabric().ensure_network(PLAN)
        assert await found.ask("br100", ONE.mac) == ONE.address
        await found.fabric().remove_network("br100")
        assert await found.bridges() == ["br100"]


async def test_interface(tmp_path: Path) -> None:
    """The interface of the plan is put into the bridge; one that is not there is a FabricError."""
    async with bench(tmp_path) as found, namespace(reactor, f"{found.host.name}-far") as far:
        await found.host.join(far, "eth1", "eth0")
        await found.fabric().ensure_network(replace(PLAN, interface="eth1"))
        assert "master br100" in await found.host.run("ip", "link", "show", "eth1")
        with pytest.raises(FabricError, match="there is no interface eth7 to put into br100"):
            await found.fabric().ensure_network(replace(PLAN, interface="eth7"))


async def test_server_is_adopted(tmp_path: Path) -> None:
    """A restarted daemon keeps the DHCP server that runs; other options replace it."""
    async with bench(tmp_path) as found:
        await found.fabric().ensure_network(PLAN)
        before = found.pid()
        await found.fabric().ensure_network(PLAN)
        assert found.pid() == before
        await found.fabric("networks", "--dhcp_lease_time=300").ensure_network(PLAN)
        assert found.pid() != before
        assert not os.path.exists(f"/proc/{before}/exe")
        assert await found.ask("br100", ONE.mac) == ONE.address


async def test_server_is_started_again(tmp_path: Path) -> None:
    """A DHCP server that was killed is there again after update_dhcp."""
    async with bench(tmp_path) as found:
        fabric = found.fabric()
        await fabric.ensure_network(PLAN)
        pid = found.pid()
        await found.host.run("kill", "-KILL", str(pid))

        async def gone() -> bool:
            return not os.path.exists(f"/proc/{pid}/exe")

        await until(reactor, gone, "the end of dnsmasq")
        await fabric.update_dhcp(PLAN)
        assert await found.ask("br100", ONE.mac) == ONE.address


# The worker.


class Cloud:
    """A network worker on a bench, with a network of eight addresses: five for guests."""

    def __init__(self, found: LinuxBench, database: Database) -> None:
        self.bench = found
        self.database = database
        self.worker = self.restarted()

    def restarted(self) -> NetworkWorker:
        flags = self.bench.flags("networks", "--my_ip=127.0.0.1", "--host=HostA")
        network = flags.section(NetworkFlags)
        self.worker = NetworkWorker(
            self.database,
            self.bench.fabric(),
            FlatDHCPManager(network, flags.section(Ec2Flags)),
            flags.section(NodeFlags),
            network,
        )
        return self.worker

    async def instance(self, id: int) -> str:
        """A new instance; returns its mac."""
        made = an_instance(id=id, mac_address=f"02:16:3e:00:00:{id:02x}", hostname=f"i-{id:08x}")

        def add(txn: Connection) -> None:
            txn.execute(insert(instances).values(**vars(made)))

        await self.database.run(add)
        return made.mac_address

    async def allocate(self, id: int) -> str:
        nic = await self.worker.remote_allocate_fixed_ip(admin_context(), instance_id=id)
        return str(nic["address"])

    async def deallocate(self, id: int) -> None:
        await self.worker.remote_deallocate_fixed_ip(admin_context(), instance_id=id)


@asynccontextmanager
async def cloud(directory: Path, database: Database) -> AsyncIterator[Cloud]:
    """A cloud whose network was made, and whose worker has started."""
    async with bench(directory) as found:
        await database.run(networks.create, "10.0.0.0/29", 1, 8, "br100")
        made = Cloud(found, database)
        await made.worker.start()
        try:
            yield made
        finally:
            await made.worker.stop()


def taken(txn: Connection) -> list[Any]:
    """The rows of addresses that an instance has."""
    found = txn.execute(select(fixed_ips).where(fixed_ips.c.instance_id.is_not(None)))
    return list(found)


async def test_life_of_an_address(tmp_path: Path, database: Database) -> None:
    """An address is given, leased, given back, and at once another guest's."""
    async with cloud(tmp_path, database) as found:
        one, two = await found.instance(1), await found.instance(2)
        assert await found.allocate(1) == "10.0.0.2"
        async with found.bench.guest(one) as first:
            assert (await first.ask())[:1] == ["10.0.0.2"]

            async def leased() -> bool:
                [row] = await found.database.run(taken)
                return bool(row.leased)

            await until(reactor, leased, "the lease to be written down")
        await found.deallocate(1)

        async def free() -> bool:
            return not await found.database.run(taken)

        await until(reactor, free, "the address to be free")
        assert await found.allocate(2) == "10.0.0.2"
        assert await found.bench.ask("br100", two) == "10.0.0.2"
        assert await found.bench.ask("br100", one) is None


async def test_restart(tmp_path: Path, database: Database) -> None:
    """A worker that was killed and started again keeps the server and hears the ends of leases."""
    async with cloud(tmp_path, database) as found:
        one = await found.instance(1)
        await found.allocate(1)
        assert await found.bench.ask("br100", one) == "10.0.0.2"
        pid = found.bench.pid()
        await found.worker.stop()
        await found.restarted().start()
        assert found.bench.pid() == pid
        await found.deallocate(1)

        async def free() -> bool:
            return not await found.database.run(taken)

        await until(reactor, free, "the address to be free")


async def test_many_at_once(tmp_path: Path, database: Database) -> None:
    """Addresses that are asked for at once are different, and each guest is answered."""
    async with cloud(tmp_path, database) as found:
        macs = [await found.instance(id) for id in range(1, 6)]
        asked = [Deferred.fromCoroutine(found.allocate(id)) for id in range(1, 6)]
        given = await gatherResults(asked, consumeErrors=True)
        assert sorted(given) == [f"10.0.0.{n}" for n in range(2, 7)]
        for mac, address in zip(macs, given, strict=True):
            assert await found.bench.ask("br100", mac) == address
        assert {each.address for each in await database.run(addresses.dhcp_hosts, 1)} == set(given)


async def test_network_made_later(tmp_path: Path, database: Database) -> None:
    """A network that is made after the worker has started is carried when it is needed."""
    async with bench(tmp_path) as found:
        late = Cloud(found, database)
        await late.worker.start()
        await database.run(networks.create, "10.0.0.0/29", 1, 8, "br100")
        mac = await late.instance(1)
        assert await late.allocate(1) == "10.0.0.2"
        assert await found.ask("br100", mac) == "10.0.0.2"
        await late.worker.stop()
