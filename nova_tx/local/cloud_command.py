"""
C{scripts/cloud up|status|down}: the command line of L{nova_tx.local.cloud}.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from nova_tx import installed
from nova_tx.local import plan as plans
from nova_tx.local import probe
from nova_tx.local.cloud import Cloud
from nova_tx.local.plan import Plan
from nova_tx.local.terminal import LocalError, end_cleanly, say

_KEPT = ("PATH", "XDG_CACHE_HOME", "PYTHONPATH")


def add_choices(parser: argparse.ArgumentParser) -> None:
    """What kind of cloud: the options of C{cloud up} and of the demonstration."""
    parser.add_argument(
        "--bus", choices=plans.BUSES, default="memory", help="memory: one process; default"
    )
    parser.add_argument(
        "--virt", choices=plans.VIRTS, help="default: kvm if a guest runs on it, else qemu"
    )
    parser.add_argument("--db", default="", metavar="URL", help="default: SQLite in DIR")
    parser.add_argument("--port-base", type=int, default=0, metavar="N", help="added to every port")


def planned(directory: Path, chosen: argparse.Namespace) -> Plan:
    """The plan that the options make; the network of an earlier one in C{directory} stays."""
    earlier = Cloud(directory).plan
    virt = chosen.virt or probe.choose_virt(say)
    cidr = earlier.cidr if earlier else plans.choose_network(chosen.port_base, probe.routes())
    return Plan(str(directory.absolute()), chosen.bus, virt, chosen.db, chosen.port_base, cidr)


def become_root(module: str, argv: Sequence[str]) -> None:
    """
    Start again by sudo unless we are root: bridges and guests' devices need it.

    @raise LocalError: there is no sudo.
    """
    if os.geteuid() == 0:
        return
    if shutil.which("sudo") is None:
        raise LocalError("Real guests need root (for bridges): run this as root, or --virt fake.")
    say("real guests need root, for bridges: asking sudo")
    kept = [f"{name}={os.environ[name]}" for name in _KEPT if name in os.environ]
    python = [sys.executable, "-m", module, *argv]
    os.chdir(installed.base())
    os.execvp("sudo", ["sudo", "env", *kept, *python])


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="cloud", description="a whole cloud on this machine")
    actions = parser.add_subparsers(dest="action", required=True)
    up = actions.add_parser("up", help="start it; writes DIR/nova.conf and DIR/novarc")
    status = actions.add_parser("status", help="one line per part; status 1 unless all run")
    down = actions.add_parser("down", help="end it, with its guests")
    for action in (up, status, down):
        action.add_argument("--dir", required=True, type=Path, help="all of it is in there")
    add_choices(up)
    down.add_argument("--purge", action="store_true", help="remove DIR as well")
    chosen = parser.parse_args(argv)
    directory = chosen.dir.absolute()
    words = [w if w != str(chosen.dir) else str(directory) for w in argv]
    cloud = Cloud(directory)
    try:
        if chosen.action == "up":
            plan = planned(directory, chosen)
            if plan.real:
                become_root(_MODULE, words)
            end_cleanly()
            cloud.up(plan)
            say(f"the cloud is up; clients: . {cloud.novarc}")
        elif chosen.action == "down":
            if cloud.plan is not None and cloud.plan.real:
                become_root(_MODULE, words)
            cloud.down()
            if chosen.purge:
                cloud.purge()
        else:
            print("\n".join(cloud.status()))
            return 0 if cloud.runs() else 1
    except LocalError as reason:
        say(f"cloud {chosen.action}: {reason}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


_MODULE = "nova_tx.local.cloud_command"

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
