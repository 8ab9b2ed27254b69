"""
A cloud of daemons under a random load for a while: they die, nothing is lost, nothing grows.

In the first half daemons are killed at random, C{kill -9}, and started at
once; in the second nobody dies, nothing may be refused, and memory and file
descriptors are held against their tolerances.  The seed decides what each
client chooses; what it chooses from is also a matter of time.
"""

from __future__ import annotations

import itertools
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from nova_tx.db import overview
from nova_tx.testing.daemons import Daemons
from nova_tx.testing.gauges import Gauges
from nova_tx.testing.journal import Journal
from nova_tx.testing.soak_clients import (
    PATIENCE,
    Client,
    ImageOwner,
    InstanceOwner,
    ObjectOwner,
    Onlooker,
)

#: What the daemons of a soak are told beside a local cloud's own flags.
SETTINGS = (
    "--quota_instances=200",
    "--quota_cores=200",
    # else answers, and with them memory, grow with every instance that ever was
    "--terminated_instance_seconds=60",
)
#: The part of the time in which daemons are killed.
_DYING = 0.5
#: Seconds from one death to the next, at least and at most.
_BETWEEN = (3.0, 12.0)
#: Bytes by which a daemon's memory may grow from the first window of its life to the last.
MEMORY_TOLERANCE = 6 * 2**20
#: Bytes per second that its memory may grow by, in a life of more than five minutes.
SLOPE_TOLERANCE = 256 * 1024 / 60
#: File descriptors that it may have more then.
FILES_TOLERANCE = 8
_LONG = 300.0
_CLIENTS: tuple[type[Client], ...] = (
    *(InstanceOwner, InstanceOwner, ObjectOwner, ObjectOwner),
    *(ImageOwner, Onlooker),
)
_MIB = 2**20
_ALARM = re.compile(r"(?P<at>[\d-]+ [\d:]+),\d+ (?P<what>(ERROR|CRITICAL) .*)")


