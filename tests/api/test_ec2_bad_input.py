"""Bad input has its AWS code and a sentence, and changes nothing."""

from __future__ import annotations

import base64

import pytest

from nova_tx import states
from nova_tx.db import instances, services
from nova_tx.errors import RemoteTimeout, Unavailable
from nova_tx.model.users import User
from nova_tx.testing.ec2 import NEW, OLD, Answered, Door, an_image, inline

RUN = {"ImageId": "ami-tiny"}
ANY = {"Filter.1.Value.1": "*"}
BIG = base64.b64encode(bytes(16 * 1024 + 1)).decode()


@pytest.fixture
def shelf(door: Door) -> Door:
    """Images in every state, and a zone."""
    door.images.put(
        an_image(id="ami-pending", state="decrypting"),
        an_image(id="ami-failed", state="failed", state_reason="wrong digest"),
        an_image(id="ami-private", owner="eve", is_public=False),
        an_image(id="aki-1", type="kernel"),
    )
    inline(door.database.run(services.report, "HostB", "nova-compute", "compute", "nova", True))
    return door


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize(
    ("action", "parameters", "code"),
    [
        ("NoSuchAction", {}, "InvalidAction"),
        ("<b>&", {}, "InvalidAction"),
        ("RunInstances", {}, "MissingParameter"),
        ("RunInstances", {"ImageId": "tiny"}, "InvalidAMIID.Malformed"),
        ("RunInstances", {"ImageId": "ami-../../etc/passwd"}, "InvalidAMIID.Malformed"),
        ("RunInstances", {"ImageId": "ami-none"}, "InvalidAMIID.NotFound"),
        ("RunInstances", {"ImageId": "ami-private"}, "InvalidAMIID.NotFound"),
        ("RunInstances", {"ImageId": "ami-pending"}, "InvalidAMIID.Unavailable"),
        ("RunInstances", {"ImageId": "ami-failed"}, "InvalidAMIID.Unavailable"),
        ("RunInstances", {"ImageId": "aki-1"}, "InvalidParameterValue"),
        ("RunInstances", {**RUN, "KernelId": "aki-none"}, "InvalidAMIID.NotFound"),
        ("RunInstances", {**RUN, "RamdiskId": "ami-pending"}, "InvalidAMIID.Unavailable"),
        ("RunInstances", {**RUN, "InstanceType": "<b>&x"}, "InvalidParameterValue"),
        ("RunInstances", {**RUN, "KeyName": "nokey"}, "InvalidKeyPair.NotFound"),
        ("RunInstances", {**RUN, "SecurityGroup.1": "nogroup"}, "InvalidGroup.NotFound"),
        ("RunInstances", {**RUN, "MinCount": "0"}, "InvalidParameterValue"),
        ("RunInstances", {**RUN, "MaxCount": "-5"}, "InvalidParameterValue"),
        ("RunInstances", {**RUN, "MinCount": "2", "MaxCount": "1"}, "InvalidParameterValue"),
        ("RunInstances", {**RUN, "MinCount": "many"}, "InvalidParameterValue"),
        ("RunInstances", {**RUN, "MinCount": "11"}, "InstanceLimitExceeded"),
        ("RunInstances", {**RUN, "UserData": "%%%"}, "InvalidParameterValue"),
        ("RunInstances", {**RUN, "UserData": "é"}, "InvalidParameterValue"),
        ("RunInstances", {**RUN, "UserData": BIG}, "InvalidParameterValue"),
        ("RunInstances", {**RUN, "Placement.AvailabilityZone": "mars"}, "InvalidParameterValue"),
        ("RunInstances", {**RUN, "Unheard": "of"}, "UnknownParameter"),
        ("RunInstances", {**RUN, "DisplayName": "x" * 300}, "InvalidParameterValue"),
        ("DescribeInstances", {"InstanceId.1": "zzz"}, "InvalidInstanceID.Malformed"),
        ("DescribeInstances", {"InstanceId.1": "i-ffffffff"}, "InvalidInstanceID.Malformed"),
        ("DescribeInstances", {"InstanceId.1": "i-0fffffff"}, "InvalidInstanceID.NotFound"),
        ("DescribeInstances", {"Filter.1.Name": "x"}, "MissingParameter"),
        ("DescribeInstances", {"Filter.1.Name": "x", **ANY}, "InvalidParameterValue"),
        ("DescribeInstances", {"MaxResults": "4"}, "InvalidParameterValue"),
        ("DescribeInstances", {"NextToken": "x"}, "InvalidNextToken"),
        ("TerminateInstances", {}, "MissingParameter"),
        ("TerminateInstances", {"InstanceId.1": "i-0fffffff"}, "InvalidInstanceID.NotFound"),
        ("RebootInstances", {"InstanceId.1": "i-0fffffff"}, "InvalidInstanceID.NotFound"),
        ("GetConsoleOutput", {}, "MissingParameter"),
        (
            "GetConsoleOutput",
            {"InstanceId.1": "i-1", "InstanceId.2": "i-2"},
            "InvalidParameterCombination",
        ),
        ("DescribeImages", {"ImageId.1": "ami-none"}, "InvalidAMIID.NotFound"),
        ("DescribeImages", {"ImageId.1": "x"}, "InvalidAMIID.Malformed"),
        ("RegisterImage", {}, "MissingParameter"),
        ("RegisterImage", {"ImageLocation": "nobucket"}, "InvalidParameterValue"),
        ("DeregisterImage", {"ImageId": "ami-none"}, "InvalidAMIID.NotFound"),
        ("CreateKeyPair", {}, "MissingParameter"),
        ("CreateKeyPair", {"KeyName": ""}, "MissingParameter"),
        ("CreateKeyPair", {"KeyName": "x" * 300}, "InvalidParameterValue"),
        ("CreateKeyPair", {"KeyName": "a\nb"}, "InvalidParameterValue"),
        ("CreateKeyPair", {"KeyName": "schlüssel"}, "InvalidParameterValue"),
        ("CreateKeyPair", {"KeyName": " k"}, "InvalidParameterValue"),
        ("CreateKeyPair", {"KeyName": "k "}, "InvalidParameterValue"),
        ("CreateKeyPair", {"KeyName": "k", "KeyType": "dsa"}, "InvalidParameterValue"),
        ("CreateKeyPair", {"KeyName": "k", "KeyFormat": "ppk"}, "InvalidParameterValue"),
        ("ImportKeyPair", {"KeyName": "k"}, "MissingParameter"),
        ("ImportKeyPair", {"PublicKeyMaterial": "c3No"}, "MissingParameter"),
        ("ImportKeyPair", {"KeyName": "k", "PublicKeyMaterial": "c3No"}, "InvalidKey.Format"),
        ("DescribeKeyPairs", {"KeyPairId.1": "key-0fffffff"}, "InvalidKeyPair.NotFound"),
        ("DescribeKeyPairs", {"KeyPairId.1": "key-ffffffff"}, "InvalidKeyPair.NotFound"),
        ("DescribeKeyPairs", {"KeyPairId.1": "schlüssel"}, "InvalidKeyPair.NotFound"),
        ("DeleteKeyPair", {}, "MissingParameter"),
        (
            "DeleteKeyPair",
            {"KeyName": "k", "KeyPairId": "key-00000001"},
            "InvalidParameterCombination",
        ),
        ("DescribeKeyPairs", {"KeyName.1": "nokey"}, "InvalidKeyPair.NotFound"),
        ("DescribeSecurityGroups", {"GroupName.1": "nogroup"}, "InvalidGroup.NotFound"),
        ("DescribeAvailabilityZones", {"ZoneName.1": "mars"}, "InvalidParameterValue"),
        ("DescribeRegions", {"RegionName.1": "mars"}, "InvalidParameterValue"),
    ],
)
def test_refused(
    shelf: Door, joe: User, action: str, parameters: dict[str, str], code: str, version: str
) -> None:
    """What can't be done is refused with its AWS code, a sentence, 4xx, and nothing is made."""
    answer = shelf.ask(joe, action, parameters, version, method="POST")
    assert (answer.status, answer.code) == (400, code)
    assert len(answer.xml.findtext(".//Message") or "") > 10
    assert b"<item>" not in shelf.ask(joe, "DescribeInstances").body
    assert shelf.bus.casts == []


