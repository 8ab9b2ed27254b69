"""
The body of an S3 request on its way in: decoded, and checked against what was signed.

Nothing is kept: each piece goes through, and L{finish} says whether the whole
was right.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Protocol

from nova_tx.auth.signatures import EMPTY_SHA256, same
from nova_tx.errors import MalformedPayload, PayloadMismatch, SignatureMismatch

_LONGEST_LINE = 4096
_MOST_TRAILERS = 16


class Payload(Protocol):
    """
    A filter for one body.

    @ivar trailers: headers that came after the body, by lower-case name.
    """

    trailers: dict[str, str]

    def length(self, body: int | None) -> int | None:
        """
        The bytes of the object, if that is known before they come.

        @param body: those of the request's body, if they are known.
        """
        ...

    def feed(self, data: bytes | memoryview) -> bytes | memoryview:
        """
        What these bytes of the request are of the object.

        @raise MalformedPayload, SignatureMismatch: it can't be the body that was signed.
        """
        ...

    def finish(self) -> None:
        """
        Say that the body has ended.

        @raise MalformedPayload, PayloadMismatch: it is not the body that was announced.
        """
        ...


class PlainPayload:
    """A body as it is."""

    def __init__(self, sha256: str | None) -> None:
        """
        @param sha256: its SHA-256 in hex, None if nobody signed it.
        """
        self.trailers: dict[str, str] = {}
        self._expected = sha256
        self._sha256 = hashlib.sha256()

    def length(self, body: int | None) -> int | None:
        return body

    def feed(self, data: bytes | memoryview) -> bytes | memoryview:
        if self._expected is not None:
            self._sha256.update(data)
        return data

    def finish(self) -> None:
        if self._expected is not None and not same(self._sha256.hexdigest(), self._expected):
            raise PayloadMismatch("the body's SHA-256 is not the one that was signed")


class ChunkSigner:
    """The chain of signatures of a body sent in signed chunks."""

    def __init__(self, key: bytes, scope: str, timestamp: str, seed: str) -> None:
        """
        @param key: the signing key (L{nova_tx.auth.signatures.v4_signing_key}).
        @param seed: the signature of the request's headers.
        """
        self._key = key
        self._scope = scope
        self._timestamp = timestamp
        self._previous = seed

    def chunk(self, sha256: str) -> str:
        """The signature of the next chunk."""
        return self._sign("AWS4-HMAC-SHA256-PAYLOAD", EMPTY_SHA256, sha256)

    def trailer(self, sha256: str) -> str:
        """The signature of the trailers, after the last chunk."""
        return self._sign("AWS4-HMAC-SHA256-TRAILER", sha256)

    def _sign(self, what: str, *hashes: str) -> str:
        text = "\n".join((what, self._timestamp, self._scope, self._previous, *hashes))
        self._previous = hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
        return self._previous


class ChunkedPayload:
    """A body coded as C{aws-chunked}, its chunks signed or not, with or without trailers."""

    def __init__(self, length: int, signer: ChunkSigner | None, signed_trailer: bool) -> None:
        """
        @param length: bytes of the decoded body, as announced.
        @param signer: checks the chunks' signatures, None if they have none.
        @param signed_trailer: the trailers are signed as well.
        """
        self.trailers: dict[str, str] = {}
        self._length = length
        self._signer = signer
        self._signed_trailer = signed_trailer
        self._buffer = bytearray()
        self._step = self._size
        self._left = 0
        self._count = 0
        self._signature = ""
        self._sha256 = hashlib.sha256()
        self._done = False

    def length(self, body: int | None) -> int | None:
        return self._length

    def feed(self, data: bytes | memoryview) -> bytes | memoryview:
        self._buffer += data
        decoded: list[bytes] = []
        while self._step(decoded):
            pass
        return b"".join(decoded)

    def finish(self) -> None:
        if not self._done:
            raise MalformedPayload("the body ended before its last chunk")
        if self._count != self._length:
            raise MalformedPayload("the body is not as long as x-amz-decoded-content-length says")

    # Each step takes something from the buffer and returns whether there may be more.

    def _line(self) -> str | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise MalformedPayload("a chunk's header is too long")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line.decode("latin-1")

    def _size(self, decoded: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        size, _, extension = line.partition(";")
        try:
            if not 0 < len(size) <= 16 or size[0] in "+-" or "_" in size:
                raise ValueError
            self._left = int(size, 16)
        except ValueError:
            raise MalformedPayload("a chunk's size is no number") from None
        if self._count + self._left > self._length:
            raise MalformedPayload("the body is longer than x-amz-decoded-content-length says")
        name, _, self._signature = extension.strip().partition("=")
        if self._signer is not None and name != "chunk-signature":
            raise MalformedPayload("a chunk is not signed")
        self._sha256 = hashlib.sha256()
        if self._left:
            self._step = self._data
        else:
            self._check()
            self._step = self._trailer
        return True

    def _data(self, decoded: list[bytes]) -> bool:
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(piece)
        self._count += len(piece)
        if self._signer is not None:
            self._sha256.update(piece)
        decoded.append(piece)
        if self._left:
            return False
        self._step = self._end
        return True

    def _end(self, decoded: list[bytes]) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise MalformedPayload("a chunk does not end where its size says")
        del self._buffer[:2]
        self._check()
        self._step = self._size
        return True

    def _check(self) -> None:
        if self._signer is None:
            return
        if not same(self._signer.chunk(self._sha256.hexdigest()), self._signature):
            raise SignatureMismatch("a chunk's signature does not match")

    def _trailer(self, decoded: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        if line:
            name, colon, value = line.partition(":")
            name = name.strip().lower()
            if not colon or name in self.trailers or len(self.trailers) >= _MOST_TRAILERS:
                raise MalformedPayload("the body's trailers are malformed")
            self.trailers[name] = value.strip()
            return True
        if self._signed_trailer:
            self._check_trailer()
        self._done = True
        self._step = self._nothing
        return True

    def _check_trailer(self) -> None:
        assert self._signer is not None
        signature = self.trailers.pop("x-amz-trailer-signature", "")
        text = "".join(f"{name}:{value}\n" for name, value in self.trailers.items())
        expected = self._signer.trailer(hashlib.sha256(text.encode("latin-1")).hexdigest())
        if not same(expected, signature):
            raise SignatureMismatch("the trailers' signature does not match")

    def _nothing(self, decoded: list[bytes]) -> bool:
        if self._buffer:
            raise MalformedPayload("the body goes on after its last chunk")
        return False
