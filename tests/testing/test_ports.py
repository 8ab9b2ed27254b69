"""Ports for servers of tests."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from nova_tx.testing import ports

_GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_not_given_to_others() -> None:
    """The kernel gives a port that is meant for a server to no connection of others."""
    first = int(_GIVEN.read_text().split()[0])
    assert ports.free_port() < first


def test_not_one_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port at which somebody listens is not chosen."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert not ports.is_free(taken)
        free = ports.free_port()
        monkeypatch.setattr("random.sample", lambda *_: [taken, free])
        assert ports.free_port() == free
