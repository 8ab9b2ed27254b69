"""
What the clients of every age have in common: a method per action, in each one's own words.

What a method takes and gives is the same for all, so that one story can be
told to each (L{test_ec2_clients_of_all_ages}).  A method is called as its
action, C{RunInstances}; a client whose authors know an action and that has no
method for it fails the test, unless C{unused} says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from nova_tx.api.ec2.actions.absent import ABSENT

#: Of instances or images, by id.
States = Mapping[str, str]

#: Lists of what there is none of here.
EMPTY = (*ABSENT, "DescribeInstanceCreditSpecifications")


class Client:
    """
    A client as the user of a novarc.

    @cvar unused: actions that it has and is not asked for, and why.
    """

    unused: ClassVar[Mapping[str, str]] = {}

    def __init__(self, novarc: Mapping[str, str]) -> None:
        self.access = novarc["EC2_ACCESS_KEY"]
        self.secret = novarc["EC2_SECRET_KEY"]
        self.url = novarc["EC2_URL"].rstrip("/")
        parts = urlsplit(self.url)
        self.host, self.port, self.path = parts.hostname, parts.port, parts.path

    def has(self, action: str) -> bool:
        """Whether the client's authors have heard of an action."""
        raise NotImplementedError

    def refusal(self, instance: str) -> str:
        """The code of the error that it raises when it can't terminate an instance."""
        raise NotImplementedError

    def can(self, action: str) -> bool:
        """Whether the client has it, and we have a method for it."""
        return self.has(action) and (hasattr(self, action) or action in EMPTY)

    def nothing(self, action: str) -> list[Any]:
        """What it finds in one of L{EMPTY}."""
        raise NotImplementedError
