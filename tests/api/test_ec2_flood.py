"""More requests than are served at once: refused in EC2's words, until there is room again."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from nova_tx.db.engine import Database
from nova_tx.errors import TooManyRequests
from nova_tx.testing.ec2 import Door, an_image


@pytest.fixture
def narrow(database: Database) -> Door:
    """A door for three requests at once, two of a project."""
    door = Door(database, "--ec2_max_requests=3", "--ec2_project_requests=2")
    door.images.put(an_image())
    return door


def resource(door: Door) -> Any:
    """What answers actions."""
    return door.site.resource.children[b"services"].children[b"Cloud"]


def test_a_flood_is_refused_and_over_by_itself(narrow: Door) -> None:
    """A request too many is answered with 503 RequestLimitExceeded; once one has ended, served."""
    joe = narrow.add_user("joe")
    with ExitStack() as inside:
        for _ in range(3):
            inside.enter_context(resource(narrow).room.entered())
        refused = narrow.ask(joe, "DescribeInstances")
        assert (refused.status, refused.code) == (503, "RequestLimitExceeded")
        inside.pop_all().close()
        assert narrow.ask(joe, "DescribeInstances").status == 200
    assert resource(narrow).room.inside == 0


def test_a_project_leaves_room_for_others(narrow: Door) -> None:
    """One project's flood is refused, while another project is served."""
    joe, eve = narrow.add_user("joe"), narrow.add_user("eve")
    with ExitStack() as inside:
        for _ in range(2):
            inside.enter_context(resource(narrow)._projects.entered("joe"))
        assert narrow.ask(joe, "DescribeInstances").code == "RequestLimitExceeded"
        assert narrow.ask(eve, "DescribeInstances").status == 200


def test_guests_do_not_stand_in_users_way(narrow: Door) -> None:
    """Guests have a bound of their own, and get 503 beyond it."""
    joe = narrow.add_user("joe")
    guests: Any = narrow.metadata_site.resource
    with ExitStack() as inside:
        for _ in range(3):
            inside.enter_context(guests.room.entered())
        with pytest.raises(TooManyRequests):
            guests.room.entered().__enter__()
        refused = narrow.send("GET", "http://169.254.169.254/latest/", root=guests)
        assert refused.status == 503
        assert narrow.ask(joe, "DescribeInstances").status == 200
