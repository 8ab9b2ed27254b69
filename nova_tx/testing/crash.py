"""
A daemon that counts its steps, and kills itself at the one it is told: C{crash NAME [flags]}.

A step is what the daemon does to the world: a transaction, a message sent,
answered or acknowledged, a call of the hypervisor, of the network's devices, of
the image service, what is made, sent or changed in Glance, each piece of a file
that goes over HTTP, a program that is run, an answer over HTTP, and each change
of a file where guests, images, objects and DHCP servers have theirs.  Nobody
lists them: they are the methods of the interfaces, and what Python's audit
events tell of files; so a step that is new is counted like all others.

It is told by files in the directory that C{NOVA_TX_STEPS} names, in one by its
name: C{plan} makes it begin to count (it answers by C{armed}), C{steps} is what
it did since, a line each.  While it counts, what daemons do from time to time
by themselves waits, so that the same work is the same steps.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from twisted.web.http import Request
from zope.interface.interface import Method

from nova_tx.db.engine import Database
from nova_tx.flags import ComputeFlags, ImageFlags, NetworkFlags, S3Flags
from nova_tx.image.glance_client import Glance
from nova_tx.image.interfaces import IImages
from nova_tx.image.sender import FileSender
from nova_tx.network.fabric.interfaces import IFabric
from nova_tx.periodic import Periodic
from nova_tx.process import IRunner
from nova_tx.rpc.envelope import decode_request
from nova_tx.rpc.interfaces import IRPC
from nova_tx.rpc.server import Delivery, Intake
from nova_tx.taps import build, launch
from nova_tx.taps.parts import Parts
from nova_tx.virt.interfaces import IVirtDriver

#: Names the directory of plans.
VARIABLE = "NOVA_TX_STEPS"
#: Seconds between two looks at the plan.
LOOK = 0.02

BEFORE, AFTER = "before", "after"
#: What the name of a change of a file begins with: it is told of before it is made, and not after.
FILE = "file"

#: What is another in each run, and still the same step.
_CHANGING = re.compile(r"[0-9a-f]{32}|instance-[0-9a-f]{8}|\b[are][mki]i-[0-9a-z]+|reply\.\S+")
#: Audit events of changes to files, each with the places of the path and of a directory's
#: descriptor that it may be relative to.
_CHANGES = {
    "os.chmod": (0, 2),
    "os.link": (1, 3),
    "os.mkdir": (0, 2),
    "os.remove": (0, 1),
    "os.rename": (1, 3),
    "os.rmdir": (0, 1),
    "os.symlink": (1, 2),
    "os.truncate": (0, None),
}


@dataclass(frozen=True)
class Plan:
    """
    When to die.

    @ivar serial: another one for each plan.
    @ivar step: name of the step; empty only counts.
    @ivar number: which of the steps of that name, from 1.
    @ivar moment: C{before} or C{after} it.
    """

    serial: int
    step: str = ""
    number: int = 0
    moment: str = BEFORE


class Steps:
    """What a daemon does, counted from the moment that it finds a plan."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._plan: Plan | None = None
        self._seen: Counter[str] = Counter()
        self._alone = 0
        self._file = -1
        self.places: tuple[str, ...] = ()

    # Plans.

    def look(self) -> None:
        """Begin with a plan that is new, end with one that is gone."""
        try:
            plan = Plan(**json.loads((self._directory / "plan").read_text()))
        except FileNotFoundError:
            self._plan = None
            return
        if plan == self._plan or self._alone:
            return
        if self._file >= 0:
            os.close(self._file)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._file = os.open(self._directory / "steps", flags, 0o600)
        self._seen.clear()
        self._plan = plan
        (self._directory / "armed").write_text(str(plan.serial))

    def pause(self, periodic: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """What a daemon does by itself; left out while steps are counted."""

        async def paused(*args: Any) -> None:
            if self._plan is None:
                self._alone += 1
                try:
                    await periodic(*args)
                finally:
                    self._alone -= 1

        return paused

    # Steps.

    def before(self, name: str) -> int:
        """A step begins; returns which of its name it is."""
        if self._plan is None:
            return 0
        name = _CHANGING.sub("*", name)
        self._seen[name] += 1
        os.write(self._file, f"{name}\n".encode())
        self._now(name, self._seen[name], BEFORE)
        return self._seen[name]

    def after(self, name: str, number: int) -> None:
        """A step has ended."""
        self._now(_CHANGING.sub("*", name), number, AFTER)

    def _now(self, name: str, number: int, moment: str) -> None:
        plan = self._plan
        if plan is not None and (name, number, moment) == (plan.step, plan.number, plan.moment):
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(self, method: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        """A method whose every call is a step; C{name} makes its name of its arguments."""

        def call(*args: Any, **kwargs: Any) -> Any:
            step = name(*args, **kwargs)
            number = self.before(step)
            result = method(*args, **kwargs)
            if isinstance(result, Awaitable):
                return self._end(result, step, number)
            self.after(step, number)
            return result

        return call

    async def _end(self, result: Awaitable[Any], step: str, number: int) -> Any:
        try:
            return await result
        finally:
            self.after(step, number)

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        """Python tells of something; a change of a file of ours is a step."""
        if self._plan is None or not (event == "open" or event in _CHANGES):
            return
        if event == "open" and not (args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return
        place, relative = _CHANGES.get(event, (0, None))
        path = args[place]
        if isinstance(path, int):
            return
        path = os.fsdecode(path)
        if relative is not None and args[relative] >= 0:
            path = os.path.join(os.readlink(f"/proc/self/fd/{args[relative]}"), path)
        for each in self.places:
            if path.startswith(each):
                self.before(f"{FILE} {event} {os.path.relpath(path, os.path.dirname(each))}")
                return


class WatchedParts(Parts):
    """Parts of a daemon whose every use is a step."""

    steps: Steps

    def __init__(self, flags: Any, reactor: Any, patience: float | None) -> None:
        super().__init__(flags, reactor, patience)
        places = {
            ComputeFlags: "instances_path",
            ImageFlags: "images_path",
            NetworkFlags: "networks_path",
            S3Flags: "buckets_path",
        }
        found = []
        for section, name in places.items():
            try:
                found.append(os.path.abspath(getattr(flags.section(section), name)))
            except KeyError:
                pass  # this daemon has nothing there
        self.steps.places = tuple(found)
        reactor.callWhenRunning(self._look)

    def _look(self) -> None:
        self.steps.look()
        self.reactor.callLater(LOOK, self._look)

    def _watch(self, part: Any, interface: Any, name: Callable[..., str] | None = None) -> Any:
        for method in sorted(interface.names(all=True)):
            if isinstance(interface[method], Method) and method not in _NO_STEPS:
                named = name or (lambda *_, it=method, **__: f"{interface.__name__[1:]}.{it}")
                setattr(part, method, self.steps.watched(getattr(part, method), named))
        return part

    @cached_property
    def database(self) -> Database:
        found: Any = super().database
        found.run = self.steps.watched(found.run, lambda fn, *_, **__: f"transaction {fn.__name__}")
        return found  # type: ignore[no-any-return]

    @cached_property
    def rpc(self) -> IRPC:
        named = lambda _context, topic, method, *_, **__: f"send {topic} {method}"  # noqa: E731
        return self._watch(super().rpc, IRPC, named)  # type: ignore[no-any-return]

    @cached_property
    def runner(self) -> IRunner:
        named = lambda argv, *_, **__: f"run {argv[0]}"  # noqa: E731
        return self._watch(super().runner, IRunner, named)  # type: ignore[no-any-return]

    @cached_property
    def unprivileged(self) -> IRunner:
        # each is bounded by one that is named first: what it is for tells it from others
        named = lambda argv, *_, **__: f"run {' '.join(argv[argv.index('nice') + 3 :][:2])}"  # noqa: E731
        return self._watch(super().unprivileged, IRunner, named)  # type: ignore[no-any-return]

    @cached_property
    def images(self) -> IImages:
        return self._watch(super().images, IImages)  # type: ignore[no-any-return]

    @cached_property
    def driver(self) -> IVirtDriver:
        return self._watch(super().driver, IVirtDriver)  # type: ignore[no-any-return]

    @cached_property
    def fabric(self) -> IFabric:
        return self._watch(super().fabric, IFabric)  # type: ignore[no-any-return]


#: Methods of interfaces that do nothing to the world.
_NO_STEPS = frozenset({"open", "close", "serve", "watch", "watch_leases", "guests"})


class _WatchedDelivery:
    """A message whose answer and acknowledgement are steps."""

    def __init__(self, delivery: Delivery, steps: Steps) -> None:
        self.body = delivery.body
        self.lost, self.give_back = delivery.lost, delivery.give_back
        method = decode_request(delivery.body).method
        self.reply = steps.watched(delivery.reply, lambda *_: f"answer {method}")
        self.done = steps.watched(delivery.done, lambda: f"acknowledge {method}")


def install(steps: Steps) -> None:
    """Have everything that a daemon of this process does counted."""
    WatchedParts.steps = steps
    vars(build)["Parts"] = WatchedParts
    take = Intake.take
    watched: Any = lambda self, delivery: take(self, _WatchedDelivery(delivery, steps))  # noqa: E731
    _replace(Intake, "take", watched)
    _replace(Periodic, "_attempt", steps.pause(Periodic._attempt))
    _replace(Request, "finish", steps.watched(Request.finish, lambda *_: "answer HTTP"))
    _replace(FileSender, "_came", steps.watched(FileSender._came, lambda *_: "send a piece"))
    for name in ("create", "upload", "patch", "delete", "share", "unshare"):
        named = lambda *_, it=name: f"Glance.{it}"  # noqa: E731
        _replace(Glance, name, steps.watched(getattr(Glance, name), named))
    sys.addaudithook(steps.audit)


def _replace(owner: type[Any], name: str, function: Callable[..., Any]) -> None:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    setattr(owner, name, method)


def main() -> None:
    """As L{launch.main}."""
    directory = Path(os.environ[VARIABLE], os.path.basename(sys.argv[1]))
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("plan", "armed"):
        (directory / name).unlink(missing_ok=True)
    install(Steps(directory))
    launch.main(sys.argv[1:])


def write_plan(directory: Path, plan: Plan) -> None:
    """Give a daemon its plan."""
    scratch = directory / "plan.new"
    scratch.write_text(json.dumps(asdict(plan)))
    scratch.replace(directory / "plan")


def numbered(names: Iterable[str]) -> list[tuple[str, int]]:
    """Each step with which of its name it is."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append((name, seen[name]))
    return found


if __name__ == "__main__":
    main()
