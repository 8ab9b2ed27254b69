"""
Forms that a browser sends with a file: the fields before it, and the file as it comes.

What comes after the file is passed over.                               [S3: POST object; RFC 7578]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nova_tx.objectstore.body import Body
from nova_tx.objectstore.faults import (
    EntityTooLarge,
    EntityTooSmall,
    InvalidArgument,
    MalformedPost,
    PostTooLong,
)

#: Bytes of all that is before the file, of a file's name, and fields.
MOST, _LONGEST_NAME, _MOST_FIELDS = 20_000, 1024, 100
_BOUNDARY = re.compile(r'multipart/form-data\s*;.*?\bboundary=(?:"([^"]+)"|([^\s;,"]+))', re.I)
_DISPOSITION = re.compile(r"\s*content-disposition\s*:\s*form-data\b", re.I)
_PARAMETER = re.compile(r';\s*([a-z*]+)=(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))', re.I)
_NAME = "${filename}"
#: Fields in which nothing is put for C{${filename}}: they are or hold what is signed.
_AS_SIGNED = frozenset(("policy", "signature", "awsaccesskeyid", "x-amz-signature"))


class FormFile:
    """The file of a form, a filter for the rest of the body: L{nova_tx.auth.s3_payload.Payload}."""

    def __init__(self, boundary: bytes) -> None:
        self.trailers: dict[str, str] = {}
        self._end = b"\r\n--" + boundary
        self._held = b""
        self._over = False
        self._count = 0
        self._least = 0
        self._most: int | None = None

    def limit(self, least: int, most: int | None) -> None:
        """Say how many bytes the file may have."""
        self._least, self._most = least, most

    def length(self, body: int | None) -> int | None:
        """Nobody says how long the file is."""
        return None

    def feed(self, data: bytes | memoryview) -> bytes | memoryview:
        """
        What these bytes of the request are of the file.

        @raise EntityTooLarge: it has more than it may.
        """
        if self._over:
            return b""
        come = self._held + bytes(data)
        end = come.find(self._end)
        self._over = end >= 0
        if not self._over:
            # what is left may be the beginning of the end
            end = max(0, len(come) - len(self._end) + 1)
            self._held = come[end:]
        self._count += end
        if self._most is not None and self._count > self._most:
            raise EntityTooLarge(f"the file may have {self._most} bytes")
        return come[:end]

    def finish(self) -> None:
        """
        Say that the body has ended.

        @raise MalformedPost: the file has not.
        @raise EntityTooSmall: it has fewer bytes than it must.
        """
        if not self._over:
            raise MalformedPost("the form ends in the middle of its file")
        if self._count < self._least:
            raise EntityTooSmall(f"the file must have {self._least} bytes")


@dataclass(frozen=True)
class Form:
    """
    A form, as far as its file.

    @ivar fields: by lower-case name.
    @ivar file: what the rest of the body has to pass.
    """

    fields: Mapping[str, str]
    file: FormFile


async def read_form(content_type: str, body: Body) -> Form:
    """
    Read a form as far as its file.

    @raise MalformedPost: it is no form.
    @raise PostTooLong: too much is before the file.
    @raise InvalidArgument: there is no file, or a field is there twice.
    @raise ConnectionLost: it will never end.
    """
    found = _BOUNDARY.match(content_type)
    if found is None:
        raise MalformedPost("the form's boundary is not told")
    boundary = (found[1] or found[2]).encode("utf-8", "surrogateescape")
    head = _Head(boundary)
    rest: bytes | None = None
    while rest is None:
        come = await body.some()
        if not come:
            raise MalformedPost("the form ends before its file")
        rest = head.feed(come)
    body.put_back(rest)
    return Form(_filled(head.fields, head.filename), FormFile(boundary))


class _Head:
    """The fields of a form, as they come."""

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.filename = ""
        self._mark = b"\r\n--" + boundary
        # so that each mark is after the end of a line
        self._come = bytearray(b"\r\n")
        self._taken = 0

    def feed(self, data: bytes) -> bytes | None:
        """
        Read on; the first bytes of the file, once that has begun.

        @raise MalformedPost, PostTooLong, InvalidArgument: see L{read_form}.
        """
        self._come += data
        while True:
            start = self._start()
            if start is None:
                break
            name, filename = _names(self._come[len(self._mark) : start])
            if name == "file":
                self.filename = filename
                self._check(start)
                return bytes(self._come[start:])
            end = self._come.find(self._mark, start)
            if end < 0:
                break
            if name in self.fields or len(self.fields) >= _MOST_FIELDS:
                raise InvalidArgument(f"the field {name} is there twice, or one too many")
            self.fields[name] = _text(self._come[start:end])
            self._check(end)
            self._taken += end
            del self._come[:end]
        self._check(len(self._come))
        return None

    def _start(self) -> int | None:
        """Where the content of the part begins at whose mark we are; None: it has not come yet."""
        length = len(self._mark)
        if not self._come.startswith(self._mark[: len(self._come)]):
            raise MalformedPost("the body is not multipart/form-data")
        after = bytes(self._come[length : length + 2])
        if after == b"--":
            raise InvalidArgument("POST requires exactly one file upload per request.")
        if not (b"\r\n".startswith(after) or b"--".startswith(after)):
            raise MalformedPost("the body is not multipart/form-data")
        end = self._come.find(b"\r\n\r\n", length)
        return None if end < 0 else end + 4

    def _check(self, count: int) -> None:
        if self._taken + count > MOST:
            raise PostTooLong(f"there can be {MOST} bytes before the file")


def _names(head: bytearray) -> tuple[str, str]:
    """The name of a field in lower case, and of its file."""
    for line in _text(head).split("\r\n"):
        if _DISPOSITION.match(line):
            found = {
                each[1].lower(): each[2] or each[3] or "" for each in _PARAMETER.finditer(line)
            }
            filename = found.get("filename", "").replace('\\"', '"').replace("%22", '"')
            return found.get("name", "").lower(), re.split(r"[/\\]", filename)[-1]
    raise MalformedPost("a field has no name")


def _text(content: bytearray) -> str:
    try:
        return content.decode()
    except ValueError:
        raise MalformedPost("a field is not UTF-8") from None


def _filled(fields: Mapping[str, str], filename: str) -> dict[str, str]:
    """Fields with the file's name where they ask for it."""
    if len(filename) > _LONGEST_NAME:
        raise InvalidArgument("the file's name is too long")
    filled = {
        name: value if name in _AS_SIGNED else value.replace(_NAME, filename)
        for name, value in fields.items()
    }
    if sum(map(len, filled.values())) > MOST:
        raise PostTooLong(f"there can be {MOST} bytes before the file")
    return filled
