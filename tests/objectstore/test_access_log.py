"""What the objectstore's access log tells."""

from __future__ import annotations

from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from nova_tx.testing.asking import Asker


async def test_no_signatures(door: Asker) -> None:
    """A signature in a query, which is good for days, is not in the log."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    try:
        answer = await door.ask("GET", "/bucket/key?X-Amz-Signature=secret")
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert answer.status >= 400
    lines = [formatEvent(each) for each in events]
    assert any(" GET /bucket/key GetObject 4" in each for each in lines)
    assert "secret" not in str(lines)
