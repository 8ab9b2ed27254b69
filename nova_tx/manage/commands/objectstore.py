"""What the objectstore keeps."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable
from typing import TYPE_CHECKING

from nova_tx.bar import Bar
from nova_tx.flags import BackendFlags, S3Flags
from nova_tx.manage.parts import UNTOLD, CommandFailed, Parts

if TYPE_CHECKING:
    from nova_tx.objectstore.disk.check import Finding

#: Nothing is asked of the database.
DATABASE = "none"

#: The number of the system call ioprio_set.
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_OF_THIS_PROCESS, _IDLE = 1, 3 << 13


def check(parts: Parts) -> None:
    """
    Read every object, and name each that is not as it was stored: status 1 if there is one.

    The daemon may run meanwhile, and comes first.
    """
    # the other commands start sooner without it
    from nova_tx.objectstore.disk.check import Check, size_of

    if parts.section(BackendFlags).s3_backend_url:
        raise CommandFailed("buckets and objects are where s3_backend_url says, and not on a disk")
    path = parts.section(S3Flags).buckets_path
    if not os.path.isdir(path):
        raise CommandFailed(f"there is no directory {path}")
    _make_way()
    bar = Bar("checking", size_of(path), patience=UNTOLD)
    looking = Check(path, bar.show)
    damaged = left = 0
    try:
        for finding in looking.run():
            bar.end()
            damaged += finding.damage
            left += not finding.damage
            print(_line(finding), flush=True)
    finally:
        bar.end()
    seen = looking.counts
    print(
        f"{seen.buckets} buckets, {seen.objects} objects, {seen.uploads} uploads, "
        f"{seen.read} bytes read: {damaged} damaged, {left} left over"
    )
    if damaged:
        raise CommandFailed(f"{damaged} damaged")


def _line(finding: Finding) -> str:
    kind = "damaged" if finding.damage else "left over"
    where = "".join(x if x.isprintable() else ascii(x)[1:-1] for x in finding.where)
    return f"{kind}: {where}: {finding.what}"


def _make_way() -> None:
    """Let others go first, at the processor and at the disk."""
    os.nice(19)
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        call: Callable[..., int] = ctypes.CDLL(None).syscall
        call(number, _OF_THIS_PROCESS, 0, _IDLE)
