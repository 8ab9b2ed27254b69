"""More requests than are served at once: refused in EC2's words, until there is room again."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from twisted.internet.testing import StringTransport

from nova_tx.db.engine import Database
from nova_tx.errors import TooManyRequests
from nova_tx.testing.ec2 import URL, Door, an_image


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


def test_a_projects_rate(database: Database) -> None:
    """A project that asks too often is refused, until a second later; others are not."""
    door = Door(database, "--ec2_rate_limit=1", "--ec2_rate_burst=3")
    joe, eve = door.add_user("joe"), door.add_user("eve")
    for _ in range(3):
        assert door.ask(joe, "DescribeInstances").status == 200
    refused = door.ask(joe, "DescribeInstances")
    assert (refused.status, refused.code) == (503, "RequestLimitExceeded")
    assert door.ask(eve, "DescribeInstances").status == 200
    door.clock.advance(1)
    assert door.ask(joe, "DescribeInstances").status == 200


def test_a_process_has_its_share_of_the_rate(database: Database) -> None:
    """Of several processes each lets its part of the rate through."""
    door = Door(database, "--ec2_rate_limit=2", "--ec2_rate_burst=6", "--api_workers=2")
    joe = door.add_user("joe")
    said = [door.ask(joe, "DescribeInstances").status for _ in range(4)]
    door.clock.advance(1)
    said += [door.ask(joe, "DescribeInstances").status for _ in range(2)]
    assert said == [200, 200, 200, 503, 200, 503]


def test_bodies_are_bounded(database: Database) -> None:
    """A body longer than the flag allows is refused in EC2's words, before it is all there."""
    door = Door(database, "--ec2_max_body=10")
    channel: Any = door.site.buildProtocol(None)
    channel.callLater = door.clock.callLater
    transport = StringTransport()
    channel.makeConnection(transport)
    channel.dataReceived(b"POST /services/Cloud HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n")
    head, _, body = transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ") and transport.disconnecting
    assert f"Content-Length: {len(body)}".encode() in head
    assert fromstring(body).findtext(".//Code") == "RequestEntityTooLarge"


def test_parameters_are_bounded(database: Database) -> None:
    """More parameters than the flag allows are refused, in query and form together."""
    door = Door(database, "--ec2_max_parameters=10")
    joe = door.add_user("joe")
    assert door.ask(joe, "DescribeRegions", {"A1": "", "A2": "", "A3": ""}).code != (
        "InvalidParameterValue"
    )
    more = door.ask(joe, "DescribeRegions", {f"A{number}": "" for number in range(4)})
    assert (more.status, more.code) == (400, "InvalidParameterValue")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    split = door.send("POST", f"{URL}?{'&'.join('abcdef')}", form, b"a&b&c&d&e")
    assert (split.status, split.code) == (400, "InvalidParameterValue")
    assert b"more than 10 parameters" in split.body
