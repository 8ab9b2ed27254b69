"""
C{benchmarks/run [--quick] [--without PEER] [SUBJECT ...]}: measure, and print each figure beside
its baseline.

A subject is a module of this directory with a function C{figures(quick)}; one that has several
peers takes C{without} as well: the names of those that are left out.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import pkgutil
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.figures import Figure
from nova_tx.local.terminal import end_cleanly

Subject = Callable[..., Iterator[Figure]]

#: Subjects that run first, in this order.
_ORDER = ("rpc", "describe", "workers", "launches", "s3", "guest", "idle")


def subjects() -> dict[str, Subject]:
    """Every subject, by name."""
    found = {}
    for each in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if each.name != "main":
            module = importlib.import_module(f"benchmarks.{each.name}")
            if hasattr(module, "figures"):
                found[each.name] = module.figures
    known = [name for name in _ORDER if name in found]
    return {name: found[name] for name in (*known, *sorted(found.keys() - set(known)))}


def main() -> int:
    """Run what the command line names, all by default."""
    end_cleanly()
    there = subjects()
    parser = argparse.ArgumentParser(prog="benchmarks/run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke of each: seconds, no figures")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="PEER",
        help="leave a peer out, of the subjects that have several (s3: nginx, moto, s3rver)",
    )
    parser.add_argument("subject", nargs="*", help=f"of {', '.join(there)}; all by default")
    wanted = parser.parse_args()
    unknown = set(wanted.subject) - there.keys()
    if unknown:
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before, "
        f"Python {platform.python_version()}, {time.strftime('%Y-%m-%d %H:%M')}",
        flush=True,
    )
    for name in wanted.subject or there:
        print(f"\n{name}", flush=True)
        several = "without" in inspect.signature(there[name]).parameters
        more = {"without": wanted.without} if several else {}
        for figure in there[name](wanted.quick, **more):
            print(f"  {figure.line()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
