"""Conditions of writes to another S3, and whether it heeds them: not every one does."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from twisted.logger import Logger

from nova_tx.objectstore.remote.client import Client

_log = Logger()

#: Headers of a write where there is nothing.
NEW = {"if-none-match": "*"}


def same(tag: str) -> dict[str, str]:
    """Headers of a write where that is still what L{Reply.tag} told from others."""
    return {"if-match": f'"{tag}"'}


@dataclass(frozen=True)
class Heeded:
    """
    What comes of conditions.

    @ivar puts: nothing is stored where they don't hold; else they had better not be sent.
    @ivar removals: likewise.
    """

    puts: bool = False
    removals: bool = False


async def heeded(client: Client, above: str) -> Heeded:
    """
    What an S3 makes of conditions, as a small object shows; the log has it.

    @param above: what its name begins with; all that is there is removed.
    @raise Unavailable: it can't be told.
    """
    found = await _probe(client, above + secrets.token_hex(16))
    for name in (await client.names(above, "", 1000, False)).tags:
        await client.remove(name)
    _log.info(
        "the S3 behind this one heeds conditions of PUT: {puts}, of DELETE: {removals}",
        puts="yes" if found.puts else "no",
        removals="yes" if found.removals else "no",
    )
    return found


async def _probe(client: Client, name: str) -> Heeded:
    """By what is there after each write, for its answer may be to a repeated request."""

    async def after(method: str, condition: dict[str, str], content: bytes) -> tuple[bytes, str]:
        await client.status(method, name, condition, content)
        there = await client.get(name)
        return (b"", "") if there is None else (there.body, there.tag)

    first, old = await after("PUT", NEW, b"first")
    if not first:
        return Heeded()
    refused, _ = await after("PUT", NEW, b"not new")
    second, new = await after("PUT", same(old), b"second")
    stale, _ = await after("PUT", same(old), b"not the same")
    puts = (first, refused, second, stale) == (b"first", b"first", b"second", b"second")
    kept, _ = await after("DELETE", same(old), b"")
    gone, _ = await after("DELETE", same(new), b"")
    return Heeded(puts, puts and (kept, gone) == (b"second", b""))
