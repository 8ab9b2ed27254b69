"""
What every Describe has: filters, and pages.          [AWS API reference, "Filter", "Pagination"]

A noun says what its filters look at; C{tag:<key>} and C{tag-key} are everybody's.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.dialect import Content
from nova_tx.api.ec2.faults import InvalidCombination, InvalidNextToken
from nova_tx.errors import InvalidInput

T = TypeVar("T")

#: What a filter looks at: texts of an item, one of which is to fit; None fits nothing.
Values = Callable[[T], Iterable[str | None]]

#: Items of a page that may be asked for.
SHORTEST, LONGEST = 5, 1000
#: Filters of a request, and values of them all.
MOST_FILTERS, MOST_VALUES = 50, 200


@dataclass(frozen=True, kw_only=True)
class Filter:
    """
    One filter: an item passes if any of its values fits.

    @ivar values: C{*} stands for any characters, C{?} for one or none, C{\\} before them
        for themselves.
    """

    name: str = schema.text("Name", required=True)
    values: tuple[str, ...] = schema.texts("Value", required=True, blank=True)


@dataclass(frozen=True, kw_only=True)
class Filtered:
    """Parameters of a Describe without pages, for its own to inherit."""

    filters: tuple[Filter, ...] = schema.structures("Filter", of=Filter)


@dataclass(frozen=True, kw_only=True)
class Listing(Filtered):
    """Parameters of a Describe with pages, for its own to inherit."""

    max_results: int | None = schema.integer("MaxResults")
    next_token: str | None = schema.text("NextToken", longest=1024)


@dataclass(frozen=True)
class Noun(Generic[T]):
    """
    What is listed.

    @ivar key: a text that no two items share; they are listed in its order.
    @ivar filters: by a filter's name, what it looks at.
    @ivar tags: an item's tags; None: this noun has none.
    """

    key: Callable[[T], str]
    filters: Mapping[str, Values[T]]
    tags: Callable[[T], Mapping[str, str]] | None = None

    def page(
        self, items: Sequence[T], listing: Listing, named: Sequence[object] = ()
    ) -> tuple[list[T], Content]:
        """
        The items that pass all filters, and what is said of the next page if there is one.

        @param named: what was asked for by name or id: then there are no pages.
        @raise InvalidInput: no such filter, or a page of no such length.
        @raise InvalidCombination: pages of what was named.
        @raise InvalidNextToken: the token is not of such a list.
        """
        if named and listing.max_results is not None:
            raise InvalidCombination("MaxResults can't be combined with a list of ids or names")
        found = sorted(self.passing(items, listing.filters), key=self.key)
        if listing.next_token is not None:
            last = _last(listing.next_token)
            found = [each for each in found if self.key(each) > last]
        if listing.max_results is None:
            return found, {}
        if not SHORTEST <= listing.max_results <= LONGEST:
            raise InvalidInput(
                f"Value ({listing.max_results}) for parameter MaxResults is invalid: "
                f"{SHORTEST} to {LONGEST}"
            )
        shown = found[: listing.max_results]
        if len(shown) == len(found):
            return shown, {}
        return shown, {"nextToken": _token(self.key(shown[-1]))}

    def passing(self, items: Iterable[T], filters: Sequence[Filter]) -> list[T]:
        """
        The items that pass all of some filters.

        @raise InvalidInput: no such filter, or too many.
        """
        if len(filters) > MOST_FILTERS or sum(len(each.values) for each in filters) > MOST_VALUES:
            raise InvalidInput(f"More than {MOST_FILTERS} filters, or {MOST_VALUES} values in them")
        tests = [(self._values(each.name), _pattern(each.values)) for each in filters]
        return [
            item
            for item in items
            if all(
                any(value is not None and fits.match(value) for value in values(item))
                for values, fits in tests
            )
        ]

    def tagged(self, tags: Mapping[str, Mapping[str, str]], of: Callable[[T], str]) -> Noun[T]:
        """
        The same noun, with tags.

        @param tags: by resource, as L{nova_tx.operations.tags.Tags.of} finds them.
        @param of: an item's id as a resource.
        """
        return replace(self, tags=lambda item: tags.get(of(item), {}))

    def _values(self, name: str) -> Values[T]:
        tags = self.tags
        if tags is not None and name == "tag-key":
            return lambda item: tags(item)
        if tags is not None and name.startswith("tag:"):
            return lambda item: (tags(item).get(name[4:]),)
        values = self.filters.get(name)
        if values is None:
            raise InvalidInput(f"The filter '{name}' is invalid")
        return values


_WILD = re.compile(r"\\(.)|(\*)|(\?)|([^\\*?]+|\\)", re.DOTALL)


def _pattern(values: Sequence[str]) -> re.Pattern[str]:
    """What fits any of the values."""
    return re.compile("|".join(f"(?:{_WILD.sub(_piece, each)})\\Z" for each in values), re.DOTALL)


def _piece(found: re.Match[str]) -> str:
    escaped, any_, one, plain = found.groups()
    return ".*" if any_ else ".?" if one else re.escape(escaped or plain)


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(b"1" + key.encode()).decode()


def _last(token: str) -> str:
    try:
        text = base64.b64decode(token.encode("ascii"), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith("1"):
        raise InvalidNextToken("The NextToken is not one that was given out")
    return text[1:]
