"""Network namespaces for tests: a host, guests on its bridges, the world outside; as root."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from nova_tx.process import Result, Runner

#: Seconds after which what did not come is a failure.
DEADLINE = 120.0

#: Answers every connection with the address it comes from, as HTTP.
_ECHO = """
import http.server, sys
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())
    def log_message(self, *args):
        pass
server = http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Echo)
print("ready", flush=True)
server.serve_forever()
"""

#: What a DHCP client does with its answer.
_CONFIGURE = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip address replace "$ip/$mask" dev "$interface"
ip route replace default via "$router"
echo "bound $ip $router $dns ${hostname:--} ${domain:--} $lease"
"""


class Namespace:
    """A namespace, from L{namespace}; C{runner} runs programs in it."""

    def __init__(self, reactor: Any, name: str) -> None:
        self._reactor = reactor
        self.name = name
        self.prefix = ("nsenter", f"--net=/run/netns/{name}")
        self.runner = Runner(reactor, sudo=self.prefix)

    async def run(self, *argv: str, check: bool = True) -> str:
        """Run a program in it; returns what it prints."""
        result: Result = await self.runner.run(argv, check=check)
        return result.stdout.decode()

    async def join(self, other: Namespace, here: str, there: str, mac: str | None = None) -> None:
        """A cable to another namespace, between two new interfaces; C{mac} is that of ours."""
        ours = [here, *(("address", mac) if mac else ()), "netns", self.name]
        theirs = [there, "netns", other.name]
        await Runner(self._reactor, ()).run(
            ["ip", "link", "add", *ours, "type", "veth", "peer", "name", *theirs]
        )
        await self.run("ip", "link", "set", here, "up")
        await other.run("ip", "link", "set", there, "up")

    @asynccontextmanager
    async def echo(self, address: str, port: int) -> AsyncIterator[None]:
        """A web server in it that says where a request comes from."""
        server = _Server()
        argv = [*self.prefix, sys.executable, "-IS", "-c", _ECHO, address, str(port)]
        transport = self._reactor.spawnProcess(server, argv[0], argv, env=os.environ)
        try:
            await server.ready.addTimeout(DEADLINE, self._reactor)
            yield
        finally:
            transport.signalProcess("KILL")
            await server.ended

    async def fetch(self, url: str) -> str | None:
        """What a web server says, None if it can't be reached."""
        argv = ("curl", "--silent", "--noproxy", "*", "--max-time", "3", url)
        result: Result = await self.runner.run(argv, check=False)
        if result.exit_code in (7, 28):  # refused; no answer in time
            return None
        assert result.exit_code == 0, f"curl ended with {result.exit_code}: {result.stderr!r}"
        return result.stdout.decode()


class Guest:
    """A guest on a bridge of a host."""

    def __init__(self, inside: Namespace, script: str) -> None:
        self.inside = inside
        self._script = script

    async def ask(self, tries: int = 5) -> list[str]:
        """
        Ask for an address, a second for each try.

        @return: address, router, DNS server, hostname, domain, seconds; empty if nobody answers.
        """
        argv = ("udhcpc", "-i", "eth0", "-f", "-n", "-q", "-t", str(tries), "-T", "1")
        result: Result = await self.inside.runner.run(
            (*argv, "-x", "hostname:guest", "-s", self._script), check=False, timeout=DEADLINE
        )
        for line in result.stdout.decode().splitlines():
            if line.startswith("bound "):
                return line.split()[1:]
        return []


class _Server(ProcessProtocol):
    def __init__(self) -> None:
        self.ready: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self.ready.callback(None)

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(None)


@asynccontextmanager
async def namespace(reactor: Any, name: str) -> AsyncIterator[Namespace]:
    """A new namespace; gone afterwards, with all devices in it."""
    outside = Runner(reactor, ())
    await outside.run(["ip", "netns", "add", name])
    try:
        found = Namespace(reactor, name)
        await found.run("ip", "link", "set", "lo", "up")
        yield found
    finally:
        await outside.run(["ip", "netns", "delete", name])


@asynccontextmanager
async def guest(
    reactor: Any, host: Namespace, bridge: str, mac: str, directory: str
) -> AsyncIterator[Guest]:
    """A guest on a bridge, as a hypervisor would put it there: C{eth0} of a namespace."""
    script = os.path.join(directory, "configure")
    with open(script, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o755)
        file.write(_CONFIGURE)
    end = mac.replace(":", "")[-6:]
    async with namespace(reactor, f"{host.name}-{end}") as inside:
        await inside.join(host, "eth0", f"vnet{end}", mac)
        await host.run("ip", "link", "set", f"vnet{end}", "master", bridge)
        yield Guest(inside, script)


async def until(clock: Any, true: Any, what: str) -> None:
    """Ask again and again, until C{await true()} is; @raise AssertionError: it never was."""
    deadline = clock.seconds() + DEADLINE
    while not await true():
        assert clock.seconds() < deadline, f"waited in vain for {what}"
        await deferLater(clock, 0.02)
