"""A cloud whose daemons die at any step of an operation, and come back.  See L{crash}."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from sqlalchemy import Connection, select

from nova_tx.db.schema import images, instances
from nova_tx.local.clients import REFUSED, connect
from nova_tx.local.libvirtd import PrivateLibvirtd
from nova_tx.states import Power
from nova_tx.testing.crash import AFTER, BEFORE, FILE, VARIABLE, Plan, numbered, write_plan
from nova_tx.testing.daemons import Daemons, until
from nova_tx.testing.invariants import Scene, faults

#: Flags of a cloud whose instances and addresses are many, and whose lost messages are missed soon.
FLAGS = ("--quota_instances=500", "--quota_cores=500", "--periodic_interval=1")
#: Seconds after which all must agree: what a message was lost of is missed after 60, and then done.
SETTLED_AFTER = 240.0
#: What a client is told when the daemon that it speaks to, or one that it needs, dies.
_FAILED = (ClientError, BotoCoreError, *REFUSED)


@dataclass(frozen=True)
class Death:
    """One step of one daemon, at which it is to die."""

    daemon: str
    step: str
    number: int
    moment: str

    def __str__(self) -> str:
        which = f" {self.number}" if self.number > 1 else ""
        return f"{self.daemon} {self.moment} {self.step}{which}"


def _deaths(daemon: str, steps: list[tuple[str, int]], all_of_them: bool) -> Iterator[Death]:
    last = max((at for at, (step, _) in enumerate(steps) if not _of_file(step)), default=None)
    for at, (step, number) in enumerate(steps):
        yield Death(daemon, step, number, BEFORE)
        if (all_of_them or at == last) and not _of_file(step):
            yield Death(daemon, step, number, AFTER)


def _of_file(step: str) -> bool:
    return step.startswith(FILE)


class CrashingCloud(Daemons):
    """A cloud of daemons that count their steps."""

    launcher = "nova_tx.testing.crash"

    def __init__(
        self, directory: Path, *settings: str, libvirtd: PrivateLibvirtd | None = None
    ) -> None:
        super().__init__(directory, *FLAGS, *settings)
        self.libvirtd = libvirtd
        self._serials = itertools.count(1)
        self.image = ""

    def publish_image(self, name: str, content: bytes) -> None:
        """Have an image to boot, which also is what instances are rescued with."""
        self.image = self.publish("images", name, content)
        until(lambda: self.image_state(self.image) == "available", "the image")
        rescue = (f"--rescue_image_id={self.image}", "--rescue_kernel_id=nokernel")
        self.reconfigure("nova-compute", *rescue)

    def start_daemon(self, name: str) -> None:
        with patch.dict(os.environ, {VARIABLE: str(self.directory / "steps")}):
            super().start_daemon(name)

    # Counting and dying.

    def plan_for(self, name: str, step: str = "", number: int = 0, moment: str = BEFORE) -> None:
        """Have a daemon count from now on, and die at a step if one is given."""
        plan = Plan(next(self._serials), step, number, moment)
        armed = self._steps(name) / "armed"
        write_plan(self._steps(name), plan)
        until(lambda: armed.exists() and armed.read_text() == str(plan.serial), f"{name} to count")

    def forget_plan(self, name: str) -> list[str]:
        """Have a daemon count no more; returns its steps."""
        (self._steps(name) / "plan").unlink()
        return (self._steps(name) / "steps").read_text().splitlines()

    def revive(self) -> None:
        """Have every daemon run, and none of them count."""
        for name in self.names:
            (self._steps(name) / "plan").unlink(missing_ok=True)
            if self.pid(name) is None:
                self.restart(name)

    def deaths(self, operation: Operation, all_of_them: bool) -> list[Death]:
        """
        Every way to die in an operation, found by doing it once: before each
        step, and after the last one of each daemon.

        What is after one step is before the next: only pure work is between.

        @param all_of_them: after each step, too.
        """
        operation.prepare(self)
        for name in self.names:
            self.plan_for(name)
        operation.perform(self)
        self.settle(operation)
        self.quiet()
        return [
            death
            for name in self.names
            for death in _deaths(name, numbered(self.forget_plan(name)), all_of_them)
        ]

    def die(self, operation: Operation, death: Death) -> None:
        """
        Do an operation in which a daemon dies; start it again, wait until all is settled.

        @raise AssertionError: it did not die, or not everything is settled.
        """
        operation.prepare(self)
        pid = self.pid(death.daemon)
        assert pid is not None
        self.plan_for(death.daemon, death.step, death.number, death.moment)
        with suppress(*_FAILED):
            operation.perform(self)
        assert self.ended(pid) == -9
        self.forget_plan(death.daemon)
        self.restart(death.daemon)
        self.settle(operation)

    def die_of_all(self, operation: Operation, deaths: Sequence[Death]) -> list[str]:
        """Die each of some deaths; what was wrong after which."""
        failed = []
        for death in deaths:
            try:
                self.die(operation, death)
            except AssertionError as reason:
                failed.append(f"{death}: {reason}")
                self.revive()
        return failed

    def quiet(self) -> None:
        """Wait until no daemon has done a step for a while."""

        def counts() -> list[int]:
            return [(self._steps(name) / "steps").stat().st_size for name in self.names]

        before: list[int] = []
        while before != (now := counts()):
            before = now
            with suppress(AssertionError):
                until(lambda: counts() != now, "silence", 0.5)

    def settle(self, operation: Operation) -> None:
        """
        Wait until nothing in the cloud disagrees.

        @raise AssertionError: something does, after C{SETTLED_AFTER} seconds.
        """
        deadline = SETTLED_AFTER
        found: list[str] = []

        def settled() -> bool:
            found[:] = [*self.read(faults, self.scene), *operation.complaints(self)]
            return not found

        try:
            until(settled, "", deadline)
        except AssertionError:
            raise AssertionError(f"after {deadline:.0f} s: {'; '.join(found)}") from None

    @cached_property
    def old_ec2(self) -> Any:
        """boto's client of its EC2 API, for what only Nova has."""
        return connect(self.environment)[0]

    @property
    def scene(self) -> Scene:
        """Where everything is, and the guests if a libvirtd has them."""
        guests = self.libvirtd and dict.fromkeys(self.libvirtd.guests(), Power.RUNNING)
        return Scene.of(self.directory, guests=guests)

    def _steps(self, name: str) -> Path:
        return self.directory / "steps" / name

    # Rows.

    def instances(self, *wanted: str) -> list[int]:
        """Ids of the instances in some states."""

        def look(txn: Connection) -> list[int]:
            query = select(instances.c.id).where(instances.c.state_description.in_(wanted))
            return list(txn.execute(query.order_by(instances.c.id)).scalars())

        return self.read(look)

    def image_states(self) -> dict[str, str]:
        """Every image's state."""

        def look(txn: Connection) -> dict[str, str]:
            return {row.id: row.state for row in txn.execute(select(images))}

        return self.read(look)


class Operation(Protocol):
    """Something that users do, again and again."""

    name: str

    def prepare(self, cloud: CrashingCloud) -> None:
        """Have there what it needs."""

    def perform(self, cloud: CrashingCloud) -> None:
        """Ask for it."""

    def complaints(self, cloud: CrashingCloud) -> Iterator[str]:
        """What is not as it should be in the end, beside the invariants."""
