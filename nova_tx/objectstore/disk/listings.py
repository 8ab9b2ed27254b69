"""A page of the keys below a directory. Everything here blocks."""

from __future__ import annotations

from collections.abc import Callable

from nova_tx.objectstore.bounds import KEYS
from nova_tx.objectstore.disk.tree import Entry, below
from nova_tx.objectstore.facts import Facts, Listing


def page(
    directory: str,
    prefix: str,
    after: str,
    delimiter: str,
    limit: int,
    known: Callable[[Entry], Facts | None],
) -> Listing:
    """
    The first C{limit} keys and common prefixes that begin with C{prefix} and come after C{after};
    fewer if they are so long that they have L{KEYS} bytes.

    @param delimiter: keys that have it after the prefix are shown as one; "" for none.
    @param known: what is known of an object; None: it was removed meanwhile.
    """
    objects: list[tuple[str, Facts]] = []
    prefixes: list[str] = []
    last = ""
    room = KEYS
    common: bytes | None = None
    passed, stop, length = after.encode(), delimiter.encode(), len(prefix.encode())
    for each in below(directory, prefix.encode(), passed):
        key = each.key
        if common is not None and key.startswith(common):
            continue
        at = key.find(stop, length) if stop else -1
        common = key[: at + len(stop)] if at >= 0 else None
        if common == passed:
            continue
        if len(objects) + len(prefixes) >= limit or room <= 0:
            return Listing(tuple(objects), tuple(prefixes), last if limit else None)
        room -= len(key if common is None else common)
        if common is not None:
            last = common.decode()
            prefixes.append(last)
            continue
        last = key.decode()
        facts = known(each)
        if facts is not None:
            objects.append((last, facts))
    return Listing(tuple(objects), tuple(prefixes), None)
