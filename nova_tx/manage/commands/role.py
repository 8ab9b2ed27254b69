"""Roles of users, in the cloud and in projects.                       [spec/10 section 4]"""

from __future__ import annotations

from nova_tx.manage.parts import Parts


async def add(parts: Parts, user: str, role: str, project: str | None = None) -> None:
    """Grant a role; to act in a project a user needs it in the cloud and in the project."""
    await parts.users.add_role(user, parts.roles.check(role, project), project)


async def has(parts: Parts, user: str, role: str, project: str | None = None) -> None:
    """Print True if a user has a role (in a project: there, too), else False."""
    if project is None:
        print(parts.roles.holds(await parts.users.user(user), role))
    else:
        print(parts.roles.has_role(await parts.users.member(user, project), role))


async def remove(parts: Parts, user: str, role: str, project: str | None = None) -> None:
    """Take a role back."""
    await parts.users.remove_role(user, role, project)
