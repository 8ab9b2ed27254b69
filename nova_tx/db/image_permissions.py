"""What an owner changes of an image: its texts, and who may launch it."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from nova_tx.db.engine import now
from nova_tx.db.images import owned
from nova_tx.db.schema import image_permissions as permissions
from nova_tx.db.schema import images
from nova_tx.model.images import Image, ImageChange


def change(
    txn: Connection, project: str | None, is_admin: bool, image_id: str, wanted: ImageChange
) -> Image:
    """
    Change an image: all that is wanted, or nothing; returns it as it is then.

    @raise ImageNotFound, ForeignImage: as L{owned}.
    """
    owned(txn, project, is_admin, image_id)
    columns = {
        "display_name": wanted.display_name,
        "description": wanted.description,
        "is_public": False if wanted.reset and wanted.is_public is None else wanted.is_public,
    }
    given = {name: value for name, value in columns.items() if value is not None}
    # who changes the same image waits here until this is done
    txn.execute(update(images).where(images.c.id == image_id).values(updated_at=now(), **given))
    gone = delete(permissions).where(permissions.c.image_id == image_id)
    if wanted.reset:
        txn.execute(gone)
    elif wanted.remove:
        txn.execute(gone.where(permissions.c.project_id.in_(wanted.remove)))
    query = select(permissions.c.project_id).where(permissions.c.image_id == image_id)
    there = set(txn.scalars(query))
    added = [
        {"image_id": image_id, "project_id": each, "created_at": now(), "deleted": False}
        for each in dict.fromkeys(wanted.add)
        if each not in there
    ]
    if added:
        txn.execute(insert(permissions), added)
    return owned(txn, project, is_admin, image_id)
