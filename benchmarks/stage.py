"""
A cloud to be measured: RabbitMQ and five daemons with fake guests, each loop watched.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine

from benchmarks.ec2_load import Load
from benchmarks.figures import Figure
from nova_tx import installed
from nova_tx.local import processes
from nova_tx.testing.daemons import Daemons, free_plan

#: The intervals that are the default again, and room for more than a hundred instances.
_SETTINGS = (
    "--periodic_interval=60",
    "--report_interval=10",
    "--quota_instances=10000",
    "--quota_cores=100000",
)
_IMAGE = os.urandom(64 * 1024)


class Stage(Daemons):
    """The cloud; C{watched} daemons write down their loops' stalls."""

    watched = True

    def start_daemon(self, name: str) -> None:
        if not self.watched:
            super().start_daemon(name)
            return
        argv = [sys.executable, "-m", "nova_tx.testing.stalls", str(self._stalls(name)), name]
        argv += ["--nodaemon", f"--rundir={self.directory}", f"--flagfile={self.flagfile}"]
        environment = {**os.environ, "PYTHONPATH": installed.base()}
        processes.start(argv, self._record(name), self._log(name), environment)

    def _stalls(self, name: str) -> Path:
        return self.directory / f"{name}.stalls"

    def longest_stalls(self) -> dict[str, float]:
        """Seconds for which each daemon's loop did nothing else, at most, since last asked."""
        time.sleep(0.3)  # the last is written by now
        found = {}
        for name in self.names:
            path = self._stalls(name)
            lines = path.read_text().split() if path.exists() else []
            found[name] = max(map(float, lines), default=0.0)
            path.write_text("")
        return found

    @property
    def engine(self) -> Engine:
        """Of its database, past all daemons."""
        engine: Engine = self._engine
        return engine

    def load(self, parameters: dict[str, str], **more: object) -> Load:
        """A load on its EC2 API as its administrator."""
        known = self.environment
        access, secret = known["EC2_ACCESS_KEY"], known["EC2_SECRET_KEY"]
        return Load(self.ours.ec2_port, access, secret, parameters, **more)  # type: ignore[arg-type]

    def image(self) -> str:
        """An image that can be started."""
        image = self.publish("bench", "disk.img", _IMAGE)
        end = time.monotonic() + 120
        while self.image_state(image) != "available":
            assert time.monotonic() < end, "the image is not available"
            time.sleep(0.1)
        return image


@contextlib.contextmanager
def stage(watched: bool = True, settings: Sequence[str] = ()) -> Iterator[Stage]:
    """
    A cloud as long as it is needed.

    @param settings: further lines of its flag file.
    """
    with tempfile.TemporaryDirectory(prefix="nova-bench-") as name:
        cloud = Stage(Path(name, "cloud"), *_SETTINGS, *settings)
        cloud.watched = watched
        try:
            cloud.up(free_plan(cloud.directory))
            yield cloud
        finally:
            cloud.close()


def stall(stalls: dict[str, float]) -> Figure:
    """Whose loop stalled longest, for how long."""
    name = max(stalls, key=lambda each: stalls[each])
    return Figure(f"  longest stall meanwhile, of {name}", stalls[name] * 1000, "ms")
