"""Users.                                                              [spec/10 section 2]"""

from __future__ import annotations

from collections.abc import Mapping

from nova_tx.db import lockouts
from nova_tx.errors import UserNotFound
from nova_tx.manage.listing import Listing
from nova_tx.manage.parts import Parts
from nova_tx.model.users import User


async def admin(
    parts: Parts, name: str, access: str | None = None, secret: str | None = None
) -> None:
    """Create an administrator; without keys, random ones. Prints them as exports."""
    _print(await parts.users.create_user(name, access or None, secret or None, True))


async def create(
    parts: Parts, name: str, access: str | None = None, secret: str | None = None
) -> None:
    """Create a user; without keys, random ones. Prints them as exports."""
    _print(await parts.users.create_user(name, access or None, secret or None, False))


async def delete(parts: Parts, name: str) -> None:
    """Delete a user, with key pairs, memberships and roles; certificates are revoked."""
    await parts.users.delete_user(name)
    await parts.revoke(name, None)


async def exports(parts: Parts, name: str) -> None:
    """Print a user's keys as exports."""
    try:
        user = await parts.users.user(name)
    except UserNotFound:
        raise UserNotFound(f"User {name} doesn't exist") from None
    _print(user)


async def list_(parts: Parts) -> Listing[User]:
    """Print the names of all users."""
    return Listing(await parts.users.users(), lambda each: each.id, _facts)


async def modify(parts: Parts, name: str, access: str, secret: str, admin: str) -> None:
    """Change a user; '' leaves a thing as it is, ADMIN is T or F."""
    is_admin = None if not admin else admin[0] in "Tt"
    await parts.users.modify_user(name, access or None, secret or None, is_admin)


async def revoke(parts: Parts, name: str, project: str | None = None) -> None:
    """Revoke a user's certificates, in all projects or in one; the keys stay as they are."""
    if not await parts.certification.revoke(name, project):
        await parts.users.user(name)  # one that was deleted may have left certificates
        if project is not None:
            await parts.users.project(project)
        print(f"User {name} has no certificates{f' for project {project}' if project else ''}")


async def unlock(parts: Parts, name: str) -> None:
    """Let a user's access key open the EC2 API again, after too many failed authentications."""
    user = await parts.users.user(name)
    if not await parts.database.run(lockouts.forgive, user.access_key):
        print(f"User {name} has no failed authentications")


def _facts(user: User) -> Mapping[str, object]:
    """All but the secret."""
    return {name: value for name, value in vars(user).items() if name != "secret_key"}


def _print(user: User) -> None:
    print(f"export EC2_ACCESS_KEY={user.access_key}")
    print(f"export EC2_SECRET_KEY={user.secret_key}")
