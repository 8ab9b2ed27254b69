"""
The drivers a guest loads at start: which files they are, and in which order they load.
"""

from __future__ import annotations

import lzma
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from nova_tx.local.terminal import LocalError

_SUFFIX = re.compile(r"\.ko(\.xz|\.zst)?$")


def module_name(path: Path) -> str:
    """C{virtio-rng.ko.xz} is module C{virtio_rng}."""
    return _SUFFIX.sub("", path.name).replace("-", "_")


def read_module(path: Path) -> bytes:
    """The module itself, whatever its package compressed it with."""
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".zst":
        try:
            return subprocess.run(
                ["zstd", "-dcq", str(path)], check=True, capture_output=True
            ).stdout
        except FileNotFoundError:
            raise LocalError("This kernel's modules need the program zstd to unpack.") from None
    return path.read_bytes()


def needs(module: bytes) -> tuple[str, ...]:
    """Names of the modules that a module says it depends on."""
    found = re.search(rb"(?:^|\0)depends=([^\0]*)\0", module)
    names = found.group(1).decode() if found else ""
    return tuple(name.replace("-", "_") for name in names.split(",") if name)


def load_order(wanted: Iterable[str], depends: Mapping[str, tuple[str, ...]]) -> list[str]:
    """
    Names of the modules to load, each after those it depends on.

    @param depends: of each module that is a file; others are built in.
    """
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order or name not in depends:
            return
        for other in depends[name]:
            visit(other)
        order.append(name)

    for name in wanted:
        visit(name)
    return order


def gather(tree: Path, wanted: Iterable[str]) -> list[tuple[str, bytes]]:
    """
    Names and contents of the wanted modules below C{tree}, in their order to load.

    A name that has no file is left out: the kernel has it built in.
    """
    files = {module_name(path): path for path in tree.rglob("*.ko*") if _SUFFIX.search(path.name)}
    contents: dict[str, bytes] = {}
    queue = list(wanted)
    depends: dict[str, tuple[str, ...]] = {}
    for name in queue:
        if name in files and name not in depends:
            contents[name] = read_module(files[name])
            depends[name] = needs(contents[name])
            queue.extend(depends[name])
    return [(name, contents[name]) for name in load_order(queue, depends)]
