"""Headers that ask for what is not there: refused, for who sends them counts on it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from nova_tx.objectstore.faults import InvalidToken, NotImplementedHere

#: Encryption, locks, websites, and what only directory buckets have.
_REFUSED = (
    "x-amz-server-side-encryption",
    "x-amz-copy-source-server-side-encryption",
    "x-amz-object-lock-",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-size",
)
#: What may be asked for, since it is so anyway.
_SO_ANYWAY = {
    "x-amz-bucket-object-lock-enabled": "false",
    "x-amz-object-ownership": "objectwriter",
    "x-amz-bucket-namespace": "global",
}


def refuse_unsupported(headers: Mapping[str, str]) -> None:
    """
    Refuse what would else be passed over.

    @raise NotImplementedHere: a header asks for what is not there.
    @raise InvalidToken: the request is one of a session, and there are none.
    """
    for name, value in headers.items():
        if not name.startswith("x-amz-"):
            continue
        if name == "x-amz-security-token":
            raise InvalidToken("The provided token is malformed or otherwise invalid.")
        if name.startswith(_REFUSED) or value.lower() != _SO_ANYWAY.get(name, value.lower()):
            raise NotImplementedHere(
                "A header you provided implies functionality that is not implemented", Header=name
            )
