"""Whether an OpenVPN server answers.                                  [spec/06 section 12]"""

from __future__ import annotations

import secrets
import socket

#: Seconds that it has.
PATIENCE = 0.05
_RESET_CLIENT, _RESET_SERVER = 0x38, 0x40


def answers(address: str, port: int, patience: float = PATIENCE) -> bool:
    """Ask for a session, and see whether that session is answered."""
    session = secrets.token_bytes(8)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(patience)
        try:
            asking.sendto(bytes((_RESET_CLIENT,)) + session + bytes(5), (address, port))
            reply = asking.recv(2048)
        except OSError:  # silence, too
            return False
    return len(reply) == 26 and reply[0] == _RESET_SERVER and session in reply
