"""Projects, and what their members take home.                         [spec/10 section 3]"""

from __future__ import annotations

from nova_tx.auth import credentials
from nova_tx.auth.credentials import Endpoints, FileNames
from nova_tx.db import certificates
from nova_tx.db import projects as rows
from nova_tx.errors import InUse
from nova_tx.flags import AuthFlags, CryptoFlags, Ec2Flags, S3Flags
from nova_tx.manage.files import write_private
from nova_tx.manage.parts import Parts


async def add(parts: Parts, project: str, user: str) -> None:
    """Make a user a member of a project."""
    await parts.users.add_member(user, project)


async def create(parts: Parts, name: str, manager: str, description: str | None = None) -> None:
    """Create a project; its manager is its first member."""
    await parts.users.create_project(name, manager, description)


async def delete(parts: Parts, name: str) -> None:
    """Delete a project that has no instances, volumes, networks or addresses left."""
    await parts.users.project(name)
    left = await parts.database.read(rows.possessions, name)
    if left:
        raise InUse(f"Project {name} still has {', '.join(left)}")
    await parts.users.delete_project(name)


async def environment(parts: Parts, project: str, user: str, file: str = "novarc") -> None:
    """Write a user's settings for a project, to be sourced by a shell."""
    inside = credentials.inside(*_places(parts))
    write_private(file, await _rc(parts, user, project, inside))


async def list_(parts: Parts) -> None:
    """Print the names of all projects."""
    for project in await parts.users.projects():
        print(project.id)


async def remove(parts: Parts, project: str, user: str) -> None:
    """End a user's membership in a project, and the roles in it."""
    await parts.users.remove_member(user, project)


async def zipfile(parts: Parts, project: str, user: str, file: str = "nova.zip") -> None:
    """Write a zip of a user's settings for a project, with a new key and certificate."""
    who = await parts.users.member(user, project)
    issued = parts.authority.issue(user, project)
    await parts.database.run(certificates.create, user, project, issued.file_name)
    root = parts.authority.certificate()
    ca_file = parts.section(CryptoFlags).ca_file
    write_private(file, credentials.take_home(who, _places(parts), ca_file, issued, root))


async def _rc(parts: Parts, user: str, project: str, endpoints: Endpoints) -> bytes:
    found = await parts.users.member(user, project)
    return credentials.rc_text(found.user, found.project, endpoints, _names(parts)).encode()


def _places(parts: Parts) -> tuple[Ec2Flags, S3Flags, AuthFlags]:
    return parts.section(Ec2Flags), parts.section(S3Flags), parts.section(AuthFlags)


def _names(parts: Parts) -> FileNames:
    return credentials.file_names(parts.section(AuthFlags), parts.section(CryptoFlags).ca_file)
