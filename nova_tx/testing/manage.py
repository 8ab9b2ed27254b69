"""nova-manage as it is called by tests: words in, text and exit status out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import create_engine, insert

from nova_tx.db.engine import now
from nova_tx.db.schema import instances


@dataclass(frozen=True)
class Told:
    """What a command said."""

    code: int
    out: str
    err: str


Manage = Callable[..., Told]


def write(tmp_path: Path, *statements: object) -> None:
    """Change rows past all programs."""
    engine = create_engine(f"sqlite:///{tmp_path}/nova.sqlite")
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]
    engine.dispose()


def add_instance(tmp_path: Path, **changed: object) -> None:
    """A row of a running instance of john's."""
    row = {
        "user_id": "john",
        "project_id": "john_project",
        "reservation_id": "r-1",
        "launch_index": 0,
        "image_id": "ami-1",
        "kernel_id": "aki-1",
        "state_description": "running",
        "instance_type": "m1.tiny",
        "memory_mb": 512,
        "vcpus": 1,
        "local_gb": 0,
        "hostname": "i-00000001",
        "host": "HostB",
        "mac_address": "02:16:3e:00:00:01",
        "launched_at": datetime(2011, 2, 15, 7, 28, 32, 999),
        "availability_zone": "nova",
        "display_name": "",
        "display_description": "",
        "locked": False,
        "created_at": now(),
        "deleted": False,
    }
    write(tmp_path, insert(instances).values({**row, **changed}))
