"""Rows of images that another registry takes over: there until it has all that they say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection, delete, select, update

from nova_tx.db.engine import now
from nova_tx.db.images import get, listed
from nova_tx.db.schema import image_permissions as permissions
from nova_tx.db.schema import images
from nova_tx.model.images import Image


def known(
    txn: Connection, project: str | None, is_admin: bool, ids: Collection[str] = ()
) -> tuple[tuple[Image, ...], frozenset[str]]:
    """
    The images with rows that a project may see, and the ids of all that have one, hidden or not.

    @param ids: of these only, if any are given.
    """
    query = select(images.c.id)
    if ids:
        query = query.where(images.c.id.in_(list(ids)))
    return listed(txn, project, is_admin, ids), frozenset(txn.scalars(query))


def settle(txn: Connection, image: Image) -> Image | None:
    """
    Forget the row of an image that another registry has as C{image} says; its tags stay.

    Returns the image as it is now, if that is not so (any more); then nothing was forgotten.

    @raise ImageNotFound: it has no row, or a hidden one.
    """
    # who changes it waits here until this is done
    txn.execute(update(images).where(images.c.id == image.id).values(updated_at=now()))
    current = replace(get(txn, None, True, image.id), progress=None)
    if current != replace(image, progress=None):
        return current
    txn.execute(delete(permissions).where(permissions.c.image_id == image.id))
    txn.execute(delete(images).where(images.c.id == image.id))
    return None


def owner(txn: Connection, image_id: str) -> str | None:
    """Whose an image is, hidden or not; None if it has no row."""
    return txn.scalar(select(images.c.owner).where(images.c.id == image_id))
