"""Thousands of requests, spoilt in one way or another: refused in EC2's words, and no more."""

from __future__ import annotations

import os
import time
from collections import Counter
from http.client import HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy import event, select
from twisted.internet.defer import succeed
from twisted.internet.testing import StringTransport

from nova_tx.db.schema import metadata
from nova_tx.testing.database import memory_database
from nova_tx.testing.ec2 import Door
from nova_tx.testing.ec2_examples import furnish
from nova_tx.testing.ec2_noise import Noise, noise

#: Requests to send; many more than these at leisure.
REQUESTS = int(os.environ.get("NOVA_TX_TEST_REQUESTS", "15000"))
#: Requests after which there is a new cloud, so that what succeeded does not fill it.
ENOUGH = 300
#: What a refused request leaves: that it came.
TRACES = {"used_signatures", "lockouts"}


class Besieged:
    """A furnished door, what is in it, and what its answers were."""

    def __init__(self, ca_path: Path) -> None:
        self._ca = ca_path
        self.answers: Counter[int] = Counter()
        self._asked = 0
        self._wrote = False
        self._keys: dict[object, Any] = {}
        self.renew()

    def renew(self) -> None:
        """Another one in its place."""
        flags = (f"--ca_path={self._ca}", "--lockout_attempts=0")  # most are wrongly signed
        self.door = Door(memory_database(), *flags)
        keys: Any = self.door.operations.key_pairs
        keys._in_thread = self._key
        furnish(self.door)
        event.listen(self.door.database.engine, "before_cursor_execute", self._executes)
        self._there = self._rows()
        self._wrote = False

    def _key(self, *work: Any) -> Any:
        """Keys take long to make: one of each kind is enough."""
        if work not in self._keys:
            self._keys[work] = work[0](*work[1:])
        return succeed(self._keys[work])

    def _executes(self, _c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self._wrote = self._wrote or not statement.lstrip().upper().startswith("SELECT")

    def _rows(self) -> dict[str, list[Any]]:
        with self.door.database.engine.connect() as txn:
            return {
                table.name: sorted(map(tuple, txn.execute(select(table))), key=repr)
                for table in metadata.sorted_tables
                if table.name not in TRACES
            }

    def _noted(self) -> str:
        """What is not in the database here."""
        door = self.door
        return repr((vars(door.users), door.images._images, door.bus.casts))

    def send(self, request: Noise) -> None:
        """
        Send a request.

        @raise AssertionError: its answer is not as it must be, or it left more than its answer.
        """
        self._asked += 1
        self.door.clock.advance(1)  # like requests of one second are one request twice
        if self._asked % ENOUGH == 0 or "joe" not in self.door.users._users:
            self.renew()
        try:
            self._check(request)
        except AssertionError:
            self.renew()  # what follows is not to be charged with it
            raise

    def _check(self, request: Noise) -> None:
        noted = self._noted()
        status, body = self._ask(request)
        self.answers[status] += 1
        assert status == 200 or 400 <= status < 500, (status, body)
        assert b"Traceback" not in body
        if request.method != "HEAD":
            root = fromstring(body)
            assert status == 200 or root.findtext("Errors/Error/Code"), body
        if self._wrote:
            before, self._there, self._wrote = self._there, self._rows(), False
            assert status == 200 or self._there == before, (status, body)
        assert status == 200 or self._noted() == noted

    def _ask(self, request: Noise) -> tuple[int, bytes]:
        channel: Any = self.door.site.buildProtocol(None)
        channel.callLater = self.door.clock.callLater
        transport = StringTransport()
        channel.makeConnection(transport)
        channel.dataReceived(request.raw(self.door))
        sent = transport.value()
        channel.connectionLost(None)
        answer = HTTPResponse(_Sent(sent), method=request.method)  # type: ignore[arg-type]
        answer.begin()
        return answer.status, answer.read()


class _Sent:
    def __init__(self, sent: bytes) -> None:
        self._sent = sent

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self._sent)


def test_random_requests(tmp_path: Path) -> None:
    """Whatever is sent, the answer is 200 or 4xx with well-formed XML; refused changes nothing."""
    besieged = Besieged(tmp_path / "CA")

    @settings(
        max_examples=REQUESTS,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(noise())
    def siege(request: Noise) -> None:
        besieged.send(request)

    began = time.monotonic()
    siege()
    print(f"{time.monotonic() - began:.0f} s: {dict(besieged.answers)}")
    # most came past the signature, some past everything
    assert besieged.answers[200] > REQUESTS / 20
    assert besieged.answers[400] > REQUESTS / 3
