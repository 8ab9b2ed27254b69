"""More requests to the objectstore than it serves at once."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import treq
from twisted.internet import reactor
from twisted.web.client import Agent

from nova_tx.db.engine import Database
from nova_tx.flags import S3Flags
from nova_tx.testing.objectstore import running_objectstore


async def test_a_flood_is_told_to_slow_down(tmp_path: Path, database: Database) -> None:
    """A request too many gets 503 SlowDown as S3 says it; once one has ended, it is served."""
    async with running_objectstore(tmp_path, database, reactor) as running:
        agent: Any = Agent(reactor)

        async def ask() -> tuple[int, bytes]:
            response = await agent.request(b"GET", f"http://127.0.0.1:{running.port}/".encode())
            return response.code, await treq.content(response)

        gate = running.objectstore.site._door._gate
        with ExitStack() as inside:
            for _ in range(S3Flags().s3_max_requests):
                inside.enter_context(gate.entered())
            code, body = await ask()
            assert code == 503 and b"<Code>SlowDown</Code>" in body
        code, body = await ask()
        assert code == 403 and b"<Code>AccessDenied</Code>" in body
