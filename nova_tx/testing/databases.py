"""
Private database servers: each in a directory of its own, reached by a socket in it, by nobody else.

They need no reactor, and outlive the process that started them until they are stopped.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import time
from urllib.parse import quote

from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

#: Seconds in which a server must be up, or down.
PATIENCE = 120.0
DATABASE = "nova"


class Server:
    """
    A server whose files are all in one directory.

    @ivar url: SQLAlchemy's URL of its empty database C{nova}.
    """

    url: str
    _stop_signal = signal.SIGTERM

    def __init__(self, directory: str) -> None:
        """
        @param directory: made by the first L{start}; kept by L{stop}. Its path
            has less than 90 bytes, for the socket's sake.
        """
        self._directory = os.path.abspath(directory)
        self._pid_file = os.path.join(self._directory, "server.pid")
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """
        Start it, and wait until it answers; the first time, make its files.

        @raise RuntimeError: it does not come up; the text has the end of its log.
        """
        new = not os.path.isdir(self._path("files"))
        if new:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            self._make()
        with open(self._path("log"), "ab") as log:
            self._child = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with open(self._pid_file, "w", encoding="ascii") as file:
            file.write(str(self._child.pid))
        self._wait(new)

    def stop(self) -> None:
        """End it in good order, and wait until it has ended."""
        self._end(self._stop_signal)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def pid(self) -> int | None:
        """Its process, while it runs."""
        try:
            with open(self._pid_file, encoding="ascii") as file:
                pid = int(file.read())
        except FileNotFoundError:
            return None
        return pid if self._runs(pid) else None

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)

    def _make(self) -> None:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _url(self, database: str) -> str:
        raise NotImplementedError

    def _wait(self, create: bool) -> None:
        assert self._child is not None
        engine = create_engine(self._url(self._first_database), isolation_level="AUTOCOMMIT")
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with engine.connect() as connection:
                    if create:
                        connection.exec_driver_sql(f"CREATE DATABASE {DATABASE}")
                break
            except DBAPIError:
                if self._child.poll() is not None or time.monotonic() > deadline:
                    with open(self._path("log"), encoding="utf-8", errors="replace") as log:
                        raise RuntimeError("".join(log.readlines()[-20:])) from None
                time.sleep(0.05)
        engine.dispose()

    _first_database: str

    def _end(self, how: signal.Signals) -> None:
        pid = self.pid()
        deadline = time.monotonic() + PATIENCE
        if pid is not None:
            os.kill(pid, how)
        while self.pid() is not None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"process {pid} does not end: {self._path('log')}")
            time.sleep(0.02)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._pid_file)

    def _runs(self, pid: int) -> bool:
        """Whether that process is still the server of this directory."""
        if self._child is not None and self._child.pid == pid:
            return self._child.poll() is None
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return os.fsencode(self._directory) in file.read()
        except OSError:
            return False


class PostgreSQL(Server):
    """PostgreSQL; as root it runs as user postgres."""

    _stop_signal = signal.SIGINT  # without waiting for clients
    _first_database = "postgres"

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        self.url = self._url(DATABASE)

    def kill(self) -> None:
        self._end(signal.SIGQUIT)  # its own crash: SIGKILL leaves children that hold memory

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={quote(self._directory)}"

    def _as_user(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]

    def _make(self) -> None:
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self._directory, user.pw_uid, user.pw_gid)
        files = self._path("files")
        how = ["-A", "trust", "-E", "UTF8", "--locale=C", "-U", "postgres", "--no-sync"]
        _run([*self._as_user(), _program("initdb"), "-D", files, *how])

    def _command(self) -> list[str]:
        settings = (
            f"unix_socket_directories={self._directory}",
            "listen_addresses=",
            "unix_socket_permissions=0700",
            "fsync=off",
        )
        flags = [word for each in settings for word in ("-c", each)]
        return [*self._as_user(), _program("postgres"), "-D", self._path("files"), *flags]


class MariaDB(Server):
    """MariaDB (or MySQL, whose programs have the same names)."""

    _first_database = ""

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        self.url = self._url(DATABASE)

    def _url(self, database: str) -> str:
        socket = quote(self._path("socket"))
        return f"mariadb+pymysql://root@/{database}?unix_socket={socket}&charset=utf8mb4"

    def _user(self) -> list[str]:
        return ["--user=root"] if os.geteuid() == 0 else []

    def _make(self) -> None:
        how = ["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]
        files = f"--datadir={self._path('files')}"
        _run([_program("mariadb-install-db"), *how, *self._user(), files])

    def _command(self) -> list[str]:
        return [
            _program("mariadbd"),
            "--no-defaults",
            *self._user(),
            f"--datadir={self._path('files')}",
            f"--socket={self._path('socket')}",
            f"--pid-file={self._path('mariadbd.pid')}",
            "--skip-networking",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=64M",
        ]


def _program(name: str) -> str:
    places = [*sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True), "/usr/sbin"]
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", "")]))
    if found is None:
        raise RuntimeError(f"{name} is not installed (packages postgresql, mariadb-server)")
    return found


def _run(argv: list[str]) -> None:
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/"
    )
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed: {done.stdout.strip()[-1000:]}")
