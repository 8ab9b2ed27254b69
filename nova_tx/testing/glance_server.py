"""
Debian's Glance in a directory of its own, on loopback, without Keystone, ended by pid: for tests.

Files are in that directory, and so is its SQLite.  It believes who asks (what
Glance calls C{trusted-auth}), so nobody but this machine may reach it; or who has
L{TOKEN} is an administrator, and nobody else anything.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from nova_tx.errors import StartupError

#: Debian's Python: what it has is no package of ours.
_PYTHON = "/usr/bin/python3"
_PROGRAM = "from glance.cmd.{name} import main; raise SystemExit(main())"
_SETTINGS = """\
[DEFAULT]
bind_host = 127.0.0.1
bind_port = {port}
workers = 0
log_file = {directory}/glance.log
node_staging_uri = file://{directory}/staging
enabled_backends = files:file
api_limit_max = 2
[database]
connection = sqlite:///{directory}/glance.sqlite
[glance_store]
default_backend = files
[files]
filesystem_store_datadir = {directory}/files
[paste_deploy]
config_file = {directory}/paste.ini
"""
_PASTE = """\
[pipeline:glance-api]
pipeline = {filters} root
[composite:root]
paste.composite_factory = glance.api:root_app_factory
/: versions
/v2: v2
[app:versions]
paste.app_factory = glance.api.versions:create_resource
[app:v2]
paste.app_factory = glance.api.v2.router:API.factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
[filter:token]
paste.filter_factory = token_filter:factory
"""
#: What Keystone's filter would do.
_TOKEN_FILTER = """\
def factory(settings, **more):
    return Filter


class Filter:
    def __init__(self, app):
        self._app = app

    def __call__(self, environ, start_response):
        for name in [name for name in environ if name.startswith("HTTP_X_")]:
            value = environ.pop(name)
            if (name, value) == ("HTTP_X_AUTH_TOKEN", {token!r}):
                environ["HTTP_X_IDENTITY_STATUS"] = "Confirmed"
        if "HTTP_X_IDENTITY_STATUS" in environ:
            environ["HTTP_X_USER_ID"] = environ["HTTP_X_PROJECT_ID"] = "cloud"
            environ["HTTP_X_ROLES"] = "admin,member,reader"
        return self._app(environ, start_response)
"""
TOKEN = "a-token"


def there() -> bool:
    """Whether Glance is installed."""
    done = subprocess.run(
        [_PYTHON, "-c", "import glance.cmd"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return done.returncode == 0


@dataclass
class GlanceServer:
    """
    The process; its files stay when it ends.

    @ivar believes: whether it goes by the headers that say who asks, or by L{TOKEN}.
    """

    directory: Path
    port: int
    believes: bool = True
    process: subprocess.Popen[bytes] | None = None

    def start(self, deadline: float = 120.0) -> None:
        """
        Begin to serve.

        @raise StartupError: it is not installed, or does not come up.
        """
        self._prepare()
        self.process = self._run("api")
        until = time.monotonic() + deadline
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise StartupError(f"Glance did not come up; see {self.directory / 'output'}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it like a power failure."""
        self._end(signal.SIGKILL)

    def pause(self, paused: bool) -> None:
        """Have it say nothing, or go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(60)
            self.process = None

    def _prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        filters = "context" if self.believes else "token context"
        (self.directory / "paste.ini").write_text(_PASTE.format(filters=filters))
        (self.directory / "token_filter.py").write_text(_TOKEN_FILTER.format(token=TOKEN))
        settings = _SETTINGS.format(directory=self.directory, port=self.port)
        (self.directory / "glance.conf").write_text(settings)
        if not (self.directory / "files").is_dir():
            (self.directory / "files").mkdir()
            if self._run("manage", "db_sync").wait(120):
                raise StartupError(f"Glance has no database; see {self.directory / 'output'}")

    def _run(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with open(self.directory / "output", "ab") as output:
            return subprocess.Popen(
                [
                    *(_PYTHON, "-c", _PROGRAM.format(name=name)),
                    *("--config-file", str(self.directory / "glance.conf"), *arguments),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={
                    **{"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
                    **{"HOME": str(self.directory), "PYTHONPATH": str(self.directory)},
                },
                cwd=self.directory,
            )

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5):
                return True
        except OSError:
            return False