class Soak:
    """
    One run.

    @ivar journal: what happened, and what was wrong.
    """

    def __init__(
        self,
        cloud: Daemons,
        image_id: str,
        seconds: float,
        seed: int,
        kill: bool = True,
        most: int = 8,
        say: Callable[[str], None] = print,
    ) -> None:
        """
        @param cloud: which runs, with L{SETTINGS}.
        @param image_id: an image that is available.
        @param most: instances that each of two clients has at most.
        @param say: is told a line every ten seconds.
        """
        self.journal = Journal()
        self._cloud, self._seconds, self._say, self._seed = cloud, seconds, say, seed
        self._image_id = image_id
        self._until_dying = seconds * _DYING if kill else 0.0
        self._random = random.Random(f"{seed}/deaths")
        self._gauges = Gauges(cloud.names, cloud.pid)
        self._clients = [
            kind(cloud, self.journal, image_id, f"{seed}/{number} {kind.__name__}", most)
            for number, kind in enumerate(_CLIENTS)
        ]

    def run(self) -> bool:
        """All of it; returns whether all was well, and has said what was not."""
        self._gauges.start()
        try:
            for each in self._clients:
                each.start()
            try:
                self._live()
            finally:
                for each in self._clients:
                    each.stop()
                for each in self._clients:
                    each.join()
            for each in self._clients:
                if each.failure is not None:
                    self.journal.fault(f"{each.name} broke off: {each.failure!r}")
            self._settle("at rest")
            self._check_promises()
            self._leave()
            self._settle("empty")
        finally:
            self._gauges.stop()
        self._check_growth()
        self._check_logs()
        for line in self._report():
            self._say(line)
        return not self.journal.faults

    # The time under load.

    def _live(self) -> None:
        began = time.monotonic()
        next_death = began + self._random.uniform(*_BETWEEN)
        next_line = began + 10.0
        while (now := time.monotonic()) < began + self._seconds:
            if now > next_death and now < began + self._until_dying:
                self._kill_one()
                next_death = time.monotonic() + self._random.uniform(*_BETWEEN)
            if now > next_line:
                self._say(self._line(now - began))
                next_line += 10.0
            time.sleep(0.1)

    def _kill_one(self) -> None:
        name = self._random.choice(self._cloud.names)
        self.journal.died(name)
        self._cloud.kill(name)
        self._cloud.start_daemon(name)

    def _line(self, seconds: float) -> str:
        sizes = " ".join(
            f"{name.removeprefix('nova-')} {each.memory / _MIB:.0f}/{each.files}"
            for name, each in sorted(self._gauges.last().items())
        )
        journal = self.journal
        return (
            f"{seconds:5.0f} s  {journal.requests:>6} done {journal.refusals:>4} refused"
            f" {journal.deaths.total():>3} deaths {len(journal.faults)} faults"
            f"  MiB/files: {sizes}"
        )

    # The end.

    def _settle(self, what: str) -> None:
        """Wait until all agrees; what still does not is a fault."""
        began = time.monotonic()
        while left := self._cloud.faults():
            if time.monotonic() - began > PATIENCE:
                for each in left:
                    self.journal.fault(f"{what}: {each}")
                return
            time.sleep(0.2)
        self._say(f"{what} after {time.monotonic() - began:.1f} s")

    def _check_promises(self) -> None:
        """What was launched is there or failed for a cause; what was ended has ended; objects."""
        rows = {row.hostname: row for row in self._cloud.read(overview.instances, None)}
        for client in self._clients:
            if isinstance(client, InstanceOwner):
                for each in client.ended & rows.keys():
                    self.journal.fault(f"{each} was to end, and is {rows[each].state_description}")
                for each in client.launched.keys() - client.ended:
                    if each not in rows:
                        self.journal.fault(f"{each} was launched, and nobody ended it; it is gone")
                    elif rows[each].state_description == "error":
                        client.failed(each, f"{each} is in error: {rows[each].reason}")
            if isinstance(client, ObjectOwner):
                checked = ObjectOwner(self._cloud, self.journal, self._image_id, client.name)
                checked.known = client.known
                for key in sorted(client.known):
                    checked.check(key)
                checked.listing()
                checked.close()

    def _leave(self) -> None:
        """End, take back and delete all that is left, but the one image."""
        ask, ec2, s3 = self.journal.ask, self._cloud.ec2, self._cloud.s3
        ids = [row.hostname for row in self._cloud.read(overview.instances, None)]
        if ids:
            ask("TerminateInstances", ec2.terminate_instances, InstanceIds=ids)
        end = time.monotonic() + PATIENCE
        while rows := self._cloud.read(overview.instances, None):
            if time.monotonic() > end:
                self.journal.fault(f"{len(rows)} instances do not end")
                break
            time.sleep(0.2)
        for image in ec2.describe_images()["Images"]:
            if image["ImageId"] != self._image_id:
                ask("DeregisterImage", ec2.deregister_image, ImageId=image["ImageId"])
        for bucket in s3.list_buckets()["Buckets"]:
            for each in s3.list_objects(Bucket=bucket["Name"]).get("Contents", ()):
                ask("delete_object", s3.delete_object, Bucket=bucket["Name"], Key=each["Key"])
            ask("delete_bucket", s3.delete_bucket, Bucket=bucket["Name"])
        left = [path for path in self._left() if path]
        for path in left:
            self.journal.fault(f"there is {path} left")

    def _left(self) -> Iterator[str]:
        """Files that nothing speaks of any more."""
        at = self._cloud.directory
        for pattern in ("instances/instance-*", "buckets/*/objects/**/*", "buckets/.new/*"):
            yield from (str(path) for path in at.glob(pattern) if path.is_file())
        for path in (at / "images").iterdir():
            if path.name not in (self._image_id, ".new"):
                yield str(path)

    def _check_growth(self) -> None:
        for name, its in self._gauges.longest().items():
            if its.growth > MEMORY_TOLERANCE:
                self.journal.fault(f"{name} grew by {its.growth / _MIB:.1f} MiB")
            if its.seconds > _LONG and its.slope > SLOPE_TOLERANCE:
                self.journal.fault(f"{name} grows by {its.slope * 60 / 1024:.0f} KiB/min")
            if its.more_files > FILES_TOLERANCE:
                self.journal.fault(f"{name} has {its.more_files:.0f} files more than before")

    def _check_logs(self) -> None:
        """What an operator would have to look at, and no death explains."""
        seen: Counter[str] = Counter()
        for name in self._cloud.names:
            for line in self._cloud.log(name).splitlines():
                found = _ALARM.match(line)
                if found and not self.journal.explained(
                    datetime.strptime(found["at"], "%Y-%m-%d %H:%M:%S").timestamp()
                ):
                    seen[f"{name}: {found['what'][:160]}"] += 1
        for line, count in seen.most_common(20):
            self.journal.fault(f"in a log, {count} times: {line}")

    def _report(self) -> Iterator[str]:
        yield ""
        yield from self.journal.table()
        yield ""
        yield (
            f"{'daemon':<18}{'deaths':>7}{'longest life':>14}{'MiB first':>11}{'last':>7}"
            f"{'KiB/min':>9}{'files first':>13}{'last':>6}"
        )
        for name, its in sorted(self._gauges.longest().items()):
            yield (
                f"{name:<18}{self.journal.deaths[name]:>7}{its.seconds:>12.0f} s"
                f"{its.memory[0] / _MIB:>11.1f}{its.memory[1] / _MIB:>7.1f}"
                f"{its.slope * 60 / 1024:>9.1f}{its.files[0]:>13.0f}{its.files[1]:>6.0f}"
            )
        yield ""
        faults = self.journal.faults
        yield f"seed {self._seed}: {len(faults) or 'no'} faults"
        yield from _limited(faults, 40)


def _limited(lines: Sequence[str], count: int) -> Iterable[str]:
    yield from itertools.islice(lines, count)
    if len(lines) > count:
        yield f"... and {len(lines) - count} more"
