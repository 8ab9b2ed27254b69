"""Parameters and answers of every action, held to AWS's own model of EC2."""

from __future__ import annotations

from typing import Any

import pytest

from nova_tx.api.ec2.action import actions
from nova_tx.db.engine import Database
from nova_tx.testing import ec2_model
from nova_tx.testing.database import memory_database
from nova_tx.testing.ec2 import NEW, OLD, Door
from nova_tx.testing.ec2_examples import EXAMPLES, furnish

ACTIONS = {name: type(action) for name, action in actions(None).items()}  # type: ignore[arg-type]
KNOWN = [name for name in ACTIONS if ec2_model.known(name)]


@pytest.mark.parametrize("version", [NEW, OLD])
@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_answered(action: str, version: str) -> None:
    """Each action has an example in ec2_examples.py, whose answer is as AWS would say it."""
    assert action in EXAMPLES, f"{action} needs an example in nova_tx/testing/ec2_examples.py"
    for parameters in EXAMPLES[action]:
        door = Door(memory_database())
        joe = furnish(door)
        answer = door.ask(joe, action, parameters, version, method="POST")
        assert answer.status == 200, answer.body
        # what the door does for new clients, said here of all
        faults = ec2_model.faults(action, answer.body) if version == NEW else []
        assert not faults
        assert answer.xml.tag == f"{{http://ec2.amazonaws.com/doc/{version}/}}{action}Response"


@pytest.mark.parametrize("action", KNOWN)
def test_every_parameter_is_known(action: str) -> None:
    """No action declares or ignores what AWS's does not take, but for what is listed."""
    assert ec2_model.strange_parameters(ACTIONS[action]) == []


START = '<{0}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
RUNNING = (
    "<reservationSet><item><instancesSet><item>{}</item></instancesSet></item></reservationSet>"
)


def answered(action: str, content: str) -> bytes:
    """An answer of an action."""
    return f"{START.format(action)}{content}</{action}Response>".encode()


@pytest.mark.parametrize(
    ("action", "answer", "fault"),
    [
        ("RebootInstances", b"<a>", "does not parse"),
        ("RebootInstances", answered("DeleteKeyPair", ""), "is called DeleteKeyPairResponse"),
        ("RebootInstances", b"<RebootInstancesResponse/>", "no requestId"),
        ("RebootInstances", answered("RebootInstances", "<instancesSet/>"), "it says"),
        ("DescribeInstances", answered("DescribeInstances", "<instancesSet/>"), "is nothing that"),
        *(
            ("DescribeInstances", answered("DescribeInstances", RUNNING.format(content)), fault)
            for content, fault in (
                ("<keyName>a</keyName><keyName>b</keyName>", "is there 2 times"),
                ("<keyname>a</keyname>", "keyname is nothing that Instance has"),
                ("<keyName><item>a</item></keyName>", "has elements in it"),
                ("<placement>nova</placement>", "has a text"),
                ("<groupSet><group/></groupSet>", "has a group in its list"),
                ("<launchTime>2011-02-15 07:28:32</launchTime>", "no timestamp"),
                ("<launchTime/>", "no timestamp"),
                ("<amiLaunchIndex>one</amiLaunchIndex>", "no integer"),
                ("<ebsOptimized>True</ebsOptimized>", "no boolean"),
                ("<instanceState><name>scheduling</name></instanceState>", "no InstanceStateName"),
            )
        ),
    ],
)
def test_faults_are_found(action: str, answer: bytes, fault: str) -> None:
    """What is not as AWS says it is told, with its place."""
    found = ec2_model.faults(action, answer)
    assert any(fault in each for each in found), found


def test_every_answer_at_the_door_is_held(database: Database, monkeypatch: Any) -> None:
    """An answer with an element that AWS has not fails the test that asked for it."""
    monkeypatch.delitem(ec2_model.ELEMENTS, ("Instance", "displayName"))
    door = Door(database)
    with pytest.raises(AssertionError, match="displayName is nothing that Instance has"):
        furnish(door)
        door.ask(door.add_user("eve"), "DescribeInstances", {})


def test_exceptions_are_needed() -> None:
    """What is listed as ours alone is nothing that the model has."""
    model = ec2_model.model()
    for shape, name in ec2_model.ELEMENTS:
        members = model.shape_for(shape).members.items()
        assert name not in [each.serialization.get("name", key) for key, each in members]
    for action, name in ec2_model.PARAMETERS:
        assert name not in dict(ec2_model.aws_parameters(action))
    for shape in ec2_model.VALUES:
        assert model.shape_for(shape).enum
