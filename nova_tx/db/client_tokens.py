"""
Client tokens: a request that is sent twice is done once.  [AWS, "Ensuring idempotency"]

Its token is written in the transaction that does it; a second request with the
same token waits for the first, on whichever process, and gets its result.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from nova_tx.db.schema import client_tokens
from nova_tx.errors import TokenMismatch, Unavailable
from nova_tx.model.instances import ClientToken

#: How long a token is remembered.
LIFE = timedelta(hours=24)

_CLAIM = insert(client_tokens)


def claim(
    txn: Connection, project: str | None, token: ClientToken, now: datetime, result: str = ""
) -> str | None:
    """
    The result of the request that used a token before.

    None: this is the first, and L{keep}s its result before the transaction ends.

    @param result: of this request, if it is known already: then it is kept.
    @raise TokenMismatch: that was another request.
    """
    row = {
        "project_id": project,
        "action": token.action,
        "token": token.text,
        "fingerprint": token.fingerprint,
        "result": result,
        "created_at": now,
        "deleted": False,
    }
    if _written(txn, row):
        return None
    found = find(txn, project, token, now)
    if found is None:  # its time is over, at latest in this moment
        txn.execute(delete(client_tokens).where(_is(project, token), _over(now)))
        if not _written(txn, row):
            raise Unavailable("the client token is being used; try again")
    return found


def _written(txn: Connection, row: dict[str, Any]) -> bool:
    try:
        with txn.begin_nested():
            txn.execute(_CLAIM, row)
    except IntegrityError:
        return False
    return True


def find(txn: Connection, project: str | None, token: ClientToken, now: datetime) -> str | None:
    """
    The result of the request that used a token, if one did.

    @raise TokenMismatch: that was another request.
    """
    used = select(client_tokens.c.fingerprint, client_tokens.c.result).where(
        _is(project, token), ~_over(now)
    )
    found = txn.execute(used.with_for_update()).first()
    if found is None:
        return None
    if found.fingerprint != token.fingerprint:
        raise TokenMismatch(
            f"The client token '{token.text}' was used before, for a request with other parameters"
        )
    return str(found.result)


def keep(txn: Connection, project: str | None, token: ClientToken, result: str) -> None:
    """Write down what came of the first request with a token."""
    txn.execute(update(client_tokens).where(_is(project, token)).values(result=result))


def clear(txn: Connection, now: datetime) -> None:
    """Forget tokens whose time is over."""
    txn.execute(delete(client_tokens).where(_over(now)))


def _over(now: datetime) -> ColumnElement[bool]:
    return client_tokens.c.created_at <= now - LIFE


def _is(project: str | None, token: ClientToken) -> ColumnElement[bool]:
    return and_(
        client_tokens.c.project_id == project,
        client_tokens.c.action == token.action,
        client_tokens.c.token == token.text,
    )
