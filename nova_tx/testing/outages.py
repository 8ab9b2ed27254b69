"""
What happens to a cloud when a part that it stands on is restarted, killed or paused under load.

Blocking, without the reactor: clients are threads.
"""

from __future__ import annotations

import base64
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import (  # type: ignore[import-untyped]
    ClientError,
    HTTPClientError,
)
from sqlalchemy import Connection, select

from nova_tx import states
from nova_tx.db.schema import instance_actions, instances
from nova_tx.ids import parse_instance_id
from nova_tx.local import processes
from nova_tx.local.libvirtd import PrivateLibvirtd
from nova_tx.testing.daemons import DEADLINE, Daemons, until
from nova_tx.testing.databases import Server
from nova_tx.testing.invariants import Scene, faults
from nova_tx.testing.rabbitmq import RabbitMQ


class Ground(Protocol):
    """A part that a cloud stands on, and is none of its daemons."""

    name: str

    def start(self) -> object:
        """Start it, and wait until it answers."""

    def stop(self) -> None:
        """End it in good order."""

    def pids(self) -> Sequence[int]:
        """Every process of it."""


@dataclass
class Broker:
    """RabbitMQ."""

    node: RabbitMQ
    name: str = "RabbitMQ"

    def start(self) -> None:
        self.node.start()

    def stop(self) -> None:
        self.node.stop()

    def pids(self) -> Sequence[int]:
        return _tree(self.node.pid())


@dataclass
class Rows:
    """A database server."""

    server: Server
    name: str = "the database"

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()

    def pids(self) -> Sequence[int]:
        return _tree(self.server.pid())


@dataclass
class Hypervisor:
    """A libvirtd, without its guests."""

    libvirtd: PrivateLibvirtd
    name: str = "libvirtd"

    def start(self) -> None:
        self.libvirtd.start()

    def stop(self) -> None:
        processes.end(self.libvirtd.record)

    def pids(self) -> Sequence[int]:
        pid = processes.running(self.libvirtd.record)
        return () if pid is None else (pid,)


def _tree(pid: int | None) -> list[int]:
    """A process and its children, theirs too."""
    if pid is None:
        return []
    try:
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [pid, *(each for word in words for each in _tree(int(word)))]


# What can happen to it: each returns when it is back.


def restart(part: Ground, away: float) -> None:
    """It is stopped in good order, and started a while later."""
    part.stop()
    time.sleep(away)
    part.start()


def kill(part: Ground, away: float) -> None:
    """It dies at once, and is started a while later."""
    _send(part, signal.SIGKILL)
    part.stop()  # it is dead; what knows of it learns that
    time.sleep(away)
    part.start()


def pause(part: Ground, away: float) -> None:
    """It says nothing for a while, and keeps all its connections."""
    with paused(part):
        time.sleep(away)


@contextmanager
def paused(part: Ground) -> Iterator[None]:
    """While in here, it says nothing."""
    _send(part, signal.SIGSTOP)
    try:
        yield
    finally:
        _send(part, signal.SIGCONT)


def _send(part: Ground, number: signal.Signals) -> None:
    for pid in part.pids():
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # it ended with its parent


Outage = Callable[[Ground, float], None]


# The load.


@dataclass
class Seen:
    """
    What the clients of a load were told.

    @ivar launched: of each launch that was answered, by its mark, the instances.
    @ivar unanswered: marks of launches that may have been made or not, and how many were wanted.
    @ivar ended: instances whose termination was accepted.
    @ivar perhaps: those whose termination may have been accepted or not.
    @ivar refused: codes of refusals, and names of failures to answer.
    @ivar looks: seconds that each answered DescribeInstances took.
    @ivar blind: refusals of DescribeInstances.
    """

    launched: dict[str, list[int]] = field(default_factory=dict)
    unanswered: dict[str, int] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    perhaps: set[int] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)

    @property
    def live(self) -> set[int]:
        """Instances that must run."""
        every = {each for found in self.launched.values() for each in found}
        return every - self.ended - self.perhaps


@dataclass(frozen=True)
class Pace:
    """
    How heavy a load is.

    @ivar clients: that launch and end instances.
    @ivar breath: seconds between an answer and a client's next request.
    @ivar kept: instances that each leaves running.
    """

    clients: int = 2
    breath: float = 0.15
    kept: int = 2


