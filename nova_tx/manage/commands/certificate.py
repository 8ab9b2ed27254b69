"""Certificates, beyond a user's: those, "user revoke" revokes.         [spec/09 section 7]"""

from __future__ import annotations

from nova_tx.manage.parts import Parts


async def refresh(parts: Parts) -> None:
    """
    Write the authorities' lists of revoked certificates anew, good for crl_days from now on.

    What deleted users and projects have left is revoked. To be run daily, where the
    authorities' files are.
    """
    await parts.certification.refresh(parts.users)


async def revoke(parts: Parts, project: str) -> None:
    """Revoke the certificates of all members of a project; their keys stay as they are."""
    if not await parts.certification.revoke(project_id=project):
        await parts.users.project(project)
        print(f"Project {project} has no certificates")
