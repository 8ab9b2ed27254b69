"""The same signed request, twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nova_tx import states
from nova_tx.db import instances as instance_rows
from nova_tx.db.engine import Database
from nova_tx.errors import QuotaExceeded
from nova_tx.model.users import User
from nova_tx.testing.ec2 import URL, Answered, Door, an_image, inline

RUN = "Action=RunInstances&Version=2014-10-01&ImageId=ami-tiny&MinCount=1&MaxCount=1"


def signed(door: Door, user: User, body: str) -> Callable[[Door], Answered]:
    """A request that can be sent again and again, to any door."""
    request = AWSRequest("POST", URL, data=body, headers={"Content-Type": _FORM})
    SigV4Auth(Credentials(user.access_key, user.secret_key), "ec2", "nova").add_auth(request)
    headers = dict(request.headers.items())
    return lambda there: there.send("POST", URL, headers, body.encode())


_FORM = "application/x-www-form-urlencoded"


def instances(door: Door, user: User) -> int:
    """How many instances there are."""
    return len(door.ask(user, "DescribeInstances").xml.findall(".//{*}instanceId"))


@pytest.mark.parametrize(
    "body",
    [
        RUN,
        "Action=CreateKeyPair&Version=2014-10-01&KeyName=k",
        "Action=RegisterImage&Version=2014-10-01&ImageLocation=lab/new.manifest.xml",
    ],
)
def test_refused(door: Door, joe: User, body: str) -> None:
    """A request that does something twice is refused: at once by 503, later by 403."""
    door.images.bundles["lab/new.manifest.xml"] = ("joe", b"")
    send = signed(door, joe, body)
    assert send(door).status == 200
    if "CreateKeyPair" in body:
        door.ask(joe, "DeleteKeyPair", {"KeyName": "k"})
    again = send(door)
    assert (again.status, again.code) == (503, "RequestLimitExceeded")
    assert "sign it anew" in (again.xml.findtext(".//Message") or "")
    door.clock.advance(2)
    again = send(door)
    assert (again.status, again.code) == (403, "AuthFailure")
    assert "good for one request" in (again.xml.findtext(".//Message") or "")


def test_a_reboot_is_not_repeated(database: Database, door: Door, joe: User) -> None:
    """A captured RebootInstances reboots once, not again when the guest runs."""
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny"})
    body = "Action=RebootInstances&Version=2014-10-01&InstanceId.1=i-00000001"
    send = signed(door, joe, body)
    assert send(door).code == "IncorrectInstanceState"
    inline(database.run(instance_rows.move, 1, states.PLACE, host="HostB"))
    inline(database.run(instance_rows.move, 1, states.BUILD))
    inline(database.run(instance_rows.move, 1, states.RUN))
    assert [send(door).status for _ in range(2)] == [200, 200]  # it is rebooting already
    door.bus.casts.clear()
    inline(database.run(instance_rows.move, 1, states.RUN))
    assert send(door).status == 503
    assert door.bus.casts == []


def test_refused_by_another_process(database: Database, door: Door, joe: User) -> None:
    """What one process did, another does not do again."""
    other = Door(database)
    other.images.put(an_image())
    other.add_user("joe")
    send = signed(door, joe, RUN)
    assert send(door).status == 200
    assert send(other).status == 503
    assert instances(door, joe) == 1


def test_not_under_another_project(door: Door, joe: User, eve: User) -> None:
    """Version 4 does not sign the access key: with another project in it, it is the same."""
    inline(door.users.add_member("joe", "eve"))
    body = "Action=CreateKeyPair&Version=2014-10-01&KeyName=k"
    request = AWSRequest("POST", URL, data=body, headers={"Content-Type": _FORM})
    SigV4Auth(Credentials("joe", joe.secret_key), "ec2", "nova").add_auth(request)
    headers = dict(request.headers.items())
    assert door.send("POST", URL, headers, body.encode()).status == 200
    door.ask(joe, "DeleteKeyPair", {"KeyName": "k"})
    headers["Authorization"] = headers["Authorization"].replace("=joe/", "=joe:eve/")
    assert door.send("POST", URL, headers, body.encode()).status == 503


def test_what_failed_may_come_again(database: Database, joe: User, door: Door) -> None:
    """A request that was refused by the quota works as it is, once there is room."""
    full = Door(database, "--quota_instances=0")
    full.images.put(an_image())
    full.add_user("joe")
    send = signed(door, joe, RUN)
    assert send(full).code == QuotaExceeded.code
    assert send(door).status == 200


def test_reading_is_no_replay(door: Door, joe: User) -> None:
    """What only reads, or comes to the same, may be sent as often as one likes."""
    for body in (
        "Action=DescribeInstances&Version=2014-10-01",
        "Action=DeleteKeyPair&Version=2014-10-01&KeyName=k",
    ):
        send = signed(door, joe, body)
        assert [send(door).status for _ in range(3)] == [200, 200, 200]


def test_dry_run_uses_nothing_up(door: Door, joe: User) -> None:
    """What was only tried may be tried again."""
    send = signed(door, joe, RUN + "&DryRun=true")
    assert [send(door).code for _ in range(2)] == ["DryRunOperation"] * 2
