"""
A cloud of separate daemons with fake guests, for tests that start, hurt and end them.

Blocking, without the reactor; its clients are boto3.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from sqlalchemy import Connection

from nova_tx.db import dialects
from nova_tx.flags import SqlFlags
from nova_tx.image.bundles import bundle
from nova_tx.local.clients import read_novarc
from nova_tx.local.cloud import Cloud
from nova_tx.local.plan import Plan
from nova_tx.states import Power
from nova_tx.testing.invariants import Scene, faults
from nova_tx.testing.ports import is_free
from nova_tx.testing.rabbitmq import RabbitMQ

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds after which what did not come is a failure.
DEADLINE = 180.0
#: So that what is lost is found out, and done again, while a test waits for it.
PROMPT = ("--periodic_interval=2", "--report_interval=2")


def until(there: Callable[[], T], what: str, deadline: float = DEADLINE) -> T:
    """
    Ask again and again; returns the first answer that is true.

    @raise AssertionError: there was none in C{deadline} seconds.
    """
    end = time.monotonic() + deadline
    while not (found := there()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


def free_plan(directory: Path, bus: str = "rabbitmq", database: str = "") -> Plan:
    """A cloud with fake guests, on ports that nobody has."""
    for base in random.sample(range(12_000, 21_000), 100):
        plan = Plan(str(directory), bus, "fake", database, base, "10.100.0.0/22")
        if all(map(is_free, plan.ports.values())):
            return plan
    raise AssertionError("no free ports")


class Daemons(Cloud):
    """
    A cloud that belongs to a test.

    @ivar settings: flags that make it settle promptly, and the test's own.
    """

    def __init__(self, directory: Path, *settings: str) -> None:
        super().__init__(directory, lambda _text: None, (*PROMPT, *settings))

    # Its parts.

    @property
    def ours(self) -> Plan:
        """What was started."""
        plan = self.plan
        assert plan is not None, "it was never up"
        return plan

    @property
    def names(self) -> Sequence[str]:
        """Its daemons."""
        return self.ours.daemons

    @property
    def broker(self) -> RabbitMQ:
        """Its RabbitMQ."""
        return self._broker(self.ours)

    def log(self, name: str) -> str:
        """What a daemon has logged so far."""
        return self._log(name).read_text(errors="replace")

    def signal(self, name: str, number: signal.Signals) -> int:
        """Send a daemon a signal; returns its process."""
        pid = self.pid(name)
        assert pid is not None, f"{name} does not run:\n{self.log(name)[-2000:]}"
        os.kill(pid, number)
        return pid

    def ended(self, pid: int) -> int:
        """Wait for a daemon that this process started; returns its exit status, or -signal."""

        statuses: list[int] = []

        def over() -> bool:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                statuses.append(os.waitstatus_to_exitcode(status))
            return bool(found)

        until(over, f"the end of process {pid}")
        return statuses[0]

    def kill(self, name: str) -> None:
        """End a daemon as a crash does; returns when it is gone."""
        self.ended(self.signal(name, signal.SIGKILL))

    def restart(self, name: str) -> None:
        """Start a daemon that is dead; returns when it is ready."""
        begin = len(self.log(name))
        self.start_daemon(name)
        until(lambda: " ready\n" in self.log(name)[begin:], f"{name} to be ready")

    def reconfigure(self, name: str, *flags: str) -> None:
        """Give a daemon further flags, and start it anew."""
        with open(self.flagfile, "a", encoding="utf-8") as file:
            file.writelines(f"{each}\n" for each in flags)
        self.kill(name)
        self.restart(name)

    # Its rows.

    def read(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """C{fn(txn, ...)} on its database, past all daemons."""
        with self._engine.connect() as txn:
            return fn(txn, *args, **kwargs)

    def faults(self) -> list[str]:
        """What does not agree in it; see L{nova_tx.testing.invariants}."""
        guests = None
        if self.ours.real:
            guests = dict.fromkeys(self._libvirtd.guests(), Power.RUNNING)
        return self.read(faults, Scene.of(self.directory, guests=guests))

    @cached_property
    def _engine(self) -> Any:
        return dialects.create(SqlFlags(sql_connection=self.ours.sql_connection))

    # Its clients.

    @cached_property
    def environment(self) -> dict[str, str]:
        """What its novarc sets."""
        return read_novarc(self.novarc)

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client, C{ec2} or C{s3}, that tries once and not again."""
        known = self.environment
        session = boto3.session.Session(
            known["AWS_ACCESS_KEY_ID"], known["AWS_SECRET_ACCESS_KEY"], region_name="nova"
        )
        url = known["EC2_URL" if service == "ec2" else "S3_URL"]
        values = {"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}}
        made = session.client(
            service,
            endpoint_url=url,
            verify=known.get("AWS_CA_BUNDLE"),
            config=Config(**{**values, **config}),
        )
        made.meta.events.register(f"before-sign.{service}", _another)
        return made

    @cached_property
    def ec2(self) -> Any:
        """boto3's client of its EC2 API."""
        return self.client("ec2")

    @cached_property
    def s3(self) -> Any:
        """boto3's client of its objectstore."""
        return self.client("s3")

    def publish(self, bucket: str, name: str, content: bytes) -> str:
        """Upload an image into a new bucket and register it; returns its id."""
        location = self.upload(bucket, name, content, self.s3)
        return str(self.ec2.register_image(Name=name, ImageLocation=location)["ImageId"])

    def upload(self, bucket: str, name: str, content: bytes, s3: Any) -> str:
        """Bundle an image and upload it into a new bucket; returns its location."""
        s3.create_bucket(Bucket=bucket)
        with tempfile.TemporaryDirectory(prefix="bundle-") as directory:
            source = Path(directory, name)
            source.write_bytes(content)
            keys = [Path(self.environment[each]).read_bytes() for each in _KEYS]
            for path in bundle(str(source), directory, name, "x86_64", None, None, *keys):
                s3.put_object(Bucket=bucket, Key=Path(path).name, Body=Path(path).read_bytes())
        return f"{bucket}/{name}.manifest.xml"

    def image_state(self, image_id: str) -> str:
        """What DescribeImages says of an image."""
        return str(self.ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"])

    def close(self) -> None:
        """End it, and all that this object opened."""
        for name in ("ec2", "s3"):
            if name in vars(self):
                vars(self).pop(name).close()
        if "_engine" in vars(self):
            vars(self).pop("_engine").dispose()
        self.down()


def _another(request: Any, **_of: object) -> None:
    """Make a request another one than the same of the same second: each is meant."""
    request.headers["X-Amz-Nonce"] = secrets.token_hex(8)


_KEYS = ("EC2_PRIVATE_KEY", "EC2_CERT", "EUCALYPTUS_CERT")
