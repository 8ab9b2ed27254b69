"""How a VPN server is asked whether it is there."""

from __future__ import annotations

import socket
import threading

import pytest

from nova_tx.manage.vpn_ping import answers


@pytest.mark.parametrize(
    ("reply", "up"),
    [
        (lambda asked: b"\x40" + b"s" * 8 + b"\x01" + bytes(4) + asked[1:9] + bytes(4), True),
        (lambda asked: b"\x40" + bytes(25), False),
        (lambda asked: b"\x38" + asked[1:9] + bytes(17), False),
        (lambda asked: b"\x40" + asked[1:9], False),
    ],
    ids=["its session", "another's", "no reset", "too short"],
)
def test_answers(reply: object, up: bool) -> None:
    """Up is who answers with the session that was asked for, in 26 bytes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        asked: list[bytes] = []

        def serve() -> None:
            data, address = server.recvfrom(100)
            asked.append(data)
            server.sendto(reply(data), address)  # type: ignore[operator]

        thread = threading.Thread(target=serve)
        thread.start()
        assert answers("127.0.0.1", server.getsockname()[1], patience=60) == up
        thread.join()
    assert len(asked[0]) == 14 and asked[0][0] == 0x38


def test_nobody() -> None:
    """Down is where nobody listens."""
    assert not answers("127.0.0.1", 1)
