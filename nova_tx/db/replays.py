"""
Signatures that were used for what can't be done twice: good for once.                  [spec/15 A1]
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from nova_tx.context import RequestContext
from nova_tx.db.schema import used_signatures
from nova_tx.errors import Replayed, TooSoon

#: Clients' times have no fractions: of two like requests within this, the second may be meant.
_SAME_MOMENT = timedelta(seconds=2)
#: How far hosts' clocks may be apart.
_CLOCKS = timedelta(minutes=1)


def claim(txn: Connection, context: RequestContext, now: datetime) -> None:
    """
    Use up the signature of a request, in the transaction that does what it asks for.

    If that fails, the signature is as before. Who asks without one is not asked for it.

    @raise TooSoon: it was used a moment ago; the client is to sign again.
    @raise Replayed: it was used before.
    """
    seal = context.seal
    if seal is None:
        return
    try:
        with txn.begin_nested():
            row = {"digest": seal.digest, "expires_at": seal.expires_at}
            txn.execute(insert(used_signatures), {**row, "created_at": now, "deleted": False})
    except IntegrityError:
        first = txn.scalar(
            select(used_signatures.c.created_at).where(used_signatures.c.digest == seal.digest)
        )
        if first is None or now - first < _SAME_MOMENT:
            raise TooSoon("The same request was made a moment ago; please sign it anew.") from None
        raise Replayed(
            "The request was made before: its signature is good for one request only."
        ) from None


def clear(txn: Connection, now: datetime) -> None:
    """Forget signatures whose requests have expired by every host's clock."""
    txn.execute(delete(used_signatures).where(used_signatures.c.expires_at < now - _CLOCKS))
