"""What connections may take of memory, and that they take no more."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred

from nova_tx.errors import TooManyRequests
from nova_tx.objectstore.body import Body
from nova_tx.objectstore.bounds import DOCUMENTS, KEYS, SMALL, memory
from nova_tx.objectstore.disk.store import New, Store
from nova_tx.objectstore.documents import document
from nova_tx.objectstore.door import _undeclared
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.sending import FileSender
from nova_tx.objectstore.threads import InlinePool

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"


def test_what_operators_are_told() -> None:
    """The worked examples of the manual are what the formula gives."""
    text = OPERATING.read_text()
    for bound in (memory(1000), memory(1000, lists=50, documents=4)):
        assert f"{bound / 2**20:.0f} MiB" in text


async def test_a_body_in_crumbs() -> None:
    """A small body that comes byte by byte takes the memory of its bytes, not fifty times it."""
    channel = SimpleNamespace(transport=None)
    body = Body(cast(Any, SimpleNamespace(channel=channel)), 1000, False)
    content = bytes(range(250)) * 4
    for byte in content:
        body.arrived(bytes([byte]))
        assert len(body._come) <= 65
    body.ended = True
    assert await body.whole() == content


class _Body:
    """Of a long document that does not come."""

    small = False
    asked = 0

    def __init__(self) -> None:
        self.come: Deferred[bytes] = Deferred()

    async def whole(self, most: int) -> bytes:
        _Body.asked += 1
        return await self.come


async def test_long_documents_wait_for_each_other() -> None:
    """No more long documents are read at once than there is memory for; the next are read after."""
    bodies = [_Body() for _ in range(DOCUMENTS + 2)]
    for each in bodies:
        asked = SimpleNamespace(
            call=SimpleNamespace(headers={}),
            payload=SimpleNamespace(feed=lambda data: data, finish=lambda: None, trailers={}),
            request=SimpleNamespace(body=each),
        )
        reading = Deferred.fromCoroutine(document(cast(Any, asked), "Delete"))
        _ = reading.addErrback(lambda _: None)  # it is no document
    assert _Body.asked == DOCUMENTS
    bodies[0].come.callback(b"<No/>")
    assert _Body.asked == DOCUMENTS + 1
    for each in bodies[1:]:
        each.come.callback(b"<No/>")
    assert _Body.asked == DOCUMENTS + 2


def test_pages_of_long_keys(tmp_path: Path) -> None:
    """A page of long keys ends before it is full, and the next goes on where it ended."""
    store = Store(str(tmp_path), sync=False)
    store.prepare()
    store.create(Bucket("bucket", "joe", 0.0))
    keys = [f"{number:03}/{'k' * 200}/{'e' * 200}/{'y' * 200}" for number in range(900)]
    facts = Facts(0, "e", 0.0, {}, {})
    assert not any(store.put([New("bucket", key, b"", facts) for key in keys]))
    found: list[str] = []
    last: str | None = ""
    pages = 0
    while last is not None:
        page = store.listing("bucket", "", last, "", 1000)
        some = [key for key, _ in page.objects]
        assert sum(map(len, some)) < KEYS + 1024
        found += some
        last = page.last
        pages += 1
    assert found == keys and pages == 900 * len(keys[0]) // KEYS + 1


@contextmanager
def _connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as client,
        listening.accept()[0] as server,
    ):
        yield server, client


def test_what_the_kernel_holds_is_not_taken(tmp_path: Path) -> None:
    """Bytes that the kernel keeps for a slow client count as taken when the client has them."""
    (tmp_path / "file").touch()
    with _connection() as (server, client), open(tmp_path / "file", "rb") as file:
        server.setblocking(False)
        sender = FileSender(None, server, file, [(0, 1)], InlinePool())
        with pytest.raises(BlockingIOError):
            while True:
                sender.sent += server.send(bytes(SMALL))
        before = sender.taken
        assert before < sender.sent
        left = sender.sent
        while left:
            left -= len(client.recv(min(left, SMALL)))
        assert before < sender.taken <= sender.sent


def test_too_many_files() -> None:
    """A client is told to come again when the host lets no more files be opened."""
    assert isinstance(
        _undeclared(OSError(errno.EMFILE, "Too many open files"), "r"), TooManyRequests
    )
