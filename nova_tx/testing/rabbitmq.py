"""
A private RabbitMQ: one node in a directory of its own, on loopback, ended by pid.

For tests and for a cloud on one machine.  It shares nothing with a RabbitMQ of
the system: no files, no cookie, no epmd; its only port is the one for clients
(and one for TLS).  Blocking, without the reactor.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from nova_tx.errors import StartupError

_PROGRAMS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/sbin/rabbitmq-server")


@dataclass(frozen=True)
class TLS:
    """
    A second listener, with TLS.

    @ivar client_certificates: whether clients need one from C{ca}.
    """

    port: int
    ca: Path
    certificate: Path
    key: Path
    client_certificates: bool = False


@dataclass(frozen=True)
class RabbitMQ:
    """
    A node; C{start}, C{stop} and C{kill} may be called by different processes.

    What it keeps is in C{directory}: messages, its log, its pid.

    @ivar settings: further lines of its C{rabbitmq.conf}.
    """

    directory: Path
    port: int
    user: str = "nova"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)
    vhost: str = "/"
    tls: TLS | None = None
    settings: tuple[str, ...] = ("disk_free_limit.absolute = 50MB",)

    def start(self, deadline: float = 180.0) -> None:
        """
        Start the node, in the background, and wait until it takes clients.

        User, password and vhost are made at the first start in a directory.

        @raise StartupError: there is no RabbitMQ, or it does not come up.
        """
        program = next((each for each in _PROGRAMS if os.access(each, os.X_OK)), None)
        if program is None:
            raise StartupError(
                "RabbitMQ is not installed (no rabbitmq-server): apt-get install rabbitmq-server"
            )
        self._prepare()
        with open(self.directory / "output", "ab") as output:
            node = subprocess.Popen(
                [program],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment(),
                cwd=self.directory,
                start_new_session=True,
            )
        self._write("pid", f"{node.pid}\n")
        until = time.monotonic() + deadline
        while not self._answers():
            if node.poll() is not None or time.monotonic() > until:
                self.kill()
                raise StartupError(f"RabbitMQ did not come up; see {self.directory / 'output'}")
            time.sleep(0.05)

    def stop(self, deadline: float = 60.0) -> None:
        """End the node in good order; what is in durable queues is kept."""
        self._end(signal.SIGTERM, deadline)
        self._end(signal.SIGKILL, deadline)

    def kill(self) -> None:
        """End the node like a power failure."""
        self._end(signal.SIGKILL, 60.0)

    def pid(self) -> int | None:
        """The running node's process, if it is ours."""
        try:
            pid = int((self.directory / "pid").read_text())
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        # a pid may long belong to somebody else
        return pid if b"HOME=" + os.fsencode(self.directory) in environment else None

    def _end(self, number: signal.Signals, deadline: float) -> None:
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, number)
        until = time.monotonic() + deadline
        while self.pid() is not None and time.monotonic() < until:
            time.sleep(0.02)
        try:
            # reap it, if it is our child
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5.0) as client:
                client.settimeout(5.0)
                client.sendall(b"AMQP\x00\x00\x09\x01")
                return client.recv(1) == b"\x01"
        except OSError:
            return False

    def _prepare(self) -> None:
        for name in ("", "mnesia", "log"):
            os.makedirs(self.directory / name, mode=0o700, exist_ok=True)
        lines = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            f"default_vhost = {self.vhost}",
            f"default_user = {self.user}",
            f"default_pass = {self.password}",
            "log.console = false",
            *self.settings,
        ]
        if self.tls is not None:
            wanted = "true" if self.tls.client_certificates else "false"
            lines += [
                f"listeners.ssl.1 = 127.0.0.1:{self.tls.port}",
                f"ssl_options.cacertfile = {self.tls.ca}",
                f"ssl_options.certfile = {self.tls.certificate}",
                f"ssl_options.keyfile = {self.tls.key}",
                f"ssl_options.verify = {'verify_peer' if wanted == 'true' else 'verify_none'}",
                f"ssl_options.fail_if_no_peer_cert = {wanted}",
            ]
        self._write("rabbitmq.conf", "\n".join(lines) + "\n")
        self._write("plugins", "[].\n")
        self._write("environment", "")

    def _write(self, name: str, text: str) -> None:
        path = self.directory / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)

    def _environment(self) -> dict[str, str]:
        name = f"nova-{self.port}@localhost"
        place = self.directory
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
            "HOME": str(place),
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": name,
            "RABBITMQ_CONF_ENV_FILE": str(place / "environment"),
            "RABBITMQ_CONFIG_FILE": str(place / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(place / "mnesia"),
            "RABBITMQ_LOG_BASE": str(place / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "plugins"),
            # a name is needed, to be reached by it is not: no epmd, no port; said to every
            # erl that inherits this, for RabbitMQ looks after its epmd once a minute
            "ERL_AFLAGS": f"-start_epmd false -dist_listen false -erl_epmd_port {self.port}",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-sname {name}",
            # the script becomes the node: its pid is the node's, SIGTERM ends it in good order
            "detached": "1",
        }
