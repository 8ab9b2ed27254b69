"""
nova-manage on a cloud of 10,000 users, 1,000 projects and 1,000 networks of 256 addresses.

Each command is a process of its own, from its start to its end, its output thrown away; what
Python takes to start is beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, create_engine, insert

from benchmarks.figures import Figure, median
from nova_tx import installed
from nova_tx.db.engine import now
from nova_tx.db.schema import projects, user_project_association, users

_MAIN = "import sys; from nova_tx.manage.main import main; sys.exit(main(sys.argv))"
#: Users of a project.
_MEMBERS = 10

_COMMANDS = (
    *("user list", "user exports u5000", "user list --json", "project list", "project list --json"),
    *("project quota p500", "role has u5000 netadmin p500", "fixed list", "fixed list --json"),
    *("network list", "network list --json", "floating list", "vpn list", "vm list"),
    *("service list", "instance_type list", "db version", "status"),
)


def figures(quick: bool) -> Iterator[Figure]:
    """Seconds of each command."""
    scale = 100 if quick else 1
    with tempfile.TemporaryDirectory(prefix="manage-") as name:
        directory = Path(name)
        (directory / "nova.conf").write_text(f"--state_path={directory}\n--my_ip=127.0.0.1\n")
        _run(directory, "db sync")
        began = time.monotonic()
        networks = 1000 // scale
        _run(directory, f"network create 10.0.0.0/8 {networks} 256")
        took = time.monotonic() - began
        yield Figure(f"network create of {networks:,} of 256", took, "s", "≤ 20")
        engine = create_engine(f"sqlite:///{directory}/nova.sqlite")
        with engine.begin() as txn:
            _fill(txn, 10_000 // scale, 1000 // scale)
        engine.dispose()
        plain = median(_python() for _ in range(1 if quick else 5))
        for command in _COMMANDS:
            command = command.replace("u5000", "u50").replace("p500", "p5") if quick else command
            took = median(_run(directory, command) for _ in range(1 if quick else 5))
            yield Figure(command, took, "s", "≤ 2", [("python3 -c pass", plain)])


def _run(directory: Path, words: str) -> float:
    """Seconds of a command."""
    argv = [sys.executable, "-c", _MAIN, f"--flagfile={directory}/nova.conf", *words.split()]
    began = time.monotonic()
    subprocess.run(
        argv,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": installed.base()},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.monotonic() - began


def _python() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.monotonic() - began


def _fill(txn: Connection, people: int, groups: int) -> None:
    """Users, projects of theirs, and memberships."""
    same = {"created_at": now(), "deleted": False}
    names = [f"u{number}" for number in range(people)]
    txn.execute(
        insert(users),
        [{"id": n, "access_key": n, "secret_key": n, "is_admin": False, **same} for n in names],
    )
    managed = [(f"p{number}", names[number * people // groups]) for number in range(groups)]
    txn.execute(
        insert(projects),
        [{"id": p, "name": p, "description": p, "project_manager": u, **same} for p, u in managed],
    )
    txn.execute(
        insert(user_project_association),
        [
            {"user_id": names[(number + more) % people], "project_id": f"p{number}", **same}
            for number in range(groups)
            for more in range(min(_MEMBERS, people))
        ],
    )
