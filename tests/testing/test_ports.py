"""Ports for servers of tests."""

from __future__ import annotations

import socket

import pytest

from nova_tx.testing import ports

#: The first that Linux gives to connections, unless told otherwise.               [ip(7)]
_GIVEN = 32768


def test_not_given_to_others() -> None:
    """The kernel gives a port that is meant for a server to no connection of others."""
    assert max(ports.free_port() for _ in range(100)) < _GIVEN


def test_not_one_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port at which somebody listens is not chosen."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert not ports.is_free(taken)
        free = ports.free_port()
        monkeypatch.setattr("random.sample", lambda *_: [taken, free])
        assert ports.free_port() == free
