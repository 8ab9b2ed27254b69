"""Projects, and what their members take home.                         [spec/10 section 3]"""

from __future__ import annotations

import sys

from sqlalchemy import Connection

from nova_tx.auth import credentials
from nova_tx.db import networks, quotas
from nova_tx.db import projects as rows
from nova_tx.errors import AuthorityError, InUse
from nova_tx.flags import AuthFlags, CryptoFlags, Ec2Flags, QuotaFlags, S3Flags
from nova_tx.manage.files import private_writer, write_private
from nova_tx.manage.listing import Listing
from nova_tx.manage.parts import CommandFailed, Parts
from nova_tx.model.users import Project

ALIAS = "account"

_NO_AUTHORITY = """\
The above error may show that the certificate db has not been created.
Please create a database by running a nova-api server on this host."""


async def add(parts: Parts, project: str, user: str) -> None:
    """Make a user a member of a project."""
    await parts.users.add_member(user, project)


async def create(parts: Parts, name: str, manager: str, description: str | None = None) -> None:
    """Create a project; its manager is its first member."""
    await parts.users.create_project(name, manager, description)


async def delete(parts: Parts, name: str) -> None:
    """
    Delete a project that has no instances, volumes, networks or addresses left.

    The certificates of its members are revoked.
    """
    await parts.users.project(name)
    left = await parts.database.read(rows.possessions, name)
    if left:
        raise InUse(f"Project {name} still has {', '.join(left)}")
    await parts.users.delete_project(name)
    await parts.revoke(None, name)


async def environment(parts: Parts, project: str, user: str, file: str = "novarc") -> None:
    """Write a user's settings for a project, to be sourced by a shell."""
    who = await parts.users.member(user, project)
    places = _places(parts)
    auth = places[2]
    names = credentials.file_names(auth, parts.section(CryptoFlags).ca_file)
    text = credentials.rc_text(who, credentials.inside(*places), auth, names)
    write_private(file, text.encode())


async def list_(parts: Parts) -> Listing[Project]:
    """Print the names of all projects."""
    return Listing(await parts.users.projects(), lambda each: each.id)


async def modify(parts: Parts, name: str, manager: str, description: str | None = None) -> None:
    """Give a project another manager, or description; '' leaves the manager as it is."""
    await parts.users.modify_project(name, manager or None, description)


async def quota(
    parts: Parts, project: str, key: str | None = None, value: int | None = None
) -> Listing[tuple[str, int]]:
    """Print a project's quotas, after setting one if KEY is given; VALUE '' is the flag's."""
    await parts.users.project(project)
    found = await parts.database.run(_quota, parts, project, key, value)
    return Listing(
        found.items(),
        lambda each: f"{each[0]}: {each[1]}",
        lambda each: {"key": each[0], "quota": each[1]},
    )


def _quota(
    txn: Connection, parts: Parts, project: str, key: str | None, value: int | None
) -> dict[str, int]:
    if key is not None:
        quotas.set(txn, project, key, value)
    return quotas.effective(txn, project, parts.section(QuotaFlags))


async def remove(parts: Parts, project: str, user: str) -> None:
    """End a user's membership in a project, and the roles and certificates for it."""
    await parts.users.remove_member(user, project)
    await parts.revoke(user, project)


async def scrub(parts: Parts, project: str) -> None:
    """Free a project's network, and delete its security groups; not while it has instances."""
    await parts.users.project(project)
    await parts.database.run(rows.scrub, project)


async def zipfile(parts: Parts, project: str, user: str, file: str = "nova.zip") -> None:
    """Write a zip of a user's settings for a project, with a new key and certificate."""
    who = await parts.users.member(user, project)
    vpn = await parts.database.read(networks.vpn, project)
    if vpn is None:
        print(f"No vpn data for project {project}", file=sys.stderr)
    ca_file = parts.section(CryptoFlags).ca_file
    packed = credentials.take_home(who, _places(parts), ca_file, vpn)
    with private_writer(file) as writer:
        try:
            issued = await parts.certification.issue(user, project)
        except AuthorityError as error:
            raise CommandFailed(f"{error}\n{_NO_AUTHORITY}") from None
        writer.write(packed(issued))


def _places(parts: Parts) -> tuple[Ec2Flags, S3Flags, AuthFlags]:
    return parts.section(Ec2Flags), parts.section(S3Flags), parts.section(AuthFlags)
