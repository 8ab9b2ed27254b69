"""Certificates that the authority has issued, and where their files are.  [spec/09 section 7]"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from nova_tx.db.engine import now
from nova_tx.db.schema import certificates


def create(txn: Connection, user_id: str, project_id: str, file_name: str) -> None:
    """Note down whose certificate a file is."""
    txn.execute(
        insert(certificates).values(
            user_id=user_id,
            project_id=project_id,
            file_name=file_name,
            created_at=now(),
            deleted=False,
        )
    )


def files(txn: Connection, user_id: str, project_id: str) -> tuple[str, ...]:
    """The files of a user's certificates in a project, oldest first."""
    found = txn.scalars(
        select(certificates.c.file_name)
        .where(
            certificates.c.user_id == user_id,
            certificates.c.project_id == project_id,
            certificates.c.deleted.is_(False),
        )
        .order_by(certificates.c.id)
    )
    return tuple(found)
