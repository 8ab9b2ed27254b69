"""What the objectstore's access log tells."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from nova_tx.ids import REQUEST_ID_HEADER
from nova_tx.testing.asking import Asker
from nova_tx.testing.lines import logged_lines


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


@pytest.mark.parametrize("given", ["R" * 20, "r" * 20, "R" * 21, "R_" * 10])
async def test_on_behalf(door: Asker, given: str) -> None:
    """A daemon says for which request it asks for images, and that is whose line it is."""
    with logged_lines() as lines:
        headers: dict[str, Any] = {REQUEST_ID_HEADER: given}
        assert (await door.ask("GET", "/_images", **headers)).status == 200
        assert (await door.ask("GET", "/_images", user="", **headers)).status == 403
    fine = given == "R" * 20
    assert [whose == given for whose in lines.of("GET /_images _images 200")] == [fine]
    assert given not in lines.of(" 403 ")
