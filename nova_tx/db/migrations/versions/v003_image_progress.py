"""Version 3: how far the making of an image is."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Integer

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Add the column."""
    op.add_column("images", Column("progress", Integer))
