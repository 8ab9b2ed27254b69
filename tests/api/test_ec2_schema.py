"""Parameters by their declared type."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.faults import UnknownParameter
from nova_tx.errors import InvalidInput, MissingParameter, NovaError


@dataclass(frozen=True, kw_only=True)
class Wanted:
    name: str = schema.text("Name", required=True, longest=8)
    count: int | None = schema.integer("Count")
    force: bool | None = schema.boolean("Force")
    keys: tuple[str, ...] = schema.texts("Key", "Schluessel")
    zone: str | None = schema.text("Placement.Zone")
    sizes: tuple[int, ...] = schema.values("Size", of=len)


def extract(**given: str) -> Wanted:
    """With names whose underscores are dots."""
    return schema.extract(
        Wanted, ("Monitoring",), {name.replace("_", "."): value for name, value in given.items()}
    )


@pytest.mark.parametrize("name", ["0123", "1e3", "0x1f", "None", "True", "-0", "é ü"])
def test_names_are_text(name: str) -> None:
    """A name is what was sent, whatever it looks like.  [C1]"""
    assert extract(Name=name).name == name


def test_lists_by_number() -> None:
    """A list is in order of its numbers, with holes or not, and one may come without.  [C2]"""
    given = {f"Key_{number}": str(number) for number in (10, 2, 1, 30)}
    assert extract(Name="n", **given).keys == ("1", "2", "10", "30")
    assert extract(Name="n", Key="alone").keys == ("alone",)
    assert extract(Name="n", Key_1="a", Schluessel_1="b").keys == ("a", "b")
    assert extract(Name="n", Size_1="four").sizes == (4,)


def test_absent_and_empty() -> None:
    """What is not there, or empty, is None; an empty list has no members."""
    empty = Wanted(name="n", count=None, force=None, keys=(), zone=None, sizes=())
    assert extract(Name="n") == empty
    assert extract(Name="n", Count="", Key_1="", Placement_Zone="") == empty


def test_types() -> None:
    """Numbers and truths are what they say."""
    found = extract(Name="n", Count="-7", Force="TRUE", Placement_Zone="nova")
    assert (found.count, found.force, found.zone) == (-7, True, "nova")


def test_ignored() -> None:
    """What is declared as ignored may come with anything below it."""
    extract(Name="n", Monitoring="x", Monitoring_Enabled="true", Monitoring_1_A="b")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, MissingParameter),
        ({"Name": ""}, MissingParameter),
        ({"Name": "n", "Count": "1.5"}, InvalidInput),
        ({"Name": "n", "Count": "one"}, InvalidInput),
        ({"Name": "n", "Count": "99999999999999999999"}, InvalidInput),
        ({"Name": "n", "Count": "\u0663"}, InvalidInput),
        ({"Name": "n", "Force": "maybe"}, InvalidInput),
        ({"Name": "123456789"}, InvalidInput),
        ({"Name": "a\x00b"}, InvalidInput),
        ({"Name": "a\nb"}, InvalidInput),
        ({"Name": "n", "Other": "1"}, UnknownParameter),
        ({"Name": "n", "Name_1": "1"}, UnknownParameter),
        ({"Name": "n", "Key_x": "1"}, UnknownParameter),
        ({"Name": "n", "Key_1_Inner": "1"}, UnknownParameter),
        ({"Name": "n", "Placement": "1"}, UnknownParameter),
        ({"Name": "n", **{f"Key_{n}": "k" for n in range(1001)}}, InvalidInput),
    ],
)
def test_refused(given: dict[str, str], error: type[NovaError]) -> None:
    """What does not fit its type, or is not declared, is refused with its own code."""
    with pytest.raises(error):
        extract(**given)
