"""How long a body may be that becomes an object, or a part of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from nova_tx.objectstore.faults import EntityTooLarge, InvalidArgument, MissingContentLength

#: Bytes that can be sent at once.
MOST_AT_ONCE = 5 * 2**30


def check_length(headers: Mapping[str, str], most: int = MOST_AT_ONCE) -> int:
    """
    The bytes of the object that a request announces.

    @raise MissingContentLength: it announces none.
    @raise EntityTooLarge: more than can be sent at once.
    """
    text = headers.get("x-amz-decoded-content-length", headers.get("content-length"))
    if text is None:
        raise MissingContentLength("You must provide the Content-Length HTTP header.")
    if not (text.isascii() and text.isdigit()):
        raise InvalidArgument("The length of the body is not a number", ArgumentValue=text)
    # no more digits are read than the largest has
    size = int(text) if len(text) <= 18 else 10**18
    if size > most:
        raise EntityTooLarge(
            "Your proposed upload exceeds the maximum allowed size",
            ProposedSize=text,
            MaxSizeAllowed=most,
        )
    return size
