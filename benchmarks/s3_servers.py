"""
What the S3 benchmarks compare: the daemon nova-objectstore, and nginx that stores by DAV.
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
from pathlib import Path

from benchmarks.s3_load import signed
from nova_tx import installed

ACCESS, SECRET = "bench-access", "bench-secret"
_NGINX = """
daemon off;
user root;
worker_processes auto;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log {directory}/access.log;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    client_max_body_size 0;
    client_body_temp_path {directory}/temporary;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {directory}/files;
        location / {{
            dav_methods PUT;
            create_full_put_path on;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Server:
    """
    A server on loopback.

    @ivar pid: its process (nginx: that of its master).
    """

    name: str
    pid: int
    port: int
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _exchange(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(request)
        return connection.recv(65536)


@contextlib.contextmanager
def _running(argv: Sequence[str], port: int, log: Path) -> Iterator[int]:
    with open(log, "wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, cwd=installed.base())
    try:
        end = time.monotonic() + 60
        while True:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{argv[0]} does not run:\n{log.read_text()[-2000:]}")
            with contextlib.suppress(OSError):
                _exchange(port, b"GET / HTTP/1.0\r\n\r\n")
                break
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def objectstore(directory: Path) -> Iterator[Server]:
    """The daemon with its default flags, users in SQLite, and buckets C{bucket} and C{large}."""
    directory.mkdir(parents=True)
    port = _free_port()
    flagfile = directory / "nova.conf"
    flagfile.write_text(
        f"--state_path={directory}\n--my_ip=127.0.0.1\n--s3_listen_host=127.0.0.1\n"
        f"--s3_port={port}\n--fake_rabbit\n--sql_connection=sqlite:///{directory}/nova.sqlite\n"
    )
    scripts = Path(installed.base(), "scripts")
    for words in (
        ("db", "sync"),
        ("user", "admin", "bench", ACCESS, SECRET),
        ("project", "create", "bench", "bench"),
    ):
        argv = [str(scripts / "nova-manage"), f"--flagfile={flagfile}", *words]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    stalls = directory / "stalls"
    argv = [sys.executable, "-m", "nova_tx.testing.stalls", str(stalls)]
    argv += [str(scripts / "nova-objectstore"), "-n", f"--logfile={directory}/log"]
    argv += [f"--flagfile={flagfile}"]
    with _running(argv, port, directory / "out") as pid:
        for bucket in ("bucket", "large"):
            answer = _exchange(port, signed("PUT", f"/{bucket}", ACCESS, SECRET, 0))
            assert answer.startswith(b"HTTP/1.1 200"), answer
        yield Server("nova-objectstore", pid, port, stalls)


@contextlib.contextmanager
def nginx(directory: Path) -> Iterator[Server]:
    """Debian's nginx, with its module for DAV."""
    (directory / "files").mkdir(parents=True)
    port = _free_port()
    configuration = directory / "nginx.conf"
    configuration.write_text(_NGINX.format(directory=directory, port=port))
    argv = ["/usr/sbin/nginx", "-c", str(configuration), "-e", str(directory / "error.log")]
    with _running(argv, port, directory / "out") as pid:
        yield Server("nginx", pid, port)
