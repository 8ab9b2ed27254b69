"""AMQP as bytes: each known case by its bytes, and everything there and back."""

from __future__ import annotations

import pytest

from nova_tx.rpc import amqp_codec as codec

NAMES = ["content-type", "headers", "delivery-mode", "message-id"]
TYPES = ["shortstr", "table", "octet", "shortstr"]


def test_bits_share_bytes() -> None:
    """Neighbouring bits are packed, lowest first; other types end the byte."""
    types = ["short", "bit", "bit", "bit", "shortstr", "bit"]
    data = codec.encode_arguments(types, [1, True, False, True, "ab", True])
    assert data == b"\x00\x01\x05\x02ab\x01"
    assert codec.decode_arguments(types, data, 0) == [1, True, False, True, "ab", True]


def test_nine_bits() -> None:
    """A ninth bit begins a second byte."""
    values = [False] * 8 + [True]
    data = codec.encode_arguments(["bit"] * 9, values)
    assert data == b"\x00\x01"
    assert codec.decode_arguments(["bit"] * 9, data, 0) == values


def test_texts_are_counted_in_bytes() -> None:
    """The length before a text is that of its bytes."""
    assert codec.encode_arguments(["shortstr", "longstr"], ["é", "é"]) == (
        b"\x02\xc3\xa9\x00\x00\x00\x02\xc3\xa9"
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [("shortstr", "é" * 128), ("octet", 256), ("short", -1), ("long", 2**32), ("octet", "x")],
)
def test_what_does_not_fit(kind: str, value: object) -> None:
    """A value that does not fit its type is refused before anything is written."""
    with pytest.raises((ValueError, TypeError)):
        codec.encode_arguments([kind], [value])


def test_tables() -> None:
    """Whatever a table can hold comes back with its type."""
    table = {
        "none": None,
        "yes": True,
        "negative": -1,
        "int": 2**31 - 1,
        "long": 2**31,
        "longest": -(2**63),
        "float": -0.5,
        "text": "é\x00",
        "bytes": b"\xff\x00",
        "list": [1, [None], {"é": []}],
        "table": {"": {}},
    }
    data = codec.encode_arguments(["table"], [table])
    (back,) = codec.decode_arguments(["table"], data, 0)
    assert back == table
    assert [type(value) for value in back.values()] == [type(value) for value in table.values()]


def test_other_table_types() -> None:
    """The types that only the broker sends are read as RabbitMQ means them."""
    inside = (
        b"\x01bb\xff\x01BB\xff\x01ss\xff\xfe\x01uu\xff\xfe\x01ii\xff\xff\xff\xff"
        b"\x01ff\x3f\x00\x00\x00\x01DD\x02\x00\x00\x00\x7b\x01TT\x00\x00\x00\x00\x00\x00\x00\x05"
    )
    data = len(inside).to_bytes(4, "big") + inside
    (table,) = codec.decode_arguments(["table"], data, 0)
    assert table == {
        "b": -1,
        "B": 255,
        "s": -2,
        "u": 65534,
        "i": 2**32 - 1,
        "f": 0.5,
        "D": 1.23,
        "T": 5,
    }


@pytest.mark.parametrize("value", [object(), {1}, 2**63])
def test_what_a_table_can_not_hold(value: object) -> None:
    """Other values are refused before anything is written."""
    with pytest.raises((ValueError, TypeError)):
        codec.encode_arguments(["table"], [{"k": value}])


@pytest.mark.parametrize(
    "properties",
    [{}, {"delivery-mode": 2}, {"content-type": "a/b", "headers": {"k": [1]}, "message-id": "1"}],
)
def test_properties(properties: dict[str, object]) -> None:
    """The properties of a message come back, and no others."""
    encoded = codec.encode_properties(NAMES, TYPES, properties)
    header = codec.content_frames(1, 60, encoded, b"12345", 4096)[0]
    assert codec.decode_header(NAMES, TYPES, header[7:-1]) == (5, properties)


def test_unknown_property() -> None:
    """A misspelt property is refused, not dropped."""
    with pytest.raises(ValueError, match="content type"):
        codec.encode_properties(NAMES, TYPES, {"content type": "x"})


def test_publication() -> None:
    """The ready-made method frame of a message is what the spec's types make of it, mandatory."""
    types = ["short", "shortstr", "shortstr", "bit", "bit"]
    arguments = codec.encode_arguments(types, [0, "nova", "é", True, False])
    made = codec.publication(5, "nova", "é")
    assert made == codec.frame(codec.METHOD, 5, b"\x00\x3c\x00\x28" + arguments)
    with pytest.raises(ValueError, match="more than 255"):
        codec.publication(5, "nova", "é" * 128)


@pytest.mark.parametrize("size", [0, 1, 4087, 4088, 4089, 10_000])
def test_bodies_are_cut(size: int) -> None:
    """A body is cut so that no frame is larger than agreed, and nothing is lost."""
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    frames = codec.content_frames(7, 60, b"\x00\x00", body, 4096)
    assert all(len(frame) <= 4096 for frame in frames)
    assert b"".join(frame[7:-1] for frame in frames[1:]) == body


@pytest.mark.parametrize("step", [1, 2, 7, 8, 100, 10_000])
def test_frames_in_pieces(step: int) -> None:
    """Frames are found however the bytes arrive."""
    sent = [(codec.METHOD, 1, b"abc"), (codec.HEARTBEAT, 0, b""), (codec.BODY, 2, b"\xce" * 500)]
    data = b"".join(codec.frame(*each) for each in sent)
    frames = codec.Frames()
    got = [
        each
        for start in range(0, len(data), step)
        for each in frames.feed(data[start : start + step])
    ]
    assert got == sent


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 400 Bad Request\r\n",
        b"AMQP\x00\x00\x09\x01",
        b"\x15\x03\x01\x00\x02\x02\x16",
        codec.frame(codec.METHOD, 1, b"abc")[:-1] + b"\x00",
        codec.frame(codec.BODY, 1, b"x" * (2 << 20)),
    ],
    ids=["http", "other version", "tls", "no end", "too large"],
)
def test_what_is_no_amqp(data: bytes) -> None:
    """Anything else is recognised, at the first frame."""
    with pytest.raises(codec.FrameError):
        list(codec.Frames().feed(data))


@pytest.mark.parametrize("data", [b"\x05ab", b"", b"\x00\x00\x00\x09\x01kS"])
def test_cut_short(data: bytes) -> None:
    """A method that ends too early is an error of the other side."""
    with pytest.raises(codec.FrameError):
        codec.decode_arguments(["table" if data.startswith(b"\0") else "shortstr"], data, 0)