def test_duplicate_key_pair(door: Door, joe: User) -> None:
    """A name is taken once; the first key stays."""
    assert door.ask(joe, "CreateKeyPair", {"KeyName": "k"}).status == 200
    before = door.ask(joe, "DescribeKeyPairs").xml.findtext(".//{*}keyFingerprint")
    assert door.ask(joe, "CreateKeyPair", {"KeyName": "k"}).code == "InvalidKeyPair.Duplicate"
    assert door.ask(joe, "DescribeKeyPairs").xml.findtext(".//{*}keyFingerprint") == before


def test_one_bad_id_spoils_all(door: Door, joe: User) -> None:
    """Terminate or reboot [valid, unknown] changes nothing.  [W10]"""
    door.ask(joe, "RunInstances", RUN)
    both = {"InstanceId.1": "i-00000001", "InstanceId.2": "i-0fffffff"}
    for action in ("TerminateInstances", "RebootInstances"):
        assert door.ask(joe, action, both).code == "InvalidInstanceID.NotFound"
    assert b"<name>scheduling</name>" in door.ask(joe, "DescribeInstances", {}, OLD).body


def test_reboot_of_what_does_not_run(door: Door, joe: User) -> None:
    """Rebooting what does not run is IncorrectInstanceState."""
    door.ask(joe, "RunInstances", RUN)
    answer = door.ask(joe, "RebootInstances", {"InstanceId.1": "i-00000001"})
    assert answer.code == "IncorrectInstanceState"


