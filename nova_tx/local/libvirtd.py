"""
A libvirtd of our own in a directory, beside the machine's and unseen by it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from nova_tx.local import private_mounts, processes
from nova_tx.local.places import cache_directory
from nova_tx.local.terminal import LocalError

# seen by this libvirtd and its guests alone; without /run it finds neither dbus nor systemd
_PLACES = {
    "etc": "/etc/libvirt",
    "run": "/run",
    "lib": "/var/lib/libvirt",
    "log": "/var/log/libvirt",
}
_LIBVIRTD_CONF = """\
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_ro_perms = "0700"
unix_sock_rw_perms = "0700"
host_uuid = "{host}"
"""
# root, since the directory may be in a place that no other user may enter
_QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
"""


class PrivateLibvirtd:
    """
    One libvirtd and its guests.

    @param directory: everything of it is in there; made if missing.  Its path
        has to be short (a socket in it has at most 107 characters), and must
        not be below C{/run} or C{/var/lib/libvirt}.
    @param within: command in front of libvirtd's, such as
        C{("nsenter", "--net=/run/netns/x")}.
    """

    def __init__(self, directory: Path, within: Sequence[str] = ()) -> None:
        self.directory = directory.absolute()
        self._within = tuple(within)
        self.log = self.directory / "libvirtd.log"
        self.record = self.directory / "libvirtd.pid"

    @property
    def socket(self) -> Path:
        """Where it answers."""
        return self.directory / "run" / "libvirt" / "libvirt-sock"

    @property
    def uri(self) -> str:
        """How to connect to it."""
        return f"qemu+unix:///system?socket={self.socket}"

    def start(self, patience: float = 120.0) -> str:
        """
        Start it, or leave it if it runs; returns its URI once it has answered.

        Guests of an earlier libvirtd in this directory are found again.

        @param patience: seconds until it has to answer; its first look at the
            machine's QEMU takes several.
        @raise LocalError: it did not; the text ends with the tail of its log.
        """
        if processes.running(self.record) is None:
            self._prepare()
            places = [(str(self.directory / ours), theirs) for ours, theirs in _PLACES.items()]
            shared = cache_directory() / "libvirt"
            shared.mkdir(exist_ok=True)
            places.append((str(shared), "/var/cache/libvirt"))
            argv = [*self._within, *private_mounts.command(places, ["libvirtd"])]
            root = Path(__file__).parents[2]
            processes.start(
                argv, self.record, self.log, {**_environment(), "PYTHONPATH": str(root)}
            )
        self._await(patience)
        return self.uri

    def stop(self) -> None:
        """End it and its guests; repeating it does nothing."""
        processes.end(self.record)
        for name, pid in self.guests().items():
            processes.end_process(pid, patience=5.0)
            (self.directory / "run" / "libvirt" / "qemu" / f"{name}.pid").unlink(missing_ok=True)

    def guests(self) -> dict[str, int]:
        """Name and process id of each guest, whether or not libvirtd is there to ask."""
        found = {}
        for record in (self.directory / "run" / "libvirt" / "qemu").glob("*.pid"):
            text = _read(record).decode().strip()
            command = Path(f"/proc/{text}/cmdline")
            name = record.stem
            if text.isdigit() and f"guest={name}".encode() in _read(command):
                found[name] = int(text)
        return found

    def _prepare(self) -> None:
        if len(str(self.socket)) > 107:
            raise LocalError(
                f"{self.directory} is too long a path for a socket; take a shorter one."
            )
        if any(self.directory.is_relative_to(place) for place in ("/run", "/var/run")):
            raise LocalError("A cloud's directory can't be below /run.")
        if shutil.which("libvirtd", path=_environment()["PATH"]) is None:
            raise LocalError("Program libvirtd is not installed.")
        for name in _PLACES:
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "run" / "lock").mkdir(exist_ok=True)
        self.socket.unlink(missing_ok=True)
        host = uuid.uuid5(uuid.NAMESPACE_URL, str(self.directory))
        (self.directory / "etc" / "libvirtd.conf").write_text(_LIBVIRTD_CONF.format(host=host))
        (self.directory / "etc" / "qemu.conf").write_text(_QEMU_CONF)

    def _await(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        argv = ["virsh", "-q", "-c", self.uri, "domcapabilities", "--virttype", "qemu"]
        while True:
            if processes.running(self.record) is None:
                raise LocalError(f"libvirtd ended at once:\n{processes.tail(self.log)}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise LocalError(f"libvirtd does not answer:\n{processes.tail(self.log)}")
            if self.socket.exists():
                try:
                    done = subprocess.run(
                        argv, capture_output=True, timeout=left, env=_environment()
                    )
                except subprocess.TimeoutExpired:
                    continue
                if done.returncode == 0:
                    return
            time.sleep(0.05)


def _environment() -> dict[str, str]:
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
    return {**os.environ, "PATH": path, "LC_ALL": "C"}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
