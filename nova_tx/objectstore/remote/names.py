"""
The names of what is kept in a bucket of another S3. Pure.

A key becomes letters that no server, proxy or XML document takes for something else, so that names
have the order of the bytes of their keys, and begin alike where their keys do.
"""

from __future__ import annotations

import re

from nova_tx.objectstore.faults import KeyTooLong
from nova_tx.objectstore.names import LONGEST_KEY, check_bucket, check_key

#: After it comes nothing.
LAST = "\U0010ffff"
#: What a slash of a key becomes, and what comes before a key: no name has an empty part.
_SLASH = "/!"
#: Between the key and the id of an upload; it is less than anything that a key goes on with.
_OF = "!-"
#: Which character leads the two digits of one that is not written as it is: the last one before it.
_LEADS = ((0x00, 0x2D, "!"), (0x2E, 0x2F, "."), (0x3A, 0x41, "="), (0x5B, 0x61, "_"))
_ESCAPES = {
    code: f"{lead}{code:02x}"
    for first, end, lead in (*_LEADS, (0x7B, 0x80, "~"))
    for code in range(first, end)
} | {ord("/"): _SLASH}
_ESCAPED = re.compile(r"/!|[!.=_~][0-9a-f]{2}")

BUCKETS, OBJECTS, UPLOADS, PARTS = "buckets/", "objects/", "uploads/", "parts/"
DATA, GARBAGE, PROBES = "data/", "garbage/", "probes/"


def escaped(text: str) -> str:
    """A key, or the beginning of one, as it is written."""
    return text.translate(_ESCAPES)


def plain(text: str) -> str:
    """
    What L{escaped} made this of, or of which it made the beginning of this.

    That ends with a slash if this does.
    """
    return _ESCAPED.sub(_meant, text)


def _meant(found: re.Match[str]) -> str:
    return "/" if found[0] == _SLASH else chr(int(found[0][1:], 16))


class Names:
    """The names of one store."""

    def __init__(self, prefix: str) -> None:
        """
        @param prefix: what all of them begin with: nothing, or what ends with a slash.
        """
        self._prefix = prefix

    def all(self, kind: str) -> str:
        """What the names of a kind begin with."""
        return self._prefix + kind

    def bucket(self, name: str) -> str:
        """
        What is known of a bucket.

        @raise InvalidBucketName: it can't be called so.
        """
        return f"{self._prefix}{BUCKETS}{check_bucket(name)}"

    def objects(self, bucket: str) -> str:
        """What the names of a bucket's objects begin with, before their keys."""
        return f"{self._prefix}{OBJECTS}{bucket}{_SLASH}"

    def object(self, bucket: str, key: str) -> str:
        """
        What is known of an object.

        @raise KeyTooLong: S3 would not have it, or there is no room for it.
        """
        check_key(key)
        return _short(self.objects(bucket) + escaped(key), key)

    def uploads(self, bucket: str) -> str:
        """What the names of a bucket's uploads begin with, before their keys."""
        return f"{self._prefix}{UPLOADS}{bucket}{_SLASH}"

    def upload(self, bucket: str, key: str, upload_id: str) -> str:
        """
        What is known of an upload.

        @raise KeyTooLong: as L{object}.
        """
        check_key(key)
        return _short(f"{self.uploads(bucket)}{escaped(key)}{_OF}{upload_id}", key)

    def upload_of(self, bucket: str, name: str) -> tuple[str, str]:
        """The key and the id of an upload by its name."""
        key, _, upload_id = name.removeprefix(self.uploads(bucket)).rpartition(_OF)
        return plain(key), upload_id

    def parts(self, upload_id: str) -> str:
        """What the names of the parts of an upload begin with."""
        return f"{self._prefix}{PARTS}{upload_id}/"

    def part(self, upload_id: str, number: int) -> str:
        """What is known of a part."""
        return f"{self.parts(upload_id)}{number:05d}"

    def data(self, data_id: str) -> str:
        """Bytes."""
        return f"{self._prefix}{DATA}{data_id}"

    def garbage(self, record_id: str) -> str:
        """What may be to be removed."""
        return f"{self._prefix}{GARBAGE}{record_id}"


def _short(name: str, key: str) -> str:
    size = len(name.encode())
    if size > LONGEST_KEY:
        most = LONGEST_KEY - (size - len(key.encode()))
        raise KeyTooLong(
            "Your key is too long for the store behind this one",
            Size=len(key.encode()),
            MaxSizeAllowed=max(0, most),
        )
    return name
