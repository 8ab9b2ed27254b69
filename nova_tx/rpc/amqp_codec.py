"""
AMQP 0-9-1 on the wire: frames, arguments, properties and tables as bytes and back. Pure.

In the place of txamqp's codec, which counts characters for bytes, guesses
types, and knows four of the eighteen table values that RabbitMQ sends.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
#: What a client says first.
GREETING = b"AMQP\x00\x00\x09\x01"
_END = b"\xce"
_HEAD = struct.Struct("!BHI")
#: Bytes of a frame that are not its payload.
OVERHEAD = _HEAD.size + 1
HEARTBEAT_FRAME = _HEAD.pack(HEARTBEAT, 0, 0) + _END

_octet, _short, _long, _longlong = (struct.Struct(f) for f in ("!B", "!H", "!I", "!Q"))


class FrameError(Exception):
    """The bytes are not AMQP 0-9-1."""


# Frames.


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """One frame."""
    return _HEAD.pack(kind, channel, len(payload)) + payload + _END


class Frames:
    """
    Cuts what arrives into frames.

    @ivar limit: bytes that a frame may have.
    """

    def __init__(self) -> None:
        self.limit = 1 << 20
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """
        The kind, the channel and the payload of each frame that is whole now.

        @raise FrameError: this is no AMQP.
        """
        if self._rest:
            data = self._rest + data
        start, end = 0, len(data)
        self._rest = b""
        while end - start >= _HEAD.size:
            kind, channel, size = _HEAD.unpack_from(data, start)
            if kind not in (METHOD, HEADER, BODY, HEARTBEAT) or size + OVERHEAD > self.limit:
                raise FrameError("what answers there does not speak AMQP 0-9-1")
            last = start + _HEAD.size + size
            if last >= end:
                break
            if data[last] != _END[0]:
                raise FrameError("a frame does not end where it should")
            payload = data[start + _HEAD.size : last]
            start = last + 1
            yield kind, channel, payload
        self._rest = data[start:]


# Arguments of methods.


def encode_arguments(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """
    Values of the spec's types, one after the other.

    @raise ValueError, TypeError: a value does not fit its type.
    """
    parts: list[bytes] = []
    bits: list[bool] = []
    for kind, value in zip(types, values, strict=True):
        if kind == "bit":
            bits.append(bool(value))
            continue
        if bits:
            parts.append(_pack_bits(bits))
            bits = []
        parts.append(_ENCODERS[kind](value))
    if bits:
        parts.append(_pack_bits(bits))
    return b"".join(parts)


def decode_arguments(types: Sequence[str], data: bytes, start: int) -> list[Any]:
    """@raise FrameError: the bytes are too few, or of no known type."""
    values: list[Any] = []
    bit = 8
    try:
        for kind in types:
            if kind == "bit":
                if bit == 8:
                    bits, start, bit = data[start], start + 1, 0
                values.append(bool(bits >> bit & 1))
                bit += 1
                continue
            bit = 8
            value, start = _DECODERS[kind](data, start)
            values.append(value)
    except (IndexError, struct.error):
        raise FrameError("a method is cut short") from None
    return values


def _pack_bits(bits: Sequence[bool]) -> bytes:
    count = (len(bits) + 7) // 8
    return sum(bit << place for place, bit in enumerate(bits)).to_bytes(count, "little")


# Content.


def encode_properties(
    names: Sequence[str], types: Sequence[str], properties: Mapping[str, Any]
) -> bytes:
    """
    The property flags and the properties (fewer than 16 exist).

    @raise ValueError, TypeError: one is unknown or does not fit its type.
    """
    flags = 0
    parts = []
    for place, (name, kind) in enumerate(zip(names, types, strict=True)):
        if name in properties:
            flags |= 0x8000 >> place
            parts.append(_ENCODERS[kind](properties[name]))
    if len(parts) != len(properties):
        raise ValueError(f"unknown properties: {', '.join(properties.keys() - set(names))}")
    return _short.pack(flags) + b"".join(parts)


def decode_header(
    names: Sequence[str], types: Sequence[str], data: bytes
) -> tuple[int, dict[str, Any]]:
    """The size of a body and its properties, from the payload of its header frame."""
    try:
        (size,), (flags,) = _longlong.unpack_from(data, 4), _short.unpack_from(data, 12)
        start = 14
        properties = {}
        for place, (name, kind) in enumerate(zip(names, types, strict=True)):
            if flags & 0x8000 >> place:
                properties[name], start = _DECODERS[kind](data, start)
    except (IndexError, struct.error):
        raise FrameError("a header is cut short") from None
    return size, properties


def content_frames(
    channel: int, class_id: int, properties: bytes, body: bytes, frame_max: int
) -> list[bytes]:
    """The header frame of a body and the frames that carry it."""
    header = struct.pack("!HHQ", class_id, 0, len(body)) + properties
    frames = [frame(HEADER, channel, header)]
    room = frame_max - OVERHEAD
    for start in range(0, len(body), room):
        frames.append(frame(BODY, channel, body[start : start + room]))
    return frames


@functools.lru_cache(256)
def publication(channel: int, exchange: str, routing_key: str) -> bytes:
    """
    The method frame of a mandatory message (basic.publish); the frames of its body follow.

    @raise ValueError: a name is too long.
    """
    names = _encode_short_text(exchange) + _encode_short_text(routing_key)
    return frame(METHOD, channel, b"\x00\x3c\x00\x28\x00\x00" + names + b"\x01")


# Values.


def _number(form: struct.Struct) -> tuple[Callable[[Any], bytes], Callable[..., tuple[Any, int]]]:
    def encode(value: Any) -> bytes:
        try:
            return form.pack(value)
        except struct.error:
            raise ValueError(f"{value!r} does not fit into {form.size} bytes") from None

    def decode(data: bytes, start: int) -> tuple[Any, int]:
        return form.unpack_from(data, start)[0], start + form.size

    return encode, decode


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _encode_short_text(text: str | bytes) -> bytes:
    raw = _raw(text)
    if len(raw) > 255:
        raise ValueError(f"a name has {len(raw)} bytes, more than 255: {text[:40]!r}…")
    return _octet.pack(len(raw)) + raw


def _decode_short_text(data: bytes, start: int) -> tuple[str, int]:
    end = start + 1 + data[start]
    return data[start + 1 : _within(data, end)].decode("utf-8", "surrogateescape"), end


def _encode_text(text: str | bytes) -> bytes:
    raw = _raw(text)
    return _long.pack(len(raw)) + raw


def _decode_bytes(data: bytes, start: int) -> tuple[bytes, int]:
    end = start + 4 + _long.unpack_from(data, start)[0]
    return data[start + 4 : _within(data, end)], end


def _decode_text(data: bytes, start: int) -> tuple[str, int]:
    raw, end = _decode_bytes(data, start)
    return raw.decode("utf-8", "surrogateescape"), end


def _within(data: bytes, end: int) -> int:
    if end > len(data):
        raise IndexError(end)
    return end


# Tables.


def _encode_table(table: Mapping[str, Any]) -> bytes:
    parts = [_encode_short_text(key) + _encode_value(value) for key, value in table.items()]
    return _encode_text(b"".join(parts))


def _encode_value(value: Any) -> bytes:
    if value is None:
        return b"V"
    if isinstance(value, bool):
        return b"t" + _octet.pack(value)
    if isinstance(value, int):
        if -(1 << 31) <= value < 1 << 31:
            return b"I" + struct.pack("!i", value)
        if -(1 << 63) <= value < 1 << 63:
            return b"l" + struct.pack("!q", value)
        raise ValueError(f"{value} does not fit into 8 bytes")
    if isinstance(value, float):
        return b"d" + struct.pack("!d", value)
    if isinstance(value, str):
        return b"S" + _encode_text(value)
    if isinstance(value, bytes):
        return b"x" + _encode_text(value)
    if isinstance(value, (list, tuple)):
        return b"A" + _encode_text(b"".join(map(_encode_value, value)))
    if isinstance(value, Mapping):
        return b"F" + _encode_table(value)
    raise TypeError(f"a table can't hold {type(value).__name__}")


def _decode_table(data: bytes, start: int) -> tuple[dict[str, Any], int]:
    inside, end = _decode_bytes(data, start)
    table = {}
    place = 0
    while place < len(inside):
        key, place = _decode_short_text(inside, place)
        table[key], place = _decode_value(inside, place)
    return table, end


def _decode_array(data: bytes, start: int) -> tuple[list[Any], int]:
    inside, end = _decode_bytes(data, start)
    values = []
    place = 0
    while place < len(inside):
        value, place = _decode_value(inside, place)
        values.append(value)
    return values, end


def _decode_value(data: bytes, start: int) -> tuple[Any, int]:
    try:
        decode = _VALUES[data[start : start + 1]]
    except KeyError:
        raise FrameError(f"a table holds a value of type {data[start : start + 1]!r}") from None
    return decode(data, start + 1)


def _decode_boolean(data: bytes, start: int) -> tuple[bool, int]:
    return data[start] != 0, start + 1


def _decode_decimal(data: bytes, start: int) -> tuple[float, int]:
    scale, digits = struct.unpack_from("!Bi", data, start)
    return float(f"{digits}e-{scale}"), start + 5


_encode_octet, _decode_octet = _number(_octet)
_encode_short, _decode_short = _number(_short)
_encode_long, _decode_long = _number(_long)
_encode_longlong, _decode_longlong = _number(_longlong)

_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "octet": _encode_octet,
    "short": _encode_short,
    "long": _encode_long,
    "longlong": _encode_longlong,
    "timestamp": _encode_longlong,
    "shortstr": _encode_short_text,
    "longstr": _encode_text,
    "table": _encode_table,
}

_DECODERS: dict[str, Callable[[bytes, int], tuple[Any, int]]] = {
    "octet": _decode_octet,
    "short": _decode_short,
    "long": _decode_long,
    "longlong": _decode_longlong,
    "timestamp": _decode_longlong,
    "shortstr": _decode_short_text,
    "longstr": _decode_text,
    "table": _decode_table,
}

#: As RabbitMQ has them: s is a short integer, l a long one.
_VALUES: dict[bytes, Callable[[bytes, int], tuple[Any, int]]] = {
    b"t": _decode_boolean,
    b"b": _number(struct.Struct("!b"))[1],
    b"B": _decode_octet,
    b"s": _number(struct.Struct("!h"))[1],
    b"u": _decode_short,
    b"I": _number(struct.Struct("!i"))[1],
    b"i": _decode_long,
    b"l": _number(struct.Struct("!q"))[1],
    b"L": _number(struct.Struct("!q"))[1],
    b"f": _number(struct.Struct("!f"))[1],
    b"d": _number(struct.Struct("!d"))[1],
    b"D": _decode_decimal,
    b"S": _decode_text,
    b"x": _decode_bytes,
    b"A": _decode_array,
    b"T": _decode_longlong,
    b"F": _decode_table,
    b"V": lambda data, start: (None, start),
}
