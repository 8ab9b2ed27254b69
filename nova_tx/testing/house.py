"""A compute host with what surrounds it: the worker and rows are real, the rest does as told."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from twisted.internet.defer import Deferred

from nova_tx.compute.worker import ComputeWorker
from nova_tx.db import images as image_rows
from nova_tx.db import instances
from nova_tx.db.engine import Database, now
from nova_tx.db.schema import images
from nova_tx.db.schema import instances as table
from nova_tx.errors import VirtError
from nova_tx.flags import ComputeFlags, ImageFlags, NetworkFlags, NodeFlags
from nova_tx.model.guests import BootFiles, GuestSpec
from nova_tx.model.images import Image
from nova_tx.model.instances import Instance
from nova_tx.model.networks import Nic
from nova_tx.network.fabric.memory import MemoryFabric
from nova_tx.testing.guests import NIC
from nova_tx.testing.rows import an_instance
from nova_tx.virt.fake import FakeDriver


class Addresses:
    """A network worker that gives everybody the same address."""

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.error: Exception | None = None
        self.calls: list[str] = []

    async def allocate_fixed_ip(self, context: Any, host: str | None, instance_id: int) -> Nic:
        self.calls.append("allocate")
        if self.error is not None:
            raise self.error
        self.held.add(instance_id)
        return NIC

    async def deallocate_fixed_ip(self, context: Any, host: str | None, instance_id: int) -> None:
        self.calls.append("deallocate")
        if self.error is not None:
            raise self.error
        self.held.discard(instance_id)


class Files:
    """
    Images that are always there, and rows of others that are brought.

    @ivar brought: contents, by image.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.fetched: list[str] = []
        self.brought: dict[str, bytes] = {}
        self.asked_to_bring: list[str] = []
        self.error: Exception | None = None
        self.bring_error: Exception | None = None
        self.gate: Deferred[None] | None = None

    async def bring(self, context: Any, image_id: str, path: str) -> None:
        self.asked_to_bring.append(image_id)
        if self.gate is not None:
            await self.gate
        if self.bring_error is not None:
            raise self.bring_error
        self.brought[image_id] = Path(path).read_bytes()
        await self._database.run(image_rows.advance, image_id, "pending", "available")

    async def abandon(self, context: Any, image_id: str, reason: str) -> None:
        await self._database.run(image_rows.fail, image_id, reason)

    async def fetch(self, context: Any, image_id: str, path: str) -> int:
        self.fetched.append(image_id)
        if self.gate is not None:
            await self.gate
        if self.error is not None:
            raise self.error
        return Path(path).write_bytes(b"image")


class Hypervisor(FakeDriver):
    """
    The fake, failing as the test says.

    @ivar asked: what was asked of it, in order.
    """

    unreachable = False
    spawn_error: Exception | None = None
    reboot_error: Exception | None = None
    start_error: Exception | None = None
    stop_error: Exception | None = None
    rescue_error: Exception | None = None
    snapshot_error: Exception | None = None
    destroy_error: Exception | None = None

    def __init__(self, flags: ComputeFlags) -> None:
        super().__init__(flags)
        self.asked: list[str] = []

    async def open(self) -> None:
        if self.unreachable:
            raise VirtError("nobody there")

    def _ask(self, what: str, error: Exception | None) -> None:
        self.asked.append(what)
        if error is not None:
            raise error

    async def spawn(self, spec: GuestSpec) -> None:
        self._ask("spawn", self.spawn_error)
        await super().spawn(spec)

    async def reboot(self, spec: GuestSpec) -> None:
        self._ask("reboot", self.reboot_error)
        await super().reboot(spec)

    async def start(self, spec: GuestSpec) -> None:
        self._ask("start", self.start_error)
        await super().start(spec)

    async def stop(self, name: str, force: bool = False) -> None:
        self._ask("cut" if force else "stop", self.stop_error)
        await super().stop(name, force)

    async def rescue(self, spec: GuestSpec, files: BootFiles) -> None:
        self._ask(f"rescue {os.path.basename(files.image)}", self.rescue_error)
        await super().rescue(spec, files)

    async def snapshot(self, name: str, directory: str, path: str) -> None:
        self._ask("snapshot", self.snapshot_error)
        await super().snapshot(name, directory, path)

    async def destroy(self, name: str, directory: str) -> None:
        self._ask("destroy", self.destroy_error)
        await super().destroy(name, directory)


class House:
    """A compute host with what surrounds it."""

    def __init__(self, database: Database, path: Path) -> None:
        self.database = database
        self.path = path
        self.flags = ComputeFlags(instances_path=str(path), minimum_root_size=1000)
        self.network, self.images = Addresses(), Files(database)
        self.driver, self.fabric = Hypervisor(self.flags), MemoryFabric()

    async def worker(self) -> ComputeWorker:
        """A worker that has started, as after each start of the daemon."""
        worker: ComputeWorker = ComputeWorker(
            self.database,
            self.network,  # type: ignore[arg-type]
            self.images,  # type: ignore[arg-type]
            self.driver,
            self.fabric,
            NodeFlags(host="HostA", instance_name_template="instance-%08x"),
            self.flags,
            ImageFlags(null_kernel="nokernel"),
            NetworkFlags(flat_interface="eth1"),
        )
        await worker.start()
        return worker

    async def row(self, **columns: object) -> int:
        """An instance; returns its id."""
        values = asdict(an_instance(**columns))
        await self.database.run(lambda txn: txn.execute(insert(table).values(**values)))
        return int(values["id"])

    async def image(self, image_id: str = "ami-1", instance_id: int | None = 1) -> None:
        """An image that was announced."""
        values = {
            **{"id": image_id, "instance_id": instance_id, "owner": "physics"},
            **{"user_id": "john", "location": "", "is_public": False, "type": "machine"},
            **{"architecture": "x86_64", "state": "pending", "display_name": image_id},
            **{"created_at": now(), "deleted": False},
        }
        await self.database.run(lambda txn: txn.execute(insert(images).values(**values)))

    async def image_now(self, image_id: str = "ami-1") -> Image:
        """The image's row."""
        return await self.database.read(image_rows.get, None, True, image_id)

    async def guest(self, instance_id: int = 1) -> None:
        """A guest that runs already."""
        directory = self.path / f"instance-{instance_id:08x}"
        directory.mkdir()
        (directory / "guest.json").write_text('{"power": 1}')

    async def now(self, instance_id: int = 1) -> Instance:
        """The row."""
        return await self.database.read(instances.get, instance_id)

    async def state(self, instance_id: int = 1) -> str:
        """The row's state."""
        return (await self.now(instance_id)).state_description

    def empty(self) -> bool:
        """Whether nothing of any guest is left."""
        return [each for each in os.listdir(self.path) if each not in ("_base", "_snapshots")] == []
