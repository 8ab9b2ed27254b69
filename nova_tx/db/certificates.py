"""
Certificates that authorities have issued, and where their files are.  [spec/09 section 7]

A row that is deleted is a certificate that was revoked; no row ever goes.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, insert, select, update

from nova_tx.db.engine import now
from nova_tx.db.schema import certificates


@dataclass(frozen=True)
class Known:
    """
    Files of a user's certificates, oldest first.

    @ivar valid: those for the project that was asked for.
    @ivar revoked: those for the project that are valid no longer.
    @ivar revoked_elsewhere: those for any other project that are valid no longer.
    """

    valid: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    revoked_elsewhere: tuple[str, ...] = ()


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


def known(txn: Connection, user_id: str, project_id: str) -> Known:
    """What is known of a user's certificates, for one of its projects."""
    rows = txn.execute(
        select(certificates.c.file_name, certificates.c.project_id, certificates.c.deleted)
        .where(certificates.c.user_id == user_id)
        .order_by(certificates.c.id)
    ).all()
    return Known(
        *(
            tuple(
                row.file_name for row in rows if each == (row.project_id == project_id, row.deleted)
            )
            for each in ((True, False), (True, True), (False, True))
        )
    )


def revoke(txn: Connection, user_id: str | None, project_id: str | None) -> tuple[str, ...]:
    """
    Have certificates revoked: of a user, of a project, or of the one in the other.

    @param user_id: None: of whomever.
    @param project_id: None: for whatever.
    @return: the files of all of them, those that had been revoked before, too.
    """
    wanted = _of(user_id, project_id)
    txn.execute(
        update(certificates)
        .where(*wanted, certificates.c.deleted.is_(False))
        .values(deleted=True, deleted_at=now())
    )
    query = select(certificates.c.file_name).where(*wanted)
    return tuple(txn.scalars(query.order_by(certificates.c.id)))


def revoked(txn: Connection) -> tuple[str, ...]:
    """The files of all certificates that were revoked."""
    query = select(certificates.c.file_name).where(certificates.c.deleted.is_(True))
    return tuple(txn.scalars(query.order_by(certificates.c.id)))


def holders(txn: Connection) -> tuple[tuple[str, str], ...]:
    """Each user and project for whom there is a valid certificate."""
    columns = certificates.c.user_id, certificates.c.project_id
    rows = txn.execute(select(*columns).where(certificates.c.deleted.is_(False)).distinct())
    return tuple((row.user_id, row.project_id) for row in rows)


def _of(user_id: str | None, project_id: str | None) -> list[ColumnElement[bool]]:
    given = {certificates.c.user_id: user_id, certificates.c.project_id: project_id}
    return [column == value for column, value in given.items() if value is not None]
