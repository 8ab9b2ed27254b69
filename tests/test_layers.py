"""
Who may import whom.

A room is a package or module of nova_tx; a module belongs to the room with the
longest name that it starts with.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import nova_tx

GROUND = (
    "access_log",
    "bar",
    "block_devices",
    "cancelling",
    "context",
    "disk",
    "errors",
    "flag_fields",
    "flag_help",
    "flagfile",
    "flags",
    "gate",
    "ids",
    "log",
    "metrics",
    "model",
    "installed",
    "once",
    "ownership",
    "paced",
    "pem",
    "periodic",
    "process",
    "recent",
    "registry",
    "request_target",
    "sections",
    "remote",
    "states",
    "threads",
    "unbuilt",
)
CLIENTS = ("compute.client", "network.client", "scheduler.client")

#: What a room may import beside itself and the ground.
ALLOWED: dict[str, tuple[str, ...]] = {
    # the ground: imports nothing above
    **{room: () for room in GROUND},
    # seams: promises, in terms of the ground
    "rpc.interfaces": (),
    "virt.interfaces": (),
    "network.fabric.interfaces": (),
    "image.interfaces": (),
    "auth.interfaces": (),
    # hands: touch the host, know nothing of rows or messages
    "virt": ("virt.interfaces",),
    "network.fabric": ("network.fabric.interfaces",),
    "rpc": ("rpc.interfaces",),
    # rows and facts
    "db": (),
    "auth": ("auth.interfaces", "db"),
    "image": ("image.interfaces", "auth", "auth.interfaces", "db"),
    "network.managers": ("db", "network.fabric.interfaces"),
    "scheduler.policies": (),
    "worker": ("rpc.interfaces",),
    # what monitoring asks: figures and health, of whatever parts it is given
    "monitor": (),
    **{room: ("rpc.interfaces",) for room in CLIENTS},
    # workers: hands by their promises, each other by client
    "compute": (
        "db",
        "virt.interfaces",
        "image.interfaces",
        "network.fabric.interfaces",  # to have the guest's bridge on this host
        *CLIENTS,
    ),
    "network": ("db", "network.fabric.interfaces", "network.managers", *CLIENTS),
    "scheduler": ("db", "scheduler.policies", *CLIENTS),
    # rules
    "operations": ("db", "auth", "auth.interfaces", "image.interfaces", *CLIENTS),
    # doors
    "api": ("operations", "auth", "auth.interfaces"),
    # the objectstore is the registry of images: it keeps their rows, reads their bundles
    "objectstore": ("operations", "auth", "auth.interfaces", "db", "image", "image.interfaces"),
    # also what the objectstore keeps, and what flags name, to be checked
    "manage": (
        *("operations", "objectstore", "auth", "auth.interfaces", "db", *CLIENTS),
        *("image", "rpc", "virt"),
    ),
}
#: They put the rest together: may import everything, and only they import them.
COMPOSE = ("local", "taps", "testing")

#: What only some rooms may import of others' packages.
FOREIGN: dict[str, tuple[str, ...]] = {
    "alembic": ("db",),
    "boto": ("local", "testing"),
    "ldap": ("auth", "testing"),
    "libvirt": ("virt",),
    "prometheus_client": ("monitor",),
    "pytest": ("testing",),
    "sqlalchemy": ("db", "testing", *(each for each in ALLOWED if "db" in ALLOWED[each])),
    "txamqp": ("rpc",),
}

PACKAGE = Path(nova_tx.__file__).parent
ROOMS = (*ALLOWED, *COMPOSE)


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module by its name below nova_tx, read."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        name = name.removesuffix("__init__").rstrip(".")
        if name:
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Every name that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room(name: str) -> str | None:
    """The room of a module, or of a name in it."""
    found = [each for each in ROOMS if f"{name}.".startswith(f"{each}.")]
    return max(found, key=len, default=None)


def offences(name: str, tree: ast.Module) -> list[str]:
    """What a module imports and may not."""
    here = room(name)
    if here in COMPOSE:
        return []
    may = {here, *GROUND, *ALLOWED[here or ""]}
    found = []
    for full in imported(tree):
        first, _, rest = full.partition(".")
        if first == "nova_tx" and room(rest) not in may:
            found.append(f"{name} imports {full}")
        if first in FOREIGN and here not in FOREIGN[first]:
            found.append(f"{name} imports {full}")
    return found


def test_every_module_has_a_room() -> None:
    """A new package gets its place in the table before anything else."""
    packages = {path.parent for path in PACKAGE.rglob("*/__init__.py")}
    roomless = [
        name
        for name, _ in modules()
        if room(name) is None and PACKAGE.joinpath(*name.split(".")) not in packages
    ]
    assert roomless == []


def test_doors_lead_downhill() -> None:
    """No module imports what its room may not."""
    assert [each for name, tree in modules() for each in offences(name, tree)] == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("virt.fake", "from nova_tx.db import instances"),
        ("virt.fake", "from nova_tx import db"),
        ("errors", "import nova_tx.model, nova_tx.api.web"),
        ("compute.worker", "from nova_tx.network.worker import NetworkWorker"),
        ("compute.worker", "from nova_tx.virt.fake import FakeDriver"),
        ("compute.client", "from nova_tx.compute.worker import ComputeWorker"),
        ("compute.client", "def f():\n    from nova_tx.rpc.memory import MemoryBus"),
        ("api.ec2.resource", "from nova_tx.testing.database import memory_database"),
        ("virt.fake", "from sqlalchemy import select"),
        ("operations.images", "import boto.ec2"),
    ],
)
def test_offences_are_found(name: str, line: str) -> None:
    """Imports that the table forbids are seen, however they are written."""
    assert offences(name, ast.parse(line)) != []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("compute.worker", "from nova_tx.network.client import NetworkClient"),
        ("compute.worker", "from nova_tx.virt.interfaces import IVirtDriver"),
        ("network.managers.flat", "from nova_tx.db import addresses"),
        ("db.services", "import sqlalchemy"),
        ("local.cloud", "from nova_tx.manage.main import run"),
    ],
)
def test_allowed(name: str, line: str) -> None:
    """Imports that the table allows are let be."""
    assert offences(name, ast.parse(line)) == []
