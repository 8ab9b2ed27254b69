"""
Commands in guests, by ssh.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

_OPTIONS = (
    *("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes"),
    *("ConnectTimeout=5", "IdentitiesOnly=yes", "LogLevel=ERROR"),
)


def ssh(address: str, key_file: Path, command: str) -> str | None:
    """What a command of root's in a guest prints; None if it fails, or can't be run now."""
    argv = ["ssh", "-F", "none", "-i", str(key_file)]
    argv += [word for option in _OPTIONS for word in ("-o", option)]
    argv += [f"root@{address}", command]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
