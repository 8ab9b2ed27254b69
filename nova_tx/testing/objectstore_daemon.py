"""
The daemon nova-objectstore as an operator has it, for tests: of one process or several, without
the rest of a cloud. Blocking, without the reactor.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]

from nova_tx import installed
from nova_tx.manage.main import main
from nova_tx.testing.certificates import Authority
from nova_tx.testing.daemons import until
from nova_tx.testing.endpoint import Endpoint
from nova_tx.testing.objectstore_server import USERS
from nova_tx.testing.ports import free_port


class ObjectstoreDaemon:
    """
    The daemon, with L{USERS} in SQLite, each with a project of its name.

    @ivar directory: of all its files.
    """

    def __init__(
        self,
        directory: Path,
        *flags: str,
        authority: Authority | None = None,
        launch: str = "nova_tx.taps.launch",
    ) -> None:
        """
        @param authority: it is reached by TLS, with a certificate of this one's.
        @param launch: the module that runs it.
        """
        self.directory = directory
        self._launch = launch
        self.port = free_port()
        self.endpoint = Endpoint(self.port, authority)
        self.flagfile = directory / "nova.conf"
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        lines = (
            f"--state_path={directory}",
            "--my_ip=127.0.0.1",
            "--s3_listen_host=127.0.0.1",
            f"--s3_port={self.port}",
            "--fake_rabbit",
            f"--sql_connection=sqlite:///{directory}/nova.sqlite",
            *flags,
            *(_secure(authority) if authority is not None else ()),
        )
        self.flagfile.write_text("".join(f"{each}\n" for each in lines))
        self.manage("db", "sync")
        for user in USERS:
            kind = "admin" if user.is_admin else "create"
            self.manage("user", kind, user.id, user.access_key, user.secret_key)
            self.manage("project", "create", user.id, user.id)

    def manage(self, *words: str) -> int:
        """What C{nova-manage} returns."""
        return main(["nova-manage", f"--flagfile={self.flagfile}", *words])

    @property
    def pid(self) -> int:
        """Of the first process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        with open(self.directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                self.argv, stdout=log, stderr=log, cwd=installed.base()
            )
        until(self._answers, "the objectstore")

    @property
    def argv(self) -> list[str]:
        """How it is started."""
        argv = [sys.executable, "-m", self._launch, "nova-objectstore", "--nodaemon"]
        return [*argv, "--pidfile=", f"--rundir={self.directory}", f"--flagfile={self.flagfile}"]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"it does not run:\n{self.log()[-2000:]}"
        with suppress(OSError), self.endpoint.connect() as link:
            link.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return bool(link.recv(1))
        return False

    def log(self) -> str:
        """What it has logged so far."""
        return (self.directory / "log").read_text(errors="replace")

    def mates(self) -> list[int]:
        """The processes that the first one started, and that live."""
        there = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        return [each for each in there if _facts(each).get("PPid") == str(self.pid)]

    def kill(self) -> None:
        """End it as a crash does, all of its processes; returns when they are gone."""
        assert self._process is not None
        # stopped, so that it starts no other meanwhile, which would keep the port
        self._process.send_signal(signal.SIGSTOP)
        until(lambda: _facts(self.pid).get("State", "T").startswith("T"), "its standing still")
        mates = self.mates()
        self._process.kill()
        self._process.wait()
        self._process = None
        until(lambda: not any(map(_facts, mates)), "the end of the others")

    def stop(self) -> int:
        """End it properly; returns its status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(120)
        self._process = None
        return status

    def close(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self.kill()

    def memory(self, field: str, pid: int | None = None) -> int:
        """Bytes that the kernel says a process has: C{VmRSS}, C{VmHWM}."""
        return int(_facts(pid or self.pid)[field].split()[0]) * 1024

    def s3(self, name: str = "joe", attempts: int = 1, timeout: float = 60.0) -> Any:
        """A client of one of L{USERS}, with connections of its own."""
        return _session().client(
            "s3",
            aws_access_key_id=f"{name}-access:{name}",
            aws_secret_access_key=f"{name}-secret",
            endpoint_url=self.endpoint.url,
            verify=self.endpoint.verify,
            region_name="nova",
            config=Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": attempts},
                read_timeout=timeout,
            ),
        )


def _secure(authority: Authority) -> tuple[str, ...]:
    """Flags of a daemon with TLS."""
    issued = authority.issue("objectstore", ["127.0.0.1"])
    return (
        "--s3_scheme=https",
        f"--s3_ssl_cert={issued.certificate}",
        f"--s3_ssl_key={issued.key}",
        f"--s3_ssl_ca={authority.path}",
    )


@contextmanager
def running_daemon(
    directory: Path, *flags: str, authority: Authority | None = None
) -> Iterator[ObjectstoreDaemon]:
    """A daemon that answers."""
    made = ObjectstoreDaemon(directory, *flags, authority=authority)
    try:
        made.start()
        yield made
    finally:
        made.close()


@cache
def _session() -> Any:
    # it reads the models of all calls once only
    return boto3.session.Session()


def _facts(pid: int) -> dict[str, str]:
    """What the kernel says of a process; nothing if it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    found = dict(line.split(":\t", 1) for line in text.splitlines())
    return {} if found["State"].startswith("Z") else found


def on_each(daemon: ObjectstoreDaemon, ask: Callable[[Any], object], tries: int = 40) -> None:
    """Ask over many new connections, so that every process is asked some time."""
    for _ in range(tries):
        client = daemon.s3()
        try:
            ask(client)
        finally:
            client.close()


def kill_one(pid: int) -> None:
    """End one process as a crash does."""
    os.kill(pid, signal.SIGKILL)
