"""Whose files are: root makes what daemons have to read."""

from __future__ import annotations

import os


def give(file: int | str, like: str) -> None:
    """Have a file belong to who owns another one; only root can, and has to."""
    if os.geteuid() == 0:
        owner = os.stat(like)
        os.chown(file, owner.st_uid, owner.st_gid)
