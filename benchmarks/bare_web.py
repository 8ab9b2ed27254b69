"""
The baseline of the doors: a bare twisted.web that says so many bytes to whatever is asked.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site


class Same(Resource):
    """The same answer always."""

    isLeaf = True

    def __init__(self, size: int) -> None:
        super().__init__()
        self._body = b"x" * size

    def render(self, request: Request) -> bytes:
        return self._body


@contextlib.contextmanager
def bare_web(size: int) -> Iterator[int]:
    """A process that answers with so many bytes; its port."""
    argv = [sys.executable, "-m", "benchmarks.bare_web", str(size)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def main() -> None:
    """Serve C{argv[1]} bytes until killed; say the port."""
    site = Site(Same(int(sys.argv[1])))
    listening = endpoints.serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(site)
    _ = listening.addCallback(lambda port: print(port.getHost().port, flush=True))
    reactor.run()


if __name__ == "__main__":
    main()
