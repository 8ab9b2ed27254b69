"""Tags among the parameters of actions that make things.      [AWS API, "TagSpecification"]"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Tag:
    """A tag to write."""

    key: str = schema.text("Key", required=True)
    value: str | None = schema.text("Value", longest=1024, blank=True)

    @property
    def pair(self) -> tuple[str, str]:
        """Key and value; none is an empty one."""
        return self.key, self.value or ""


@dataclass(frozen=True, kw_only=True)
class TagSpecification:
    """Tags for what is made of a type."""

    resource_type: str = schema.text("ResourceType", required=True)
    tags: tuple[Tag, ...] = schema.structures("Tag", of=Tag)


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """Parameters of an action that makes something, for its own to inherit."""

    tag_specifications: tuple[TagSpecification, ...] = schema.structures(
        "TagSpecification", of=TagSpecification
    )


def pairs(
    given: Sequence[TagSpecification], made: str, *besides: str
) -> tuple[tuple[str, str], ...]:
    """
    Keys and values for what an action makes.

    @param made: its type, as AWS calls it.
    @param besides: types that it may be given tags for, too, and makes none of here.
    @raise InvalidInput: there are tags for another type.
    """
    for each in given:
        if each.resource_type not in (made, *besides):
            raise InvalidInput(
                f"'{each.resource_type}' is not a valid taggable resource type for this operation."
            )
    return tuple(tag.pair for each in given if each.resource_type == made for tag in each.tags)
