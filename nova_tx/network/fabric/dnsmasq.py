"""One dnsmasq per bridge: started, told, adopted after a restart of ours, ended."""

from __future__ import annotations

import os
from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from nova_tx.errors import FabricError
from nova_tx.network.fabric.plan import Files
from nova_tx.process import IRunner

#: Seconds that a server has to end when it is asked to; then it is killed.
PATIENCE = 10.0


class Dnsmasq:
    """The DHCP server of one bridge."""

    def __init__(self, runner: IRunner, clock: IReactorTime, files: Files, socket: str) -> None:
        """
        @param socket: where C{nova-dhcpbridge} reports leases.
        """
        self._runner = runner
        self._clock = clock
        self._files = files
        self._socket = socket
        self._knows: tuple[int, str] | None = None

    async def ensure(self, argv: Sequence[str], hosts: str) -> None:
        """
        Make it run as C{argv} says and know C{hosts}, the text of its hosts file.

        It reads the file again between two packets, so a guest that asks
        after this is answered from it.  One that runs with other arguments is
        replaced.

        @raise ProcessFailed: it could not be started or told.
        """
        pid = self.pid()
        if pid is not None and _command(pid) != list(argv):
            await self.stop()
            pid = None
        if pid is not None and self._knows == (pid, hosts):
            return
        self._write(hosts)
        if pid is None:
            await self._runner.run(["env", f"NOVA_DHCPBRIDGE_SOCKET={self._socket}", *argv])
            pid = self.pid()
            if pid is None:
                raise FabricError("dnsmasq ended as soon as it was started")
        else:
            await self._runner.run(["kill", "-HUP", str(pid)])
        self._knows = (pid, hosts)

    def pid(self) -> int | None:
        """Its process id; None if it does not run. A number that is another program's is not it."""
        try:
            with open(self._files.pid, encoding="ascii") as file:
                pid = int(file.read())
        except (OSError, ValueError):
            return None
        return pid if f"--dhcp-hostsfile={self._files.hosts}" in _command(pid) else None

    async def stop(self) -> None:
        """
        End it, and wait until it has ended.

        @raise FabricError: it can't be ended.
        """
        for signal in ("-TERM", "-KILL"):
            pid = self.pid()
            if pid is None:
                return
            await self._runner.run(["kill", signal, str(pid)], check=False)
            deadline = self._clock.seconds() + PATIENCE
            while self._clock.seconds() < deadline:
                if f"--dhcp-hostsfile={self._files.hosts}" not in _command(pid):
                    return
                await deferLater(self._clock, 0.02)
        raise FabricError(f"dnsmasq with process id {pid} can't be ended")

    def remove_files(self) -> None:
        """Remove what it kept."""
        for path in (self._files.pid, self._files.hosts):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass

    def _write(self, hosts: str) -> None:
        os.makedirs(self._files.directory, exist_ok=True)
        scratch = self._files.hosts + ".new"
        with open(scratch, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(hosts)
        os.replace(scratch, self._files.hosts)


def _command(pid: int) -> list[str]:
    """The arguments a process runs with; empty if there is none, or it is a zombie."""
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read().split("\0")[:-1]
    except OSError:
        return []
