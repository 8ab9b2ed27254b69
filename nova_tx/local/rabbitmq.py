"""
A RabbitMQ of our own in a directory, on loopback, with its own port mapper.
                                                              [design/platform.md section 6]
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from pathlib import Path

from nova_tx.local import processes
from nova_tx.local.terminal import LocalError

_SERVERS = (
    "/usr/lib/rabbitmq/bin/rabbitmq-server",  # Debian's other one is for its service alone
    "/usr/lib/rabbitmq/lib/rabbitmq_server/sbin/rabbitmq-server",
)


class PrivateRabbit:
    """
    One broker.

    @param directory: everything of it is in there; made if missing.
    @param port: where it listens; the two after it are taken, too.
    @ivar user: the one user, who may do everything.
    """

    user = "nova"

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory.absolute()
        self.port = port
        self.log = self.directory / "rabbitmq.log"
        self.record = self.directory / "rabbitmq.pid"
        self._mapper = self.directory / "epmd.pid"

    @property
    def password(self) -> str:
        """Of that user; made at first use, kept in a file that nobody else can read."""
        path = self.directory / "password"
        if not path.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            with open(path, "x", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
                file.write(secrets.token_hex(16))
        return path.read_text()

    def start(self, patience: float = 120.0) -> None:
        """
        Start it, or leave it if it runs; returns once it answers.

        @param patience: seconds until it has to.
        @raise LocalError: it did not; the text ends with the tail of its log.
        """
        if processes.running(self.record) is None:
            server = next((name for name in _SERVERS if os.path.exists(name)), None)
            if server is None:
                raise LocalError("rabbitmq-server is not installed.")
            environment = self._prepare()
            if processes.running(self._mapper) is None:
                argv = ["epmd", "-address", "127.0.0.1", "-port", str(self.port + 1)]
                processes.start(argv, self._mapper, self.log, environment)
            processes.start([server], self.record, self.log, environment)
        deadline = time.monotonic() + patience
        while not self._answers():
            if processes.running(self.record) is None:
                raise LocalError(f"RabbitMQ ended at once:\n{processes.tail(self.log)}")
            if time.monotonic() > deadline:
                raise LocalError(f"RabbitMQ does not answer:\n{processes.tail(self.log)}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it and its port mapper; repeating it does nothing."""
        processes.end(self.record)
        processes.end(self._mapper, patience=2.0)

    def _prepare(self) -> dict[str, str]:
        for name in ("mnesia", "logs", "home"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        conf = self.directory / "rabbitmq.conf"
        conf.touch(mode=0o600)
        conf.write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"default_user = {self.user}\n"
            f"default_pass = {self.password}\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
        )
        (self.directory / "enabled_plugins").write_text("[].\n")
        return {
            "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.directory / "home"),  # of the Erlang cookie
            # the starting script then becomes the server, and its process id is the server's
            "RUNNING_UNDER_SYSTEMD": "yes",
            "ERL_EPMD_PORT": str(self.port + 1),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"nova{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.port + 2),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
            ),
            "RABBITMQ_CONFIG_FILE": str(conf),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "logs"),
            "RABBITMQ_PID_FILE": str(self.directory / "rabbit.pid"),
        }

    def _answers(self) -> bool:
        """Whether the broker greets who speaks AMQP 0-9-1."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5.0) as link:
                link.sendall(b"AMQP\x00\x00\x09\x01")
                return link.recv(1) == b"\x01"
        except OSError:
            return False
