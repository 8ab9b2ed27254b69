"""What every Describe has: filters and pages."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.faults import InvalidCombination, InvalidNextToken
from nova_tx.api.ec2.listing import MOST_FILTERS, Filter, Listing, Noun
from nova_tx.errors import InvalidInput, MissingParameter


@dataclass(frozen=True)
class Bird:
    """Something to list."""

    name: str
    colour: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


BIRDS = (
    Bird("tit", "blue", {"Nest": "box"}),
    Bird("jay", "blue*", {"Nest": ""}),
    Bird("owl", None, {"nest": "hole"}),
    Bird("emu", "brown"),
)
NOUN = Noun[Bird](
    key=lambda bird: bird.name,
    filters={"name": lambda bird: (bird.name,), "colour": lambda bird: (bird.colour,)},
    tags=lambda bird: bird.tags,
)


def names(**filters: str | tuple[str, ...]) -> list[str]:
    """The birds that pass, underscores of a filter's name being colons."""
    given = tuple(
        Filter(name=name.replace("_", ":"), values=(value,) if isinstance(value, str) else value)
        for name, value in filters.items()
    )
    return [bird.name for bird in NOUN.page(BIRDS, Listing(filters=given))[0]]


@pytest.mark.parametrize(
    "value, found",
    [
        ("blue", ["tit"]),
        ("BLUE", []),
        ("blue*", ["jay", "tit"]),
        (r"blue\*", ["jay"]),
        ("b*n", ["emu"]),
        ("b?ue", ["tit"]),
        ("blue?", ["jay", "tit"]),
        ("b.*", []),
        ("", []),
        ("*", ["emu", "jay", "tit"]),
        ("blue|brown", []),
        ("\\", []),
    ],
)
def test_wildcards(value: str, found: list[str]) -> None:
    """A star is any text, a question mark one character or none, a backslash takes it back."""
    assert names(colour=value) == found


def test_filters_are_and_values_are_or() -> None:
    """An item passes if each filter has a value that fits."""
    assert names(colour=("blue", "brown")) == ["emu", "tit"]
    assert names(colour=("blue", "brown"), name="e*") == ["emu"]


def test_tags() -> None:
    """Tags are filters of every noun that has them; keys and values are compared as written."""
    assert names(tag_Nest="box") == ["tit"]
    assert names(tag_Nest="") == ["jay"]
    assert names(tag_Nest="*") == ["jay", "tit"]
    given = (Filter(name="tag-key", values=("?est",)),)
    assert [each.name for each in NOUN.page(BIRDS, Listing(filters=given))[0]] == [
        "jay",
        "owl",
        "tit",
    ]


@pytest.mark.parametrize("name", ["size", "tag", "tags", ""])
def test_no_such_filter(name: str) -> None:
    """A filter that the noun does not have is refused by name."""
    with pytest.raises(InvalidInput, match=f"The filter '{name}' is invalid"):
        NOUN.passing(BIRDS, (Filter(name=name, values=("x",)),))


def test_untagged() -> None:
    """A noun without tags has no filters on them."""
    with pytest.raises(InvalidInput):
        Noun[Bird](NOUN.key, NOUN.filters).passing(BIRDS, (Filter(name="tag:x", values=("",)),))


def test_too_many_filters() -> None:
    """The work of one request is bounded."""
    with pytest.raises(InvalidInput, match="More than"):
        NOUN.passing(BIRDS, (Filter(name="name", values=("x",)),) * (MOST_FILTERS + 1))


def test_pages() -> None:
    """Pages one after the other have every item once, in order; the last has no token."""
    birds = [Bird(f"{number:04}") for number in reversed(range(12))]
    found: list[str] = []
    token = None
    for length in (5, 5, 2):
        page, more = NOUN.page(birds, Listing(max_results=5, next_token=token))
        token = more.get("nextToken")
        assert len(page) == length
        found += [bird.name for bird in page]
        assert (token is None) == (length == 2)
    assert found == [f"{number:04}" for number in range(12)]


def test_a_page_goes_on_behind_what_has_gone() -> None:
    """If the last item of a page is gone when the next is asked for, nothing is left out."""
    birds = [Bird(f"{number:04}") for number in range(12)]
    page, more = NOUN.page(birds, Listing(max_results=5))
    birds.remove(page[-1])
    rest, _ = NOUN.page(birds, Listing(next_token=more["nextToken"]))
    assert [each.name for each in rest] == [f"{number:04}" for number in range(5, 12)]


@pytest.mark.parametrize("token", ["x", "!", "MA==", "é", "MQ", "/w=="])
def test_no_such_token(token: str) -> None:
    """A token that was not given out is refused."""
    with pytest.raises(InvalidNextToken):
        NOUN.page(BIRDS, Listing(next_token=token))


@pytest.mark.parametrize("length", [-1, 0, 4, 1001])
def test_no_such_page(length: int) -> None:
    """Pages are five to a thousand long."""
    with pytest.raises(InvalidInput, match="MaxResults"):
        NOUN.page(BIRDS, Listing(max_results=length))


def test_no_pages_of_names() -> None:
    """What is asked for by name is not paged."""
    with pytest.raises(InvalidCombination):
        NOUN.page(BIRDS, Listing(max_results=5), ("tit",))


def test_on_the_wire() -> None:
    """Filters are read in the order of their numbers, their values in the order of theirs."""
    found = schema.extract(
        Listing,
        (),
        {
            "Filter.10.Name": "c",
            "Filter.10.Value.1": "",
            "Filter.2.Name": "b",
            "Filter.2.Value.10": "y",
            "Filter.2.Value.9": "x",
        },
    )
    assert found.filters == (
        Filter(name="b", values=("x", "y")),
        Filter(name="c", values=("",)),
    )


def test_half_a_filter() -> None:
    """What a filter lacks is named as it would have been sent."""
    with pytest.raises(MissingParameter, match=r"Filter\.1\.Value"):
        schema.extract(Listing, (), {"Filter.1.Name": "x"})
    with pytest.raises(InvalidInput, match=r"Filter\.1\.Names"):
        given = {"Filter.1.Name": "x", "Filter.1.Value.1": "y", "Filter.1.Names": "z"}
        schema.extract(Listing, (), given)
