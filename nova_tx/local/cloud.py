"""
A whole cloud on this machine, on loopback, in the background.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nova_tx import installed
from nova_tx.db import dialects, services
from nova_tx.errors import StartupError
from nova_tx.flags import SqlFlags
from nova_tx.local import plan as plans
from nova_tx.local import probe, processes
from nova_tx.local.libvirtd import PrivateLibvirtd
from nova_tx.local.places import locked
from nova_tx.local.plan import Plan
from nova_tx.local.terminal import LocalError, Say, say
from nova_tx.manage.main import main as nova_manage
from nova_tx.testing.rabbitmq import RabbitMQ

#: Name of the administrator, and of the project.
ADMIN = "admin"
_WORKERS = ("compute", "network", "scheduler")
_CREDENTIALS = ("novarc", "pk.pem", "cert.pem", "cacert.pem")


class Cloud:
    """
    The cloud of one directory.

    What runs is known by files in there, so that any later process can show
    and end it.

    @cvar launcher: module that a daemon is started by.
    """

    launcher = "nova_tx.taps.launch"

    def __init__(self, directory: Path, say: Say = say, settings: Sequence[str] = ()) -> None:
        """
        @param settings: further lines of its flag file.
        """
        self.directory = directory.absolute()
        self._say = say
        self._settings = settings
        self.flagfile = self.directory / "nova.conf"
        self.novarc = self.directory / "novarc"
        self._plan_file = self.directory / "cloud.json"
        self._logs = self.directory / "log"
        self._libvirtd = PrivateLibvirtd(self.directory / "libvirt")

    @property
    def plan(self) -> Plan | None:
        """What was started here; None if nothing ever was, or it was purged."""
        try:
            return Plan.from_json(self._plan_file.read_text())
        except FileNotFoundError:
            return None

    # Up.

    def up(self, plan: Plan, patience: float = 180.0) -> None:
        """
        Start it; returns when it answers.

        @param patience: seconds for each part to answer.
        @raise LocalError: a part did not start; what had is ended again.
        """
        faults = plans.problems(plan)
        if faults:
            raise LocalError(" ".join(faults))
        self._refuse_twins(plan)
        self.directory.mkdir(parents=True, exist_ok=True)
        with locked(self.directory / "lock"):
            self._refuse_twins(plan)
            self._end()
            self._write(self._plan_file, plan.to_json())
            try:
                self._start(plan, patience)
            except BaseException:
                self._say("ending what was started")
                self._end()
                raise

    def _refuse_twins(self, plan: Plan) -> None:
        if any(state.pid for state in self._states()):
            raise LocalError(f"A cloud runs in {self.directory} already.")
        probe.check_ports(plan.ports)

    def _start(self, plan: Plan, patience: float) -> None:
        self._logs.mkdir(exist_ok=True)
        broker = self._broker(plan)
        account = (broker.user, broker.password)
        bridge = installed.program("nova-dhcpbridge")
        flags = plans.flag_file(plan, account, self._libvirtd.uri, bridge)
        flags += "".join(f"{line}\n" for line in self._settings)
        self._write(self.flagfile, flags, 0o600)
        if plan.bus == "rabbitmq":
            with self._step("RabbitMQ"):
                broker.start(patience)
        if plan.real:
            with self._step("libvirtd"):
                self._libvirtd.start(patience)
        with self._step("database, administrator, network"):
            self._furnish(plan)
        began = time.monotonic()
        with self._step(", ".join(plan.daemons)):
            for name in plan.daemons:
                self.start_daemon(name)
            self._await("the EC2 API", patience, lambda: _answers(plan.ec2_port))
            self._await("the objectstore", patience, lambda: _answers(plan.s3_port))
            for topic in _WORKERS:
                reported = functools.partial(self._reported, plan, topic, began)
                self._await(f"nova-{topic}", patience, reported)
        self._give_to_user()

    def _furnish(self, plan: Plan) -> None:
        self._manage("db", "sync")
        if ADMIN not in self._manage("user", "list").split():
            self._manage("user", "admin", ADMIN)
        if ADMIN not in self._manage("project", "list").split():
            self._manage("project", "create", ADMIN, ADMIN)
        if len(self._manage("network", "list").splitlines()) < 2:
            self._manage("network", "create", plan.cidr, "1", "256")
        archive = self.directory / "nova.zip"
        self._manage("project", "zipfile", ADMIN, ADMIN, str(archive))
        with zipfile.ZipFile(archive) as members:
            for name in members.namelist():
                self._write(self.directory / Path(name).name, members.read(name), 0o600)
        archive.unlink()

    def _manage(self, *words: str) -> str:
        """Run nova-manage; returns what it printed, which may hold secrets."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = nova_manage(["nova-manage", f"--flagfile={self.flagfile}", *words])
        if code:
            raise LocalError(f"nova-manage {' '.join(words[:2])}: {err.getvalue().strip()}")
        return out.getvalue()

    def start_daemon(self, name: str) -> None:
        """Start one of its daemons, which does not run; returns at once."""
        argv = [sys.executable, "-m", self.launcher, name, "--nodaemon"]
        argv += [f"--rundir={self.directory}", f"--flagfile={self.flagfile}"]
        environment = {**os.environ, "PYTHONPATH": installed.base(), "PYTHONUNBUFFERED": "1"}
        processes.start(argv, self._record(name), self._log(name), environment)

    def _await(self, what: str, patience: float, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + patience
        while not there():
            plan = self.plan
            for name in plan.daemons if plan else ():
                if self.pid(name) is None:
                    raise LocalError(f"{name} ended:\n{processes.tail(self._log(name))}")
            if time.monotonic() > deadline:
                raise LocalError(f"{what} does not answer; the logs are in {self._logs}.")
            time.sleep(0.1)

    def _reported(self, plan: Plan, topic: str, began: float) -> bool:
        """Whether a worker of this run, not of an earlier one, has said that it lives."""
        engine = dialects.create(SqlFlags(sql_connection=plan.sql_connection))
        try:
            with engine.connect() as txn:
                rows = services.listed(txn)
        finally:
            engine.dispose()
        age = time.monotonic() - began
        return any(row.topic == topic and row.updated_at and row.age < age for row in rows)

    @contextlib.contextmanager
    def _step(self, title: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except (LocalError, StartupError) as reason:
            raise LocalError(f"{title}: {reason}") from None
        self._say(f"{title}: {time.monotonic() - began:.1f} s")

    def _give_to_user(self) -> None:
        """Whoever asked by sudo can read what a client needs."""
        user, group = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
        if user and group and os.geteuid() == 0:
            os.chown(self.directory, int(user), int(group))
            for name in (*_CREDENTIALS, "nova.conf"):
                if (self.directory / name).exists():
                    os.chown(self.directory / name, int(user), int(group))

    # Status.

    def pid(self, name: str) -> int | None:
        """Process of one of its daemons, None if it does not run."""
        return processes.running(self._record(name))

    def status(self) -> list[str]:
        """
        One line per part.

        @raise LocalError: there is no cloud here.
        """
        if self.plan is None:
            raise LocalError(f"There is no cloud in {self.directory}.")
        return [str(state) for state in self._states()]

    def runs(self) -> bool:
        """Whether all its parts do."""
        states = list(self._states())
        return bool(states) and all(state.pid or not state.needed for state in states)

    def _states(self) -> Iterator[State]:
        plan = self.plan
        if plan is None:
            return
        if plan.bus == "rabbitmq":
            yield State("rabbitmq", self._broker(plan).pid())
        if plan.real:
            yield State("libvirtd", processes.running(self._libvirtd.record))
        for name in plan.daemons:
            yield State(name, self.pid(name))
        for name, pid in sorted(self._libvirtd.guests().items()):
            yield State(f"guest {name}", pid, needed=False)

    # Down.

    def down(self) -> None:
        """
        End it, with its guests; repeating it does nothing.

        @raise LocalError: there never was a cloud here, or something would not go.
        """
        if self.plan is None:
            if not self.directory.exists():
                return
            raise LocalError(f"There is no cloud in {self.directory}; nothing was removed.")
        with locked(self.directory / "lock"):
            self._end()

    def purge(self) -> None:
        """
        Remove the directory of a cloud that was ended.

        @raise LocalError: parts of it run.
        """
        if any(state.pid for state in self._states()):
            raise LocalError(f"The cloud in {self.directory} runs; end it first.")
        shutil.rmtree(self.directory, ignore_errors=True)

    def holder(self, address: str) -> str | None:
        """Name of the instance that has an address of this cloud; None if it is free."""
        for line in self._manage("fixed", "list").splitlines():
            words = [word.strip() for word in line.split("\t")]
            if len(words) > 3 and words[1] == address:
                return None if words[3] == "None" else words[3]
        raise LocalError(f"nova-manage does not list the address {address}.")

    def _end(self) -> None:
        plan = self.plan
        if plan is None:
            return
        for name in reversed(plan.daemons):
            processes.end(self._record(name), patience=30.0)
        if plan.real:
            self._libvirtd.stop()
            self._remove_network(plan)
        if plan.bus == "rabbitmq":
            self._broker(plan).stop()

    def _remove_network(self, plan: Plan) -> None:
        networks = str(self.directory / "networks")
        argv = [sys.executable, "-m", "nova_tx.network.fabric.remove", plan.bridge, networks]
        environment = {**os.environ, "PYTHONPATH": installed.base()}
        done = subprocess.run(argv, capture_output=True, text=True, env=environment, cwd="/")
        if done.returncode:
            raise LocalError(f"The bridge {plan.bridge} did not go: {done.stderr.strip()}")

    # Places.

    def logs(self) -> list[Path]:
        """All logs, those of libvirtd and RabbitMQ too."""
        found = [*sorted(self._logs.glob("*.log")), self._libvirtd.log]
        plan = self.plan
        if plan is not None:
            found.append(self._broker(plan).directory / "output")
        return [path for path in found if path.exists()]

    def _broker(self, plan: Plan) -> RabbitMQ:
        """The broker of bus C{rabbitmq}; its password is made once, and kept in a file."""
        if plan.bus != "rabbitmq":
            return RabbitMQ(self.directory / "rabbitmq", plan.rabbit_port)
        secret = self.directory / "rabbitmq.password"
        if not secret.exists():
            self._write(secret, secrets.token_hex(16), 0o600)
        return RabbitMQ(self.directory / "rabbitmq", plan.rabbit_port, password=secret.read_text())

    def _record(self, name: str) -> Path:
        return self.directory / f"{name}.pid"

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _write(self, path: Path, content: str | bytes, mode: int = 0o644) -> None:
        """A file that never has more permissions than C{mode}."""
        path.unlink(missing_ok=True)
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content.encode() if isinstance(content, str) else content)


class State:
    """A part of a cloud, and its process if it has one."""

    def __init__(self, name: str, pid: int | None, needed: bool = True) -> None:
        self.name, self.pid, self.needed = name, pid, needed

    def __str__(self) -> str:
        return f"{self.name:<18} {f'running, pid {self.pid}' if self.pid else 'not running'}"


def _answers(port: int) -> bool:
    """Whether someone there speaks HTTP, or TLS."""
    where = ("127.0.0.1", port)
    by_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    by_tls.check_hostname, by_tls.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(where, 5.0) as link:
            link.sendall(b"GET / HTTP/1.0\r\n\r\n")
            if link.recv(5) == b"HTTP/":
                return True
        with socket.create_connection(where, 5.0) as link, by_tls.wrap_socket(link):
            return True
    except OSError:
        return False
