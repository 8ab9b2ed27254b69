"""Python with the cloud at hand.                                      [spec/10 section 5]"""

from __future__ import annotations

import code
import importlib
import runpy
from collections.abc import Callable, Mapping
from typing import Any

from nova_tx.errors import InvalidInput
from nova_tx.manage.parts import Parts

#: A database that is away is no reason to have no shell.
DATABASE = "none"

_BANNER = (
    "flags(Section): a section of nova_tx.flags;"
    " read(fn, ...), run(fn, ...): fn(txn, ...) of nova_tx.db in a transaction"
)


def bpython(parts: Parts) -> None:
    """Start bpython, or what there is of ipython and python."""
    _start(parts, "bpython", "ipython", "python")


def ipython(parts: Parts) -> None:
    """Start IPython, or python if it is not installed."""
    _start(parts, "ipython", "python")


def python(parts: Parts) -> None:
    """Start Python."""
    _start(parts, "python")


def run(parts: Parts, name: str = "bpython") -> None:
    """Start the shell of that name, by default bpython; the next simpler one if it is not there."""
    order = list(_SHELLS)
    if name not in order:
        raise InvalidInput(f"there is no shell {name!r}; there are: {', '.join(order)}")
    _start(parts, *order[order.index(name) :])


def script(parts: Parts, path: str) -> None:
    """Run a file of Python with the flags read and the same names as in a shell."""
    try:
        with open(path, encoding="utf-8"):
            pass
    except OSError as error:
        raise InvalidInput(f"can't read {path}: {error.strerror}") from None
    runpy.run_path(path, dict(_names(parts)), "__main__")


def _start(parts: Parts, *names: str) -> None:
    for name in names:
        try:
            _SHELLS[name](_names(parts))
            return
        except ImportError:
            continue


def _names(parts: Parts) -> Mapping[str, Any]:
    def transaction(fn: Callable[..., Any], *args: Any, write: bool) -> Any:
        engine = parts.database.engine.execution_options(nova_write=write)
        with engine.begin() as txn:
            return fn(txn, *args)

    def read(fn: Callable[..., Any], *args: Any) -> Any:
        return transaction(fn, *args, write=False)

    def run(fn: Callable[..., Any], *args: Any) -> Any:
        return transaction(fn, *args, write=True)

    nova_tx = importlib.import_module("nova_tx")
    return {"nova_tx": nova_tx, "flags": parts.section, "read": read, "run": run}


def _bpython(names: Mapping[str, Any]) -> None:
    importlib.import_module("bpython").embed(dict(names), banner=_BANNER)


def _ipython(names: Mapping[str, Any]) -> None:
    shell = importlib.import_module("IPython")
    shell.start_ipython(argv=["--banner", _BANNER], user_ns=dict(names))


def _python(names: Mapping[str, Any]) -> None:
    code.interact(_BANNER, local=dict(names), exitmsg="")


_SHELLS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "bpython": _bpython,
    "ipython": _ipython,
    "python": _python,
}
