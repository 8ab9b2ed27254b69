"""Forms, in pieces of any size."""

from __future__ import annotations

from typing import Any, cast

import pytest

from nova_tx.errors import NovaError
from nova_tx.objectstore.body import Body
from nova_tx.objectstore.faults import (
    EntityTooLarge,
    EntityTooSmall,
    InvalidArgument,
    MalformedPost,
    PostTooLong,
)
from nova_tx.objectstore.forms import MOST, Form, FormFile, read_form

TYPE = "multipart/form-data; boundary=limit"
FILE = (
    b'--limit\r\ncontent-disposition: form-data; name="file"; filename="%b"\r\n'
    b"Content-Type: text/plain\r\n\r\n%b\r\n--limit--\r\n"
)
CONTENT = b"one\r\n--limi\r\n--\r\n-" * 9


class _Body:
    """Comes in pieces."""

    def __init__(self, content: bytes, step: int) -> None:
        self.pieces = [content[at : at + step] for at in range(0, len(content), step)]

    async def some(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def put_back(self, data: bytes) -> None:
        self.pieces.insert(0, data)


def _field(name: str, value: bytes) -> bytes:
    return b'--limit\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (
        name.encode(),
        value,
    )


async def _read(content: bytes, step: int = 2**16, content_type: str = TYPE) -> tuple[Form, bytes]:
    """A form, and what its file is."""
    body = _Body(content, step)
    form = await read_form(content_type, cast(Body, body))
    found = b"".join(bytes(form.file.feed(each)) for each in body.pieces)
    form.file.finish()
    return form, found


@pytest.mark.parametrize("step", [1, 2, 7, 64, 10_000])
async def test_pieces(step: int) -> None:
    """Fields and file are the same in whatever pieces they come; what follows is passed over."""
    whole = _field("Key", b"a\r\n\r\n\xc3\xbc") + _field("empty", b"") + FILE % (b"x", CONTENT)
    form, found = await _read(whole + _field("late", b"1"), step)
    assert form.fields == {"key": "a\r\n\r\nü", "empty": ""}
    assert found == CONTENT


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"a b.txt", "a b.txt"),
        (b"C:\\dir\\a.txt", "a.txt"),
        (b"/etc/passwd", "passwd"),
        (b"a%22b", 'a"b'),
        (b'a\\"b', 'a"b'),
        (b"", ""),
    ],
)
async def test_filename(sent: bytes, expected: str) -> None:
    """The file's name, without what is above it, takes its place in fields; not in signed ones."""
    fields = _field("key", b"up/${filename}") + _field("policy", b"${filename}")
    form, _ = await _read(fields + FILE % (sent, b""))
    assert form.fields == {"key": f"up/{expected}", "policy": "${filename}"}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", MalformedPost),
        (b"x" + FILE % (b"x", b"1"), MalformedPost),
        (b"--other\r\n", MalformedPost),
        (b"--limitless\r\n", MalformedPost),
        (b"--limit\r\n\r\nvalue\r\n" + FILE % (b"x", b"1"), MalformedPost),
        (_field("key", b"\xff") + FILE % (b"x", b"1"), MalformedPost),
        (_field("key", b"1"), MalformedPost),
        ((FILE % (b"x", b"1"))[:-12], MalformedPost),
        (_field("key", b"1") + b"--limit--\r\n", InvalidArgument),
        (_field("key", b"1") * 2 + FILE % (b"x", b"1"), InvalidArgument),
        (FILE % (b"x" * 2000, b"1"), InvalidArgument),
        (_field("key", b"1" * MOST) + FILE % (b"x", b"1"), PostTooLong),
        (b"--limit\r\n" + b"x" * MOST, PostTooLong),
        (_field("key", b"${filename}" * 100) + FILE % (b"x" * 1000, b"1"), PostTooLong),
    ],
)
@pytest.mark.parametrize("step", [1, 2**16])
async def test_malformed(content: bytes, error: type[NovaError], step: int) -> None:
    """What is no form, or has too much before its file, is refused."""
    with pytest.raises(NovaError) as caught:
        await _read(content, step)
    assert type(caught.value) is error


async def test_boundaries() -> None:
    """A boundary may be quoted, and must be told."""
    await _read(
        FILE % (b"x", b"1"), content_type='multipart/form-data; charset=a; boundary="limit"'
    )
    for content_type in ("multipart/form-data", "multipart/form-data; boundary="):
        with pytest.raises(MalformedPost):
            await _read(FILE % (b"x", b"1"), content_type=content_type)


def test_limits() -> None:
    """A file that is too large is refused as soon as that is seen, one too small at its end."""

    def file(least: int, most: int | None) -> Any:
        found = FormFile(b"limit")
        found.limit(least, most)
        return found

    for least, most in ((5, 5), (0, None)):
        right = file(least, most)
        assert right.feed(b"12345\r\n--limit--") == b"12345"
        right.finish()
    with pytest.raises(EntityTooLarge):
        file(0, 4).feed(b"12345\r\n--limit--")
    with pytest.raises(EntityTooLarge):
        file(0, 4).feed(b"1" * 100)
    small = file(6, None)
    small.feed(b"12345\r\n--limit--")
    with pytest.raises(EntityTooSmall):
        small.finish()
