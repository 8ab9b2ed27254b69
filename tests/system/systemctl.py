#!/usr/bin/env python3
"""
What docs/install.md asks of systemctl, where no systemd runs: a unit's ExecStart as its user.

Takes from a unit what decides with which rights its daemon runs: user, groups,
capabilities, NoNewPrivileges, umask.  A setting that is not known here is an error, for it
may be such a one, too.  The daemons' output goes to C{$UNIT_LOGS/UNIT.log}.
"""

import os
import subprocess
import sys
from pathlib import Path

UNITS = Path("/etc/systemd/system")

#: What is done here as systemd does it.
DONE = {
    *("User", "Group", "SupplementaryGroups", "UMask", "EnvironmentFile", "ExecStart"),
    *("AmbientCapabilities", "CapabilityBoundingSet", "NoNewPrivileges"),
}
#: What gives a daemon no right that it needs: when it is started, again, and ended, and what it
#: does not see.
LEFT = {
    *("Description", "After", "Wants", "WantedBy", "Type", "ExecReload", "KillMode"),
    *("TimeoutStopSec", "Restart", "RestartSec", "LimitNOFILE", "ProtectHome", "PrivateTmp"),
}


def read(unit: str, directory: Path = UNITS) -> dict[str, str]:
    """
    The settings of a unit, of all its sections.

    @raise SystemExit: one is not known here, or is there twice.
    """
    lines = (directory / f"{unit}.service").read_text(encoding="utf-8").splitlines()
    settings: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(("#", ";", "[")):
            name, _, value = line.partition("=")
            if name in settings or name not in DONE | LEFT:
                raise SystemExit(f"{unit}.service: nothing here does {line!r}")
            settings[name] = value
    return settings


def command(unit: dict[str, str]) -> list[str]:
    """The command that gives a program what systemd would give it, and the program."""
    capabilities = unit.get("AmbientCapabilities", "").lower().replace("cap_", "+").split()
    bounding = unit.get("CapabilityBoundingSet", "").lower().replace("cap_", "+").split()
    return [
        "setpriv",
        f"--reuid={unit['User']}",
        f"--regid={unit['Group']}",
        *(
            [f"--groups={unit['SupplementaryGroups']}"]
            if "SupplementaryGroups" in unit
            else ["--init-groups"]
        ),
        f"--inh-caps={','.join(['-all', *capabilities])}",
        f"--ambient-caps={','.join(['-all', *capabilities])}",
        *([f"--bounding-set={','.join(['-all', *bounding])}"] if bounding else []),
        *(["--no-new-privs"] if unit.get("NoNewPrivileges") == "yes" else []),
        "--",
        *("env", "-i", f"PATH={os.defpath}:/usr/sbin:/sbin", f"LOGNAME={unit['User']}"),
        *("sh", "-c", f"umask {unit['UMask']}; {_environment(unit)}exec {unit['ExecStart']}"),
    ]


def _environment(unit: dict[str, str]) -> str:
    """What reads the file of its variables, if there is one."""
    path = unit.get("EnvironmentFile", "").removeprefix("-")
    return f"[ ! -e {path} ] || . {path}; " if path else ""


def start(name: str) -> None:
    """Start a unit that has been installed."""
    with open(Path(os.environ["UNIT_LOGS"], f"{name}.log"), "wb") as log:
        subprocess.Popen(
            command(read(name)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
        )


def main(action: str, *words: str) -> None:
    """The three calls of the page."""
    if (action, *words) == ("restart", "postgresql"):
        [cluster] = Path("/etc/postgresql").iterdir()
        subprocess.run(["pg_ctlcluster", cluster.name, "main", "restart"], check=True)
    elif (action, *words[:1]) == ("enable", "--now"):
        for name in words[1:]:
            # what a timer starts is tried at once, and has to end well
            if name.endswith(".timer"):
                subprocess.run(command(read(name.removesuffix(".timer"))), check=True, cwd="/")
            else:
                start(name)
    elif action != "daemon-reload":
        raise SystemExit(f"the page asks for {' '.join((action, *words))}: nothing here does that")


if __name__ == "__main__":
    main(*sys.argv[1:])
