"""
What the objectstore is measured beside: nginx, which stores by DAV, moto_server and s3rver.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.s3_servers import Server, running, with_buckets
from nova_tx.local.places import cache_directory, locked
from nova_tx.testing.ports import free_port

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


#: Of npm's registry; the version that figures were written down of.
_S3RVER = "s3rver@3.7.1"


@contextlib.contextmanager
def nginx(directory: Path) -> Iterator[Server]:
    """Debian's nginx, with its module for DAV."""
    (directory / "files").mkdir(parents=True)
    port = free_port()
    configuration = directory / "nginx.conf"
    configuration.write_text(_NGINX.format(directory=directory, port=port))
    argv = ["/usr/sbin/nginx", "-c", str(configuration), "-e", str(directory / "error.log")]
    with running(argv, port, directory / "out") as pid:
        yield Server("nginx", pid, port)


@contextlib.contextmanager
def moto(directory: Path) -> Iterator[Server]:
    """moto_server: objects in memory, long ones in temporary files; it checks no signature."""
    directory.mkdir()
    port = free_port()
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(argv, port, directory / "out", TMPDIR=str(directory)) as pid:
        # it takes four slashes before a comma for the scope of a version 4 signature, which names
        # the service; a version 2 signature may have as many, but not this many
        yield with_buckets(Server("moto", pid, port, access="any/one/at/all/who/asks"))


@contextlib.contextmanager
def s3rver(directory: Path) -> Iterator[Server]:
    """s3rver, which runs in Node.js: objects in files."""
    (directory / "files").mkdir(parents=True)
    port = free_port()
    argv = [str(_installed()), "-d", str(directory / "files"), "-a", "127.0.0.1", "-p", str(port)]
    with running([*argv, "--silent"], port, directory / "out") as pid:
        yield with_buckets(Server("s3rver", pid, port, "S3RVER", "S3RVER"))


def _installed() -> Path:
    """Its program, installed by npm if it is not there yet."""
    home = cache_directory() / "s3rver"
    home.mkdir(exist_ok=True)
    with locked(home / "lock"):
        program = home / "node_modules" / ".bin" / "s3rver"
        if not program.exists():
            npm = shutil.which("npm")
            if npm is None:
                raise SystemExit("s3rver is installed by npm: have that, or --without s3rver")
            words = ["install", "--no-audit", "--no-fund", "--prefix", str(home), _S3RVER]
            subprocess.run([npm, *words], check=True, stdout=subprocess.DEVNULL)
    return program
