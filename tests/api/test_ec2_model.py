"""Parameters and answers of every action, held to AWS's own model of EC2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nova_tx.db.engine import Database
from nova_tx.testing import ec2_model
from nova_tx.testing.database import memory_database
from nova_tx.testing.ec2 import NEW, Door
from nova_tx.testing.ec2_examples import CLOUD, ENTRANCES, Entrance, furnish

KNOWN = [name for name in CLOUD.actions if ec2_model.known(name)]


@pytest.mark.parametrize(
    ("entrance", "action", "version"),
    [
        pytest.param(each, action, version, id=f"{each.path}-{action}-{version}")
        for each in ENTRANCES
        for action in each.actions
        for version in each.versions
    ],
)
def test_every_action_is_answered(
    tmp_path: Path, entrance: Entrance, action: str, version: str
) -> None:
    """Each action has an example in ec2_examples.py, whose answer is as AWS would say it."""
    examples = entrance.examples
    assert action in examples, f"{action} needs an example in nova_tx/testing/ec2_examples.py"
    for parameters in examples[action]:
        door = Door(memory_database(), f"--ca_path={tmp_path}/CA")
        joe = furnish(door)
        answer = door.ask(joe, action, parameters, version, method="POST", path=entrance.path)
        assert answer.status == 200, answer.body
        # what the door does for new clients, said here of all
        faults = ec2_model.faults(action, answer.body) if version == NEW else []
        assert not faults
        assert answer.xml.tag == f"{{http://ec2.amazonaws.com/doc/{version}/}}{action}Response"


@pytest.mark.parametrize("action", KNOWN)
def test_every_parameter_is_known(action: str) -> None:
    """No action declares or ignores what AWS's does not take, but for what is listed."""
    assert ec2_model.strange_parameters(CLOUD.actions[action]) == []


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
        door.ask(door.add_user("ann"), "DescribeInstances", {})


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
