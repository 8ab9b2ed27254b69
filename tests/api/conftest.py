"""The EC2 door over the test's database, and users who come to it."""

from __future__ import annotations

import pytest

from nova_tx.db.engine import Database
from nova_tx.model.users import User
from nova_tx.testing.ec2 import Door, an_image


@pytest.fixture
def door(database: Database) -> Door:
    """A door, and one image that everybody may use."""
    door = Door(database)
    door.images.put(an_image())
    return door


@pytest.fixture
def joe(door: Door) -> User:
    """The manager of a project: may do everything in it."""
    return door.add_user("joe")


@pytest.fixture
def eve(door: Door) -> User:
    """The manager of another project."""
    return door.add_user("eve")


@pytest.fixture
def admin(door: Door) -> User:
    """An administrator."""
    return door.add_user("admin", is_admin=True)