class Load:
    """Clients that launch and end instances, and one that lists them."""

    def __init__(self, cloud: Daemons, image_id: str, pace: Pace) -> None:
        self.seen = Seen()
        self._pace = pace
        self._mark = secrets.token_hex(8)
        self._cloud = cloud
        self._image_id = image_id
        self._over = threading.Event()
        works = [lambda name=name: self._launcher(name) for name in range(pace.clients)]
        self._threads = [threading.Thread(target=work) for work in (*works, self._looker)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """While in here, they are at work."""
        for each in self._threads:
            each.start()
        try:
            yield
        finally:
            self._over.set()
            for each in self._threads:
                each.join()

    def _launcher(self, name: int) -> None:
        ec2 = self._client()
        kept: list[int] = []
        for number in range(10_000):
            if self._over.wait(self._pace.breath):
                break
            kept += self._launch(ec2, f"{self._mark}-{name}-{number}", 1 + number % 2)
            while len(kept) > self._pace.kept and not self._over.is_set():
                self._end(ec2, kept.pop(0))
        ec2.close()

    def _launch(self, ec2: Any, mark: str, count: int) -> list[int]:
        try:
            answer = ec2.run_instances(
                ImageId=self._image_id,
                MinCount=count,
                MaxCount=count,
                InstanceType="m1.tiny",
                UserData=mark,
            )
        except (ClientError, HTTPClientError) as error:
            self.seen.unanswered[mark] = count
            self.seen.refused.append(_code(error))
            return []
        found = [parse_instance_id(each["InstanceId"]) for each in answer["Instances"]]
        self.seen.launched[mark] = found
        return found

    def _end(self, ec2: Any, instance_id: int) -> None:
        try:
            ec2.terminate_instances(InstanceIds=[f"i-{instance_id:08x}"])
        except (ClientError, HTTPClientError) as error:
            self.seen.perhaps.add(instance_id)
            self.seen.refused.append(_code(error))
        else:
            self.seen.ended.add(instance_id)

    def _looker(self) -> None:
        ec2 = self._client()
        while not self._over.wait(self._pace.breath):
            began = time.monotonic()
            try:
                ec2.describe_instances()
            except (ClientError, HTTPClientError) as error:
                self.seen.blind.append(_code(error))
            else:
                self.seen.looks.append(time.monotonic() - began)
        ec2.close()

    def _client(self) -> Any:
        return self._cloud.client("ec2", read_timeout=DEADLINE)


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__


# What is to come of it.


def unsettled(txn: Connection, seen: Seen) -> list[str]:
    """What is not yet, or will never be, as the clients were told; a sentence each."""
    columns = (instances.c.id, instances.c.user_data, instances.c.state_description)
    rows = txn.execute(select(*columns)).all()
    state = {row.id: row.state_description for row in rows}
    made: dict[str, list[int]] = {}
    for row in rows:
        mark = base64.b64decode(row.user_data or "").decode()
        made.setdefault(mark, []).append(row.id)
    failed = txn.execute(
        select(instance_actions.c.instance_id, instance_actions.c.error).where(
            instance_actions.c.action == "fail"
        )
    )
    found = [f"instance {each.instance_id} failed: {each.error}" for each in failed]
    for mark, ids in seen.launched.items():
        if sorted(made.get(mark, [])) != sorted(ids):
            found.append(f"launch {mark} was answered with {ids}, and made {made.get(mark)}")
    for mark, count in seen.unanswered.items():
        if len(made.get(mark, [])) not in (0, count):
            found.append(f"launch {mark} was of {count}, and made {made[mark]}")
    for instance_id in sorted(seen.live):
        if state.get(instance_id) != states.RUNNING:
            found.append(f"instance {instance_id} is {state.get(instance_id)}, not running")
    for instance_id in sorted(seen.ended):
        if state.get(instance_id) != states.TERMINATED:
            found.append(f"instance {instance_id} is {state.get(instance_id)}, not terminated")
    for instance_id in sorted(seen.perhaps):
        if state.get(instance_id) not in (states.RUNNING, states.TERMINATED):
            found.append(f"instance {instance_id} is {state.get(instance_id)}, and was kept or not")
    return found


@dataclass(frozen=True)
class Outcome:
    """
    An outage, and what became of it.

    @ivar settled: seconds from the part's return until all was as the clients were told.
    """

    part: str
    outage: str
    away: float
    settled: float
    seen: Seen

    def __str__(self) -> str:
        seen = self.seen
        launched = sum(map(len, seen.launched.values()))
        return (
            f"{self.part:<14} {self.outage:<8} away {self.away:5.1f} s, settled after"
            f" {self.settled:5.1f} s; {launched} launched, {len(seen.ended)} ended,"
            f" {len(seen.refused)} refused {sorted(set(seen.refused))};"
            f" {len(seen.looks)} looks, the longest {max(seen.looks, default=0.0):.2f} s,"
            f" {len(seen.blind)} refused"
        )


def endure(
    cloud: Daemons,
    image_id: str,
    part: Ground,
    outage: Outage,
    away: float,
    scene: Callable[[], Scene],
    pace: Pace = Pace(),
) -> Outcome:
    """
    Put a cloud under load, have an outage, wait until all is settled.

    It begins when launches and terminations were accepted, and the load ends
    when another launch was accepted after it.

    @param away: seconds.
    @param scene: what is there, beside the rows.
    @raise AssertionError: something was lost, done twice, or left over.
    """
    load = Load(cloud, image_id, pace)
    with load.running():
        until(lambda: load.seen.launched and load.seen.ended, "the first answers")
        began = time.monotonic()
        outage(part, away)
        back = time.monotonic()
        answered = len(load.seen.launched)
        until(lambda: len(load.seen.launched) > answered, "a launch after the outage")
    left: list[str] = []
    end = time.monotonic() + DEADLINE
    while left := [*cloud.read(unsettled, load.seen), *cloud.read(faults, scene())]:
        hopeless = [each for each in left if " failed: " in each]
        assert not hopeless and time.monotonic() < end, "\n".join(hopeless or left)
        time.sleep(0.1)
    settled = time.monotonic() - back
    return Outcome(part.name, outage.__name__, back - began, settled, load.seen)
