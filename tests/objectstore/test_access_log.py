"""What the objectstore's access log tells."""

from __future__ import annotations

from io import StringIO

from nova_tx.testing.asking import Asker


async def test_no_signatures(door: Asker) -> None:
    """A signature in a query, which is good for days, is not in the log."""
    lines = StringIO()
    lines.close = lambda: None  # type: ignore[method-assign]  # to be read after the site's end
    door.running.objectstore.site.logFile = lines
    answer = await door.ask("GET", "/bucket/key?X-Amz-Signature=secret")
    assert answer.status >= 400
    assert "GET /bucket/key 4" in lines.getvalue()
    assert "secret" not in lines.getvalue()
