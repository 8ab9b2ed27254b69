"""
Facts of users and projects.

Facts are what rooms hand to each other: frozen, without behaviour.  Times are naive UTC
C{datetime}s; sizes say their unit in the name; an address or a network is text
(C{10.0.0.3}, C{10.0.0.0/24}).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class User:
    """
    A user. The printed form leaves the keys out.

    @ivar roles: roles held in the whole cloud.
    """

    id: str
    access_key: str
    secret_key: str
    is_admin: bool
    roles: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<User {self.id}>"


@dataclass(frozen=True)
class Project:
    """A project: what owns instances, images and buckets."""

    id: str
    manager: str
    description: str
    members: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Membership:
    """
    A user in a project, as one look-up by access key finds them.

    @ivar member: the user is a member (a manager always is).
    @ivar project_roles: roles held in this project.
    @ivar failures: how often the access key was used wrongly of late.
    @ivar locked_until: it opens nothing before that time, naive UTC.
    """

    user: User
    project: Project
    member: bool
    project_roles: frozenset[str] = frozenset()
    failures: int = 0
    locked_until: datetime | None = None
