"""
Servers on loopback for the S3 benchmarks; of them the daemon nova-objectstore.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from nova_tx import installed
from nova_tx.testing.ports import free_port
from nova_tx.testing.s3_heads import signed

_MANAGE = "import sys; from nova_tx.manage.main import main; sys.exit(main(sys.argv[1:]))"
ACCESS, SECRET = "bench-access", "bench-secret"
BUCKETS = ("bucket", "large", "many")


@dataclass(frozen=True)
class Server:
    """
    A server on loopback.

    @ivar pid: its process (the first one, if there are several).
    @ivar access, secret: what it takes requests from; it has C{BUCKETS}.
    @ivar stalls: where is written how long its event loop stalls.
    """

    name: str
    pid: int
    port: int
    access: str = ACCESS
    secret: str = SECRET
    stalls: Path | None = None

    def memory(self, field: str) -> int:
        """Bytes that /proc tells of it: C{VmRSS}, C{VmHWM}."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        [line] = [line for line in lines if line.startswith(field + ":")]
        return int(line.split()[1]) * 1024

    def longest_stall(self) -> float:
        """Seconds for which its event loop did nothing else, at most, since the last time asked."""
        if self.stalls is None or not self.stalls.exists():
            return 0.0
        time.sleep(0.3)  # the last one is written by now
        found = [float(line) for line in self.stalls.read_text().split()]
        os.truncate(self.stalls, 0)
        return max(found, default=0.0)


def exchange(port: int, request: bytes) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(request)
        with HTTPResponse(connection) as response:
            response.begin()
            return response.status, response.read()


@contextlib.contextmanager
def running(argv: Sequence[str], port: int, log: Path, **environment: str) -> Iterator[int]:
    with open(log, "wb") as out:
        process = subprocess.Popen(
            argv, stdout=out, stderr=out, cwd=installed.base(), env={**os.environ, **environment}
        )
    try:
        end = time.monotonic() + 60
        while True:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{argv[0]} does not run:\n{log.read_text()[-2000:]}")
            with contextlib.suppress(OSError, HTTPException):
                exchange(port, b"GET / HTTP/1.0\r\n\r\n")
                break
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def with_buckets(server: Server) -> Server:
    """The same, with C{BUCKETS}."""
    for bucket in BUCKETS:
        answer = exchange(server.port, signed("PUT", f"/{bucket}", server.access, server.secret, 0))
        assert answer[0] == 200, answer
    return server


@contextlib.contextmanager
def objectstore(directory: Path, *flags: str) -> Iterator[Server]:
    """The daemon with its default flags but for some, and users in SQLite."""
    directory.mkdir(parents=True)
    port = free_port()
    flagfile = directory / "nova.conf"
    flagfile.write_text(
        f"--state_path={directory}\n--my_ip=127.0.0.1\n--s3_listen_host=127.0.0.1\n"
        f"--s3_port={port}\n--fake_rabbit\n--sql_connection=sqlite:///{directory}/nova.sqlite\n"
        + "".join(f"{each}\n" for each in flags)
    )
    for words in (
        ("db", "sync"),
        ("user", "admin", "bench", ACCESS, SECRET),
        ("project", "create", "bench", "bench"),
    ):
        argv = [sys.executable, "-c", _MANAGE, "nova-manage", f"--flagfile={flagfile}", *words]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    stalls = directory / "stalls"
    argv = [sys.executable, "-m", "nova_tx.testing.stalls", str(stalls)]
    argv += ["nova-objectstore", "-n", f"--logfile={directory}/log"]
    argv += [f"--flagfile={flagfile}"]
    with running(argv, port, directory / "out") as pid:
        yield with_buckets(Server("nova-objectstore", pid, port, stalls=stalls))
