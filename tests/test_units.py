"""The units of etc/systemd: alike, but for what each daemon is and may do."""

from __future__ import annotations

from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[1] / "etc" / "systemd"
DAEMONS = ("api", "compute", "network", "objectstore", "scheduler")
#: What is a daemon's own: its rights, and whether what it started outlives it.
OWN = ("Description", "SupplementaryGroups", "Ambient", "CapabilityBoundingSet", "KillMode")


def lines(daemon: str) -> list[str]:
    """A unit's lines, without comments."""
    text = (UNITS / f"nova-{daemon}.service").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def shared(daemon: str) -> list[str]:
    """What is as in every other unit."""
    return [
        line.replace(f"nova-{daemon}", "nova-x").removesuffix(" libvirtd.service")
        for line in lines(daemon)
        if not line.startswith(OWN)
    ]


def test_all_are_there() -> None:
    """Each daemon has a unit, but for the one that is all of them."""
    names = {path.name for path in UNITS.glob("*.service")} - {"nova-certificates.service"}
    assert names == {f"nova-{daemon}.service" for daemon in DAEMONS}


@pytest.mark.parametrize("daemon", DAEMONS)
def test_alike(daemon: str) -> None:
    """What one unit has of limits, restarts and the end, all have."""
    assert shared(daemon) == shared("scheduler")


@pytest.mark.parametrize("daemon", DAEMONS)
def test_no_more_rights(daemon: str) -> None:
    """Who is given capabilities can have no others, and only who touches the host is given any."""
    rights = dict(line.split("=", 1) for line in lines(daemon) if "Capabilit" in line)
    assert rights.get("AmbientCapabilities") == rights.get("CapabilityBoundingSet")
    assert bool(rights) == (daemon in ("compute", "network"))


def test_told_first() -> None:
    """A daemon is told to end before the programs that it runs, which are not to fail under it."""
    modes = {
        daemon: line.removeprefix("KillMode=")
        for daemon in DAEMONS
        for line in lines(daemon)
        if line.startswith("KillMode=")
    }
    # DHCP servers go on, and the scheduler runs nothing
    assert modes == {
        "api": "mixed",
        "compute": "mixed",
        "network": "process",
        "objectstore": "mixed",
    }
