"""
What must agree in a cloud at rest: rows, guests, directories, addresses, images, objects.

L{faults} is a function of a transaction.  A coroutine asks C{await
database.read(faults, scene)}; a script, with an SQLAlchemy engine, C{with
engine.connect() as txn: faults(txn, scene)}.  It changes nothing.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from nova_tx import states
from nova_tx.compute.guest import Places
from nova_tx.compute.imaging import COPIES
from nova_tx.db import images as image_rows
from nova_tx.db.schema import fixed_ips, images, instances
from nova_tx.objectstore.disk.files import read_kept
from nova_tx.states import Power

#: States in which a guest runs.
_UP = frozenset({states.RUNNING, states.RESCUED})
#: States in which an instance rests with a directory and an address, and with neither.
HOLDING = frozenset({states.RUNNING, states.SHUTDOWN, states.RESCUED})
LEAVING_NOTHING = frozenset({states.ERROR, states.TERMINATED})
SETTLED = HOLDING | LEAVING_NOTHING
_IMAGE_SETTLED = (image_rows.AVAILABLE, image_rows.FAILED)


@dataclass(frozen=True)
class Scene:
    """
    Where a cloud keeps what is not in its database; None leaves it out.

    @ivar guests: what the hypervisor has; None reads the files of fake guests.
    @ivar template: C{instance_name_template}.
    """

    instances_path: Path | None = None
    images_path: Path | None = None
    buckets_path: Path | None = None
    networks_path: Path | None = None
    guests: Mapping[str, Power] | None = None
    template: str = "instance-%08x"

    @classmethod
    def of(cls, state_path: str | os.PathLike[str], **others: Any) -> Scene:
        """The scene of a cloud whose flags leave every path below C{state_path}."""
        at = Path(state_path)
        return cls(at / "instances", at / "images", at / "buckets", at / "networks", **others)


def faults(txn: Connection, scene: Scene) -> list[str]:
    """What does not agree, a sentence each; empty: the cloud is at rest, and sound."""
    rows = txn.execute(select(instances).order_by(instances.c.id)).all()
    addresses = txn.execute(select(fixed_ips).order_by(fixed_ips.c.id)).all()
    registry = txn.execute(select(images).where(images.c.deleted.is_(False))).all()
    found = [*_rows(rows), *_addresses(rows, addresses)]
    if scene.instances_path is not None:
        found += _guests(rows, scene, scene.instances_path)
        found += _cache(registry, scene.instances_path / "_base")
    if scene.images_path is not None:
        found += _images(registry, scene.images_path)
    if scene.buckets_path is not None:
        found += _objects(scene.buckets_path)
    if scene.networks_path is not None:
        found += _dhcp(rows, addresses, scene.networks_path)
    return found


def _rows(rows: Iterable[Row[Any]]) -> Iterator[str]:
    for row in rows:
        state, who = row.state_description, f"instance {row.id}"
        if state not in SETTLED:
            yield f"{who} is {state}, on {row.host}"
            continue
        if row.deleted != (state == states.TERMINATED):
            yield f"{who} is {state}, and {'deleted' if row.deleted else 'not deleted'}"
        if row.state != states.POWER[state]:
            yield f"{who} is {state}, and its power state is {row.state}"
        if state in HOLDING and not row.host:
            yield f"{who} is {state}, and has no host"
        if state == states.ERROR and not row.reason:
            yield f"{who} is in error, and nobody says why"
        if state == states.TERMINATED and row.terminated_at is None:
            yield f"{who} is terminated, and nobody says since when"


def _addresses(rows: Iterable[Row[Any]], addresses: Iterable[Row[Any]]) -> Iterator[str]:
    state = {row.id: row.state_description for row in rows}
    held: Counter[int] = Counter()
    for each in addresses:
        what = f"address {each.address}"
        if each.instance_id is None:
            if each.allocated or each.leased:
                yield f"{what} is taken, and nobody has it"
            continue
        its = f"of instance {each.instance_id}, which is {state.get(each.instance_id)}"
        if each.reserved:
            yield f"{what} {its} is reserved"
        if each.allocated:
            held[each.instance_id] += 1
            if state.get(each.instance_id, states.TERMINATED) in LEAVING_NOTHING:
                yield f"{what} {its} was not given back"
        elif not each.leased:
            yield f"{what} {its} was given back, and is not free"
    for instance_id, its_state in state.items():
        if its_state in HOLDING and held[instance_id] != 1:
            yield f"instance {instance_id} is {its_state} with {held[instance_id]} addresses"


def _guests(rows: Iterable[Row[Any]], scene: Scene, path: Path) -> Iterator[str]:
    places = Places(scene.template, str(path))
    directories = {each.name for each in _inside(path)} - {"_base", COPIES}
    yield from (f"there is {left} left over" for left in _inside(path / COPIES))
    guests = fake_guests(path) if scene.guests is None else scene.guests
    known = {places.name(row.id): row.state_description for row in rows}
    for name, state in known.items():
        runs = guests.get(name) not in (None, Power.SHUTOFF, Power.CRASHED)
        if state in _UP and not runs:
            yield f"{name} is {state}, and its guest does not run"
        if runs and state in SETTLED - _UP:
            yield f"{name} is {state}, and its guest runs"
        if state in HOLDING and name not in directories:
            yield f"{name} is {state}, and has no directory"
    for name in sorted(directories):
        if known.get(name, states.TERMINATED) in LEAVING_NOTHING:
            yield f"there is {path / name}, and its instance is {known.get(name)}"
        else:
            yield from _leftovers(path / name)
        rescued = (path / name / "disk.rescue").exists()
        if known.get(name) == states.RUNNING and rescued:
            yield f"{name} is running, and there is a disk of its rescue"
        if known.get(name) == states.RESCUED and not rescued:
            yield f"{name} is rescued, and has no disk for that"
    for name in sorted(set(guests) - set(known)):
        if places.instance_id(name) is not None:
            yield f"there is a guest {name}, and no instance"


def fake_guests(path: Path) -> dict[str, Power]:
    """The guests of the fake driver."""
    found = {}
    for file in path.glob("*/guest.json"):
        found[file.parent.name] = Power(json.loads(file.read_text())["power"])
    return found


def _cache(registry: Iterable[Row[Any]], path: Path) -> Iterator[str]:
    sizes = {row.id: row.size for row in registry}
    for file in _inside(path):
        size = sizes.get(file.name)
        if size is not None and file.stat().st_size != size:
            yield f"{file} has {file.stat().st_size} bytes, its image has {size}"
    yield from _leftovers(path)


def _images(registry: Iterable[Row[Any]], path: Path) -> Iterator[str]:
    known = {row.id: row for row in registry}
    for row in known.values():
        file = path / row.id / "image"
        if row.state not in _IMAGE_SETTLED:
            yield f"image {row.id} is {row.state}"
        elif row.state == image_rows.FAILED and not row.state_reason:
            yield f"image {row.id} failed, and nobody says why"
        elif row.state == image_rows.AVAILABLE and not file.is_file():
            yield f"image {row.id} is available, and has no file"
        elif row.state == image_rows.AVAILABLE and file.stat().st_size != row.size:
            yield f"{file} has {file.stat().st_size} bytes, not {row.size}"
    for each in _inside(path):
        if each.name == ".new":
            yield from (f"there is {left} left over" for left in _inside(each))
        elif each.name not in known or known[each.name].state == image_rows.FAILED:
            yield f"there is {each}, and no image {each.name} to boot from"
        elif [inside.name for inside in _inside(each)] != ["image"]:
            yield f"there is more in {each} than an image"


def _objects(path: Path) -> Iterator[str]:
    for bucket in _inside(path):
        if bucket.name == ".new":
            yield from (f"there is {left} left over" for left in _inside(bucket))
            continue
        if not (bucket / "bucket.json").is_file():
            yield f"{bucket} is no bucket"
        for upload in sorted((bucket / "uploads").rglob("upload.json")):
            if not (upload.parent / "data").is_file():
                yield f"there is {upload.parent} left over"
        for file in sorted((bucket / "objects").rglob("*")):
            if file.is_file():
                try:
                    with open(file, "rb") as opened:
                        read_kept(opened)
                except ValueError as error:
                    yield f"{file} is no object: {error}"


def _dhcp(rows: Iterable[Row[Any]], addresses: Iterable[Row[Any]], path: Path) -> Iterator[str]:
    macs = {row.id: row.mac_address for row in rows}
    wanted = {
        f"{macs.get(each.instance_id)} {each.address}" for each in addresses if each.allocated
    }
    files = sorted(path.glob("nova-*.conf")) if path.is_dir() else []
    told = set()
    for file in files:
        for line in file.read_text().splitlines():
            words = line.split(",")
            told.add(f"{words[0]} {words[-1]}")
    if files and told != wanted:
        yield f"the DHCP servers know {sorted(told)}, not {sorted(wanted)}"
    yield from _leftovers(path)


def _leftovers(directory: Path) -> Iterator[str]:
    for each in _inside(directory):
        if each.name.endswith(("+part", ".new")):
            yield f"there is {each} left over"


def _inside(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []
