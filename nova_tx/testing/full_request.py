"""A request whose client takes what is written when the test says so: for senders of bodies."""

from __future__ import annotations

from typing import Any


class FullRequest:
    """
    Takes what is written.

    @ivar found: all of it.
    @ivar producer: what is registered with it.
    """

    def __init__(self, full: bool = True, waiting: bool = False) -> None:
        """
        @param full: it is full after each write.
        @param waiting: it is full from the beginning, of an answer of before.
        """
        self.channel = self
        self._waitingForTransport = waiting
        self._full = full
        self.found = b""
        self.producer: Any = None

    def registerProducer(self, producer: object, streaming: bool) -> None:
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.found += data
        if self._full:
            self.producer.pauseProducing()
