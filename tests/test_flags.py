"""Every flag is Nova's, or differs for a reason."""

from __future__ import annotations

import ast
import dataclasses
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from nova_tx import unbuilt
from nova_tx.flag_fields import Entry, entries
from nova_tx.flags import Flags, NodeFlags, sections
from nova_tx.sections import daemons

ENTRIES = {entry.name: entry for section in sections() for entry in entries(section)}
KINDS = {"string": str, "int": int, "bool": bool, "float": float, "list": tuple}

#: Where we differ from Nova, and why.
CHANGED: dict[str, tuple[type, Any, str]] = {
    "sql_idle_timeout": (int, 3600, "as text it never had an effect"),
    "network_manager": (str, "nova.network.manager.FlatDHCPManager", "the others are not there"),
    "num_networks": (int, 1, "as in the next release; 1000 take minutes to make"),
    "libvirt_xml_template": (
        str,
        "",
        "descriptions are made by code, unless one is given",
    ),
    "network_host": (str, "", "whoever carries a network is asked, on whatever host it is"),
    "flat_network_dhcp_start": (str, "", "by default it follows the network's own range"),
}


def nova() -> dict[str, tuple[type, str]]:
    """Nova's flags: type, and default as text."""
    lines = Path(__file__).with_name("nova_2011_1_flags.txt").read_text().splitlines()
    rows = [line.split("|", 2) for line in lines if not line.startswith("#")]
    return {name: (KINDS[kind], default) for name, kind, default in rows}


def as_text(entry: Entry) -> str:
    """A default as Nova's table has it."""
    if entry.kind is tuple:
        return ",".join(entry.default)
    return str(entry.default).lower() if entry.kind is bool else str(entry.default)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_meaning(name: str) -> None:
    """Each flag says what it is for, and one found on the machine says what it is there."""
    entry = ENTRIES[name]
    assert entry.kind in KINDS.values()
    assert entry.meaning and not entry.meaning.endswith(".")
    field = next(f for s in sections() for f in dataclasses.fields(s) if f.name == name)
    assert (field.default_factory is dataclasses.MISSING) == (entry.show is None)


@pytest.mark.parametrize("name", sorted(ENTRIES.keys() & nova().keys()))
def test_as_in_nova(name: str) -> None:
    """A flag with Nova's name has Nova's type and default, or a reason why not."""
    entry = ENTRIES[name]
    kind, default = nova()[name]
    if name in CHANGED:
        ours_kind, ours, why = CHANGED[name]
        assert (entry.kind, entry.default) == (ours_kind, ours) and why
        assert (kind, default) != (ours_kind, as_text(entry)), "it does not differ"
    elif default == "*":
        assert entry.kind is kind and entry.show
    else:
        assert (entry.kind, as_text(entry)) == (kind, default)


@pytest.mark.parametrize("name", sorted(nova()))
def test_none_is_forgotten(name: str) -> None:
    """Each flag of Nova has an effect, or waits for its room, or has a reason why it has none."""
    waits = [each for each, found in unbuilt.ROOMS.items() if name in found]
    places = [*(["built"] if name in ENTRIES else []), *waits]
    places += ["settled"] if name in unbuilt.SETTLED else []
    assert len(places) == 1, places


UNREAD = {each.name: each.entry() for each in unbuilt.unread()}


@pytest.mark.parametrize("name", sorted(UNREAD.keys() & nova().keys()))
def test_without_effect_but_as_in_nova(name: str) -> None:
    """A flag without effect is parsed by Nova's type, and at Nova's default nothing is said."""
    entry, (kind, default) = UNREAD[name], nova()[name]
    assert entry.kind is kind
    assert as_text(entry) == ("" if default == "*" else default)


def test_what_is_not_novas_has_its_source() -> None:
    """A flag that waits and is not of 2011.1 is one of the next release, for live migration."""
    others = UNREAD.keys() - nova().keys()
    assert others == {"cpuinfo_xml_template"} | {
        f"live_migration_{each}" for each in ("bandwidth", "flag", "retry_count", "uri")
    }


def attributes() -> set[str]:
    """Every name that the program reads from something, but for where flags are defined."""
    defined = Path(daemons.__file__).parent
    places = [each for each in defined.parent.rglob("*.py") if each.parent != defined]
    trees = [ast.parse(each.read_text(encoding="utf-8")) for each in places]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    # getattr(flags, f"quota_{key}"): all that begin so
    begun = {
        node.args[1].values[0].value
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "getattr"
        and isinstance(node.args[1], ast.JoinedStr)
        and isinstance(node.args[1].values[0], ast.Constant)
    }
    return names | {each for each in ENTRIES if each.startswith(tuple(map(str, begun)))}


def test_none_is_parsed_and_ignored() -> None:
    """Each flag is read somewhere, if only by another's default."""
    defaults = " ".join(as_text(each) for each in ENTRIES.values())
    of_others = set(re.findall(r"\$(\w+)", defaults))
    assert ENTRIES.keys() - attributes() - of_others == set()


def test_changes_exist() -> None:
    """The list of changes names flags that there are."""
    assert CHANGED.keys() <= ENTRIES.keys() & nova().keys()


def test_once() -> None:
    """A flag is in one section only."""
    names = [entry.name for section in sections() for entry in entries(section)]
    assert len(names) == len(set(names))


def test_found_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host is this machine's name; without a route to the outside my_ip is 127.0.0.1."""
    assert Flags.load([], [NodeFlags]).section(NodeFlags).host == socket.gethostname()

    def no_route(*_: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(daemons.socket, "socket", no_route)
    assert Flags.load([], [NodeFlags]).section(NodeFlags).my_ip == "127.0.0.1"
