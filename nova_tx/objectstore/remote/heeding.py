"""Conditions of writes to another S3, and whether it heeds them: not every one does."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from twisted.logger import Logger

from nova_tx.objectstore.remote.client import Client

_log = Logger()

_NEW = {"if-none-match": "*"}
#: How a tag is written: as HTTP has it [RFC 9110 13.1.1], or as some versions of Ceph's RGW do.
_QUOTES = ('"', "")


@dataclass(frozen=True)
class Heeded:
    """
    Which conditions are heeded; others are not sent.

    @ivar new: that a PUT finds nothing.
    @ivar same: that a PUT finds what was read.
    @ivar removals: that a DELETE does.
    @ivar quote: what is around a tag.
    """

    new: bool = False
    same: bool = False
    removals: bool = False
    quote: str = ""

    def of_put(self, tag: str | None) -> dict[str, str]:
        """
        Headers of a PUT.

        @param tag: of what was read; None: there was nothing.
        """
        if tag is None:
            return _NEW if self.new else {}
        return _same(tag, self.quote) if self.same else {}

    def of_removal(self, tag: str) -> dict[str, str]:
        """Headers of a DELETE of what was read."""
        return _same(tag, self.quote) if self.removals else {}


def _same(tag: str, quote: str) -> dict[str, str]:
    return {"if-match": f"{quote}{tag}{quote}"}


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
        "the S3 behind this one heeds If-None-Match of PUT: {new}, If-Match of PUT: {same},"
        " If-Match of DELETE: {removals}",
        new="yes" if found.new else "no",
        same="yes" if found.same else "no",
        removals="yes" if found.removals else "no",
    )
    return found


async def _probe(client: Client, name: str) -> Heeded:
    """By what is there after each write, for its answer may be to a repeated request."""

    async def after(method: str, condition: dict[str, str], content: bytes) -> tuple[bytes, str]:
        await client.attempt(method, name, condition, content)
        there = await client.get(name)
        return (b"", "") if there is None else (there.body, there.tag)

    first, second = [await after("PUT", _NEW, content) for content in (b"first", b"second")]
    new = first[0] == second[0] == b"first"
    found = Heeded(new)
    for quote in _QUOTES:
        old = await after("PUT", {}, b"old")
        changed = await after("PUT", _same(old[1], quote), b"changed")
        now = await after("PUT", _same(old[1], quote), b"changed again")
        same = changed[0] == now[0] == b"changed"
        kept = await after("DELETE", _same(old[1], quote), b"")
        gone = await after("DELETE", _same(now[1], quote), b"")
        found = Heeded(new, same, kept == now != gone == (b"", ""), quote)
        if same:
            break
    return found
