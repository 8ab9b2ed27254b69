"""What is kept for a while only does not stay."""

from __future__ import annotations

from datetime import timedelta

from twisted.internet.task import Clock

from nova_tx.auth.lockout import Lockout
from nova_tx.context import RequestContext, Seal
from nova_tx.db import client_tokens, lockouts, replays
from nova_tx.db.engine import Database, now
from nova_tx.flags import AuthFlags, NodeFlags
from nova_tx.model.instances import ClientToken
from nova_tx.taps.sweep import Sweep


async def test_swept(database: Database) -> None:
    """At each interval what has expired goes; what has not stays."""
    clock = Clock()
    clock.advance(now().timestamp())
    lockout = Lockout(database, AuthFlags(), clock)
    long_ago = now() - timedelta(hours=1)
    for digest, ends in (("old", long_ago), ("new", now() + timedelta(hours=1))):
        context = RequestContext("joe", "joe", seal=Seal(digest, ends))
        await database.run(replays.claim, context, long_ago)
    token = ClientToken("RunInstances", "t", "fingerprint")
    await database.run(client_tokens.claim, "joe", token, now() - client_tokens.LIFE, "r-1")
    limits = lockouts.Limits(5, timedelta(minutes=15), timedelta(minutes=15))
    await database.run(lockouts.failed, "joe", limits, long_ago)
    sweep = Sweep(database, lockout, NodeFlags(periodic_interval=60), clock)
    await sweep.open()
    clock.advance(60)
    await sweep.close()
    assert clock.getDelayedCalls() == []
    assert not await database.run(lockouts.forgive, "joe")
    left = "SELECT digest FROM used_signatures"
    assert await database.read(lambda txn: txn.exec_driver_sql(left).scalars().all()) == ["new"]
    tokens = "SELECT token FROM client_tokens"
    assert await database.read(lambda txn: txn.exec_driver_sql(tokens).scalars().all()) == []
