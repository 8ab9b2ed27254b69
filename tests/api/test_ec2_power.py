"""Actions on instances that are there: start, stop, rescue, terminate."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from nova_tx import states
from nova_tx.db import instances
from nova_tx.db.schema import instances as table
from nova_tx.model.users import User
from nova_tx.testing.ec2 import OLD, Door, inline

ONE = {"InstanceId.1": "i-00000001"}
SPACE = f"{{http://ec2.amazonaws.com/doc/{OLD}/}}"


def _run(door: Door, joe: User, *moves: states.Move) -> None:
    """An instance on HostB that has made these moves."""
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny"})
    for each in (states.BUILD, states.RUN, *moves):
        inline(door.database.run(instances.move, 1, each, host="HostB"))
    door.bus.casts.clear()


def test_stop_and_start(door: Door, joe: User) -> None:
    """What botocore parses of both is what AWS would say, and the host is told."""
    client = door.client(joe)
    _run(door, joe)
    (change,) = client.stop_instances(InstanceIds=["i-00000001"])["StoppingInstances"]
    assert change == {
        "InstanceId": "i-00000001",
        "PreviousState": {"Code": 16, "Name": "running"},
        "CurrentState": {"Code": 64, "Name": "stopping"},
    }
    assert door.bus.casts == [
        ("compute.HostB", "stop_instance", {"instance_id": 1, "force": False})
    ]
    inline(door.database.run(instances.move, 1, states.STOP))
    (change,) = client.stop_instances(InstanceIds=["i-00000001"])["StoppingInstances"]
    assert change["CurrentState"] == {"Code": 80, "Name": "stopped"}
    assert len(door.bus.casts) == 1
    (change,) = client.start_instances(InstanceIds=["i-00000001"])["StartingInstances"]
    assert change["PreviousState"] == {"Code": 80, "Name": "stopped"}
    assert change["CurrentState"] == {"Code": 0, "Name": "pending"}
    assert door.bus.casts[-1] == ("compute.HostB", "start_instance", {"instance_id": 1})


@pytest.mark.parametrize("how", [{"Force": True}, {"SkipOsShutdown": True}])
def test_force(door: Door, joe: User, how: dict[str, bool]) -> None:
    """A stop by force is told as such, again if it is asked for again."""
    _run(door, joe)
    for _ in range(2):
        door.client(joe).stop_instances(InstanceIds=["i-00000001"], **how)
    told = ("compute.HostB", "stop_instance", {"instance_id": 1, "force": True})
    assert door.bus.casts == [told, told]


def test_no_hibernation(door: Door, joe: User) -> None:
    """To hibernate is refused, not passed over."""
    _run(door, joe)
    answer = door.ask(joe, "StopInstances", {**ONE, "Hibernate": "true"})
    assert answer.code == "InvalidParameterValue" and door.bus.casts == []
    assert door.ask(joe, "StopInstances", {**ONE, "Hibernate": "false"}).status == 200


def test_old_clients(door: Door, joe: User) -> None:
    """A client of 2009-11-30 reads the state's own name, after the one before."""
    _run(door, joe)
    answer = door.ask(joe, "StopInstances", ONE, OLD).xml
    (item,) = answer.findall(f"{SPACE}instancesSet/{SPACE}item")
    assert [each.findtext(f"{SPACE}name") for each in item if len(each)] == ["running", "stopping"]
    shown = door.ask(joe, "DescribeInstances", ONE, OLD).xml
    assert shown.findtext(f".//{SPACE}instanceState/{SPACE}name") == "stopping"
    assert shown.findtext(f".//{SPACE}instanceState/{SPACE}code") == "0"


def test_rescue(door: Door, joe: User) -> None:
    """Nova's two own actions take one id, are told the host, and the instance runs meanwhile."""
    _run(door, joe)
    for action, told, after in (
        ("RescueInstance", "rescue_instance", states.SHELTER),
        ("UnrescueInstance", "unrescue_instance", states.RUN),
    ):
        answer = door.ask(joe, action, {"InstanceId": "i-00000001"}, OLD)
        assert answer.xml.findtext(f"{SPACE}return") == "true"
        assert door.bus.casts[-1] == ("compute.HostB", told, {"instance_id": 1})
        (shown,) = door.client(joe).describe_instances()["Reservations"][0]["Instances"]
        assert shown["State"]["Name"] == "running"
        inline(door.database.run(instances.move, 1, after))


@pytest.mark.parametrize(
    ("action", "moves"),
    [
        ("StartInstances", (states.REBOOT,)),
        ("StopInstances", (states.STOP, states.START)),
        ("RescueInstance", (states.REBOOT,)),
        ("UnrescueInstance", ()),
        ("RebootInstances", (states.HALT,)),
    ],
)
def test_wrong_state(door: Door, joe: User, action: str, moves: tuple[states.Move, ...]) -> None:
    """What can't be done in a state is IncorrectInstanceState, and nobody is told."""
    _run(door, joe, *moves)
    name = "InstanceId" if action.endswith("Instance") else "InstanceId.1"
    answer = door.ask(joe, action, {name: "i-00000001"})
    assert (answer.status, answer.code) == (400, "IncorrectInstanceState")
    assert door.bus.casts == []


@pytest.mark.parametrize(
    "action", ["StartInstances", "StopInstances", "RescueInstance", "UnrescueInstance"]
)
def test_who(door: Door, joe: User, eve: User, action: str) -> None:
    """They are the sysadmins' of a project, and others' instances are as good as none."""
    _run(door, joe)
    wanted = {("InstanceId" if action.endswith("Instance") else "InstanceId.1"): "i-00000001"}
    assert door.ask(eve, action, wanted).code == "InvalidInstanceID.NotFound"
    tim = door.add_user("tim")
    inline(door.users.add_member("tim", "joe"))
    assert door.ask(tim, action, wanted, project="joe").code == "UnauthorizedOperation"
    assert door.ask(joe, action).code == "MissingParameter"
    malformed = dict.fromkeys(wanted, "i-x")
    assert door.ask(joe, action, malformed).code == "InvalidInstanceID.Malformed"


def test_protected(door: Door, joe: User, admin: User) -> None:
    """A protected instance is not terminated, by an administrator neither."""
    _run(door, joe)
    inline(
        door.database.run(
            lambda txn: txn.execute(update(table).values(disable_api_termination=True))
        )
    )
    for who in (joe, admin):
        assert door.ask(who, "TerminateInstances", ONE).code == "OperationNotPermitted"
    assert door.bus.casts == []
    assert door.ask(joe, "StopInstances", ONE).status == 200


def test_reason(door: Door, joe: User) -> None:
    """Why a guest could not be started again is told."""
    _run(door, joe)
    inline(door.database.run(instances.move, 1, states.STOP, reason="no memory"))
    (shown,) = door.client(joe).describe_instances()["Reservations"][0]["Instances"]
    assert shown["State"]["Name"] == "stopped"
    assert shown["StateReason"] == {"Code": "Server.InternalError", "Message": "no memory"}
