"""Which commands there are, and how words become arguments."""

from __future__ import annotations

import pytest

from nova_tx.errors import InvalidInput
from nova_tx.manage import catalogue
from nova_tx.manage.catalogue import Category, NoChoice, WrongCount
from nova_tx.manage.listing import Listing
from nova_tx.manage.parts import Parts


async def list_(parts: Parts, name: str, size: int, count: int | None = None) -> None:
    """
    Print
    things.
    """


def gather(parts: Parts, first: int, *rest: str, purge: bool = False) -> Listing[str]:
    """Gather."""
    return Listing(rest, str)


THINGS = Category("thing", {"list": list_})


def test_every_action_is_explained() -> None:
    """Each action has a help text."""
    for category in catalogue.categories().values():
        for action in category.actions.values():
            first = catalogue.usage(category, action).splitlines()[0]
            assert first.endswith("."), first


@pytest.mark.parametrize("typed", ["user", "US", "u"])
def test_choose(typed: str) -> None:
    """Any beginning of a name is enough, in any case."""
    assert catalogue.choose(typed, {"user": 1, "project": 2}) == 1


def test_no_choice() -> None:
    """What begins nothing, or several, is no choice; a whole name is not preferred."""
    with pytest.raises(NoChoice) as caught:
        catalogue.choose("x", {"user": 1, "vm": 2})
    assert caught.value == NoChoice("x", ("user", "vm"), [])
    with pytest.raises(NoChoice) as caught:
        catalogue.choose("image", {"image": 1, "vm": 2, "image_store": 3})
    assert caught.value.matching == ["image", "image_store"]


def test_usage() -> None:
    """The help is the docstring, the usage the signature."""
    assert catalogue.usage(THINGS, list_) == (
        "thing list: Print things.\n  thing list NAME SIZE [COUNT]"
    )


def test_arguments() -> None:
    """Words become parameters by place, integers where the signature says so."""
    assert catalogue.arguments(list_, ["7", "8"]) == (["7", 8], {})
    assert catalogue.arguments(list_, ["a", "8", "-9"]) == (["a", 8, -9], {})
    assert catalogue.arguments(list_, ["", "8", ""]) == (["", 8, None], {})


def test_many_arguments() -> None:
    """An action that takes any number of words gets all of them."""
    assert catalogue.arguments(gather, ["1", "a", "b"]) == ([1, "a", "b"], {})
    assert catalogue.arguments(gather, ["1"]) == ([1], {})
    with pytest.raises(WrongCount):
        catalogue.arguments(gather, [])


def test_options() -> None:
    """Options stand anywhere among the arguments; a list takes --json, which is none of its own."""
    assert catalogue.options(gather) == ("--purge", "--json")
    assert catalogue.arguments(gather, ["--purge", "1", "--json"]) == ([1], {"purge": True})
    assert catalogue.arguments(gather, ["1", "--other"]) == ([1, "--other"], {})
    assert catalogue.usage(THINGS, gather).endswith(
        "thing gather FIRST [REST …] [--purge] [--json]"
    )
    assert catalogue.options(list_) == ()


@pytest.mark.parametrize("words", [[], ["a"], ["a", "1", "2", "3"]])
def test_wrong_count(words: list[str]) -> None:
    """Too few or too many words are found before the action runs."""
    with pytest.raises(WrongCount):
        catalogue.arguments(list_, words)


def test_no_integer() -> None:
    """A word that is no integer is named with its parameter."""
    with pytest.raises(InvalidInput, match=r"\ACOUNT must be an integer, not 'many'\Z"):
        catalogue.arguments(list_, ["a", "1", "many"])


@pytest.mark.parametrize("word", ["2147483648", "-99999999999999999999"])
def test_no_row_holds_it(word: str) -> None:
    """A number that no database would take is refused before one is asked."""
    with pytest.raises(InvalidInput, match=rf"\ASIZE must be an integer from .* not '{word}'\Z"):
        catalogue.arguments(list_, ["a", word])


def test_no_text() -> None:
    """A word that is not UTF-8 may name a file, and nothing else."""
    word = b"\xff".decode(errors="surrogateescape")
    with pytest.raises(InvalidInput, match=r"\ANAME must be UTF-8, not '\\udcff'\Z"):
        catalogue.arguments(list_, [word, "1"])

    def write(parts: Parts, file: str) -> None:
        """Write."""

    assert catalogue.arguments(write, [word]) == ([word], {})