def test_no_scheduler(door: Door, joe: User) -> None:
    """If the bus is down the rows are safe, and the answer says so: the scheduler finds them."""
    door.bus.failure = Unavailable("the broker does not answer")
    assert door.ask(joe, "RunInstances", RUN).status == 200
    assert b"scheduling" in door.ask(joe, "DescribeInstances", {}, OLD).body


def test_compute_does_not_answer(door: Door, joe: User) -> None:
    """A host that does not answer is 503, and the text says no more than that."""
    door.ask(joe, "RunInstances", RUN)
    inline(door.database.run(instances.move, 1, states.BUILD, host="HostB"))
    door.bus.failure = RemoteTimeout("compute.HostB did not answer in 60 seconds")
    answer = door.ask(joe, "GetConsoleOutput", {"InstanceId": "i-00000001"})
    assert (answer.status, answer.code) == (503, "Unavailable")
    assert b"HostB" not in answer.body
    assert door.ask(joe, "TerminateInstances", {"InstanceId.1": "i-00000001"}).status == 200


def test_our_own_fault(door: Door, joe: User, logged_errors: object) -> None:
    """A failure of ours is an opaque 500 with the request's id; its cause is in the log only."""

    class Broken(Exception):
        pass

    async def listed(*_: object) -> None:
        raise Broken("SELECT secret FROM users")

    door.images.list = listed  # type: ignore[method-assign]
    answer: Answered = door.ask(joe, "DescribeImages")
    assert (answer.status, answer.code) == (500, "InternalError")
    request_id = answer.xml.findtext("RequestID") or "none"
    assert request_id in (answer.xml.findtext(".//Message") or "")
    assert b"SELECT" not in answer.body and b"Traceback" not in answer.body
    assert len(logged_errors.flush(Broken)) == 1  # type: ignore[attr-defined]


def test_any_text_is_a_name(door: Door, joe: User) -> None:
    """Markup and what looks like a number come back as they were.  [W15]"""
    for name in ("<b>&amp;", "0123", "1e3", "None", "a b", "~" * 255):
        made = door.ask(joe, "CreateKeyPair", {"KeyName": name}, method="POST")
        assert made.xml.findtext("{*}keyName") == name
        shown = door.ask(joe, "DescribeKeyPairs", {"KeyName.1": name})
        assert shown.xml.findtext(".//{*}keyName") == name
        assert door.ask(joe, "DeleteKeyPair", {"KeyName": name}).status == 200
