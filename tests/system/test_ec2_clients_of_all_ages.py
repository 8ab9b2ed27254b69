"""
EC2's clients of every age, on a cloud of daemons with fake guests: each asks for all it knows.
"""

from __future__ import annotations

import re
import signal
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ec2_client import EMPTY, Client
from ec2_client_aws import AwsCli, Boto3
from ec2_client_boto2 import Boto2, Boto2Of2009
from ec2_client_euca import Euca2ools1, Euca2ools3, Euca2ools32
from ec2_client_libcloud import LibcloudAmazon, LibcloudEucalyptus

from nova_tx.api.ec2.action import actions
from nova_tx.db import overview
from nova_tx.testing.daemons import Daemons, free_plan, until

CLIENTS = (
    *(Euca2ools1, Euca2ools32, Euca2ools3, Boto2Of2009, Boto2),
    *(LibcloudEucalyptus, LibcloudAmazon, Boto3, AwsCli),
)
ACTIONS = list(actions(None))  # type: ignore[arg-type]


@dataclass
class Scene:
    """
    What a story is about.

    @ivar location: of a bundle that can be registered.
    @ivar instance: the instance that was run.
    @ivar made: the image that was registered, or made of the instance.
    """

    cloud: Daemons
    location: str
    image: str
    instance: str = ""
    made: str = ""

    def until_image(self, client: Client) -> None:
        """Wait until the image that was made is there."""
        until(lambda: client.DescribeImages(self.made)[self.made] == "available", "the image")  # type: ignore[attr-defined]

    def until_state(self, client: Any, *states: str, row: str = "") -> None:
        """
        Wait until the instance is in one of some states as the client sees it.

        @param row: as Nova sees it; for AWS's clients much is running that is not there yet.
        """
        if row:
            until(lambda: self._row() == row, f"{self.instance} to be {row}")
        until(
            lambda: client.DescribeInstances(self.instance).get(self.instance) in states,
            f"{self.instance} to be {' or '.join(states)}",
        )

    def _row(self) -> str:
        rows = self.cloud.read(overview.instances, None)
        [found] = [each for each in rows if each.hostname == self.instance]
        return found.state_description


Step = Callable[[Any, Scene], None]


def mine(client: Client) -> str:
    """A name for what this client makes."""
    return f"of-{type(client).__name__}"


def regions(client: Any, scene: Scene) -> None:
    assert client.DescribeRegions() == ["nova"]


def zones(client: Any, scene: Scene) -> None:
    assert client.DescribeAvailabilityZones() == ["nova"]


def account(client: Any, scene: Scene) -> None:
    assert "supported-platforms" in client.DescribeAccountAttributes()


def types(client: Any, scene: Scene) -> None:
    assert "m1.tiny" in client.DescribeInstanceTypes()


def offerings(client: Any, scene: Scene) -> None:
    assert "m1.tiny" in client.DescribeInstanceTypeOfferings()


def no_vpc(client: Any, scene: Scene) -> None:
    with pytest.raises(Exception, match=r"InvalidVpcID\.NotFound"):
        client.DescribeVpcAttribute("vpc-1")


def groups(client: Any, scene: Scene) -> None:
    assert "default" in client.DescribeSecurityGroups()


def none_of(action: str) -> Step:
    def step(client: Any, scene: Scene) -> None:
        assert client.nothing(action) == []

    return step


def create_key_pair(client: Any, scene: Scene) -> None:
    assert client.CreateKeyPair(mine(client)).startswith("-----BEGIN RSA PRIVATE KEY-----")


def import_key_pair(client: Any, scene: Scene) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert client.ImportKeyPair(f"{mine(client)}-2", f"{line} joe@laptop") == f"{mine(client)}-2"


def key_pairs(client: Any, scene: Scene) -> None:
    assert mine(client) in client.DescribeKeyPairs()


def delete_key_pairs(client: Any, scene: Scene) -> None:
    client.DeleteKeyPair(mine(client))
    assert mine(client) not in client.DescribeKeyPairs()


def register(client: Any, scene: Scene) -> None:
    scene.made = client.RegisterImage(scene.location)
    assert scene.made.startswith("ami-")


def images(client: Any, scene: Scene) -> None:
    scene.until_image(client)


def open_image(client: Any, scene: Scene) -> None:
    client.ModifyImageAttribute(scene.made)


def image_is_open(client: Any, scene: Scene) -> None:
    assert client.DescribeImageAttribute(scene.made) == ["all"]


def close_image(client: Any, scene: Scene) -> None:
    client.ResetImageAttribute(scene.made)
    assert client.DescribeImageAttribute(scene.made) == []


def update_image(client: Any, scene: Scene) -> None:
    client.UpdateImage(scene.made)


def deregister(client: Any, scene: Scene) -> None:
    client.DeregisterImage(scene.made)


def run(client: Any, scene: Scene) -> None:
    scene.instance = client.RunInstances(scene.image, mine(client))


def runs(client: Any, scene: Scene) -> None:
    scene.until_state(client, "running")


def runs_v6(client: Any, scene: Scene) -> None:
    assert client.DescribeInstancesV6(scene.instance) == {scene.instance: "running"}


def status(client: Any, scene: Scene) -> None:
    assert client.DescribeInstanceStatus(scene.instance) == {scene.instance: "running"}


def console(client: Any, scene: Scene) -> None:
    assert client.GetConsoleOutput(scene.instance)


def protect(client: Any, scene: Scene) -> None:
    client.ModifyInstanceAttribute(scene.instance, True)


def unprotect(client: Any, scene: Scene) -> None:
    if client.can("DescribeInstanceAttribute"):
        assert client.DescribeInstanceAttribute(scene.instance) is True
    client.ModifyInstanceAttribute(scene.instance, False)


def is_not_protected(client: Any, scene: Scene) -> None:
    assert client.DescribeInstanceAttribute(scene.instance) is False


def update_instance(client: Any, scene: Scene) -> None:
    client.UpdateInstance(scene.instance)


def reset_attribute(client: Any, scene: Scene) -> None:
    client.ResetInstanceAttribute(scene.instance)


def tag(client: Any, scene: Scene) -> None:
    client.CreateTags(scene.instance, "role", "web")


def tagged(client: Any, scene: Scene) -> None:
    assert client.DescribeTags(scene.instance)["role"] == "web"


def untag(client: Any, scene: Scene) -> None:
    client.DeleteTags(scene.instance, "role")
    assert "role" not in client.DescribeTags(scene.instance)


def reboot(client: Any, scene: Scene) -> None:
    client.RebootInstances(scene.instance)
    scene.until_state(client, "running", row="running")


def rescue(client: Any, scene: Scene) -> None:
    client.RescueInstance(scene.instance)
    scene.until_state(client, "rescued", "running", row="rescued")


def unrescue(client: Any, scene: Scene) -> None:
    client.UnrescueInstance(scene.instance)
    scene.until_state(client, "running", row="running")


def create_image(client: Any, scene: Scene) -> None:
    scene.made = client.CreateImage(scene.instance, mine(client))
    scene.until_image(client)
    scene.until_state(client, "running", row="running")


def stop(client: Any, scene: Scene) -> None:
    client.StopInstances(scene.instance)
    scene.until_state(client, "stopped", "shutdown", row="shutdown")


def start(client: Any, scene: Scene) -> None:
    client.StartInstances(scene.instance)
    scene.until_state(client, "running", row="running")


def terminate(client: Any, scene: Scene) -> None:
    client.TerminateInstances(scene.instance)
    scene.until_state(client, "terminated")


#: The story: actions, each with what is done with it; those of the client that we have are told.
STORY: tuple[tuple[str, Step], ...] = (
    ("DescribeRegions", regions),
    ("DescribeAvailabilityZones", zones),
    ("DescribeAccountAttributes", account),
    ("DescribeInstanceTypes", types),
    ("DescribeSecurityGroups", groups),
    ("DescribeInstanceTypeOfferings", offerings),
    *((action, none_of(action)) for action in EMPTY),
    ("DescribeVpcAttribute", no_vpc),
    ("CreateKeyPair", create_key_pair),
    ("ImportKeyPair", import_key_pair),
    ("DescribeKeyPairs", key_pairs),
    ("RegisterImage", register),
    ("DescribeImages", images),
    ("ModifyImageAttribute", open_image),
    ("DescribeImageAttribute", image_is_open),
    ("ResetImageAttribute", close_image),
    ("UpdateImage", update_image),
    ("DeregisterImage", deregister),
    ("RunInstances", run),
    ("DescribeInstances", runs),
    ("DescribeInstancesV6", runs_v6),
    ("DescribeInstanceStatus", status),
    ("GetConsoleOutput", console),
    ("ModifyInstanceAttribute", protect),
    ("ModifyInstanceAttribute", unprotect),
    ("DescribeInstanceAttribute", is_not_protected),
    ("UpdateInstance", update_instance),
    ("CreateTags", tag),
    ("DescribeTags", tagged),
    ("DeleteTags", untag),
    ("RebootInstances", reboot),
    ("RescueInstance", rescue),
    ("UnrescueInstance", unrescue),
    ("CreateImage", create_image),
    ("StopInstances", stop),
    ("ResetInstanceAttribute", reset_attribute),
    ("StartInstances", start),
    ("TerminateInstances", terminate),
    ("DeleteKeyPair", delete_key_pairs),
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """Five daemons, and one image."""
    made = Daemons(tmp_path_factory.mktemp("clients") / "cloud", "--quota_instances=100")
    try:
        made.up(free_plan(made.directory))
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def scene(cloud: Daemons) -> Scene:
    """Two bundles, one of them registered: whoever is rescued boots that."""
    image = cloud.publish("images", "tiny", b"a disk" * 1000)
    until(lambda: cloud.image_state(image) == "available", "the image")
    cloud.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    with open(cloud.flagfile, "a", encoding="utf-8") as flags:
        flags.write(f"--rescue_image_id={image}\n--rescue_kernel_id=\n--rescue_ramdisk_id=\n")
    cloud.ended(cloud.signal("nova-compute", signal.SIGTERM))
    cloud.start_daemon("nova-compute")
    return Scene(cloud, cloud.upload("more", "other", b"another disk" * 1000, cloud.s3), image)


@pytest.mark.parametrize("made", CLIENTS, ids=lambda each: each.__name__)
def test_a_client_asks_for_all_it_knows(made: type[Client], scene: Scene) -> None:
    """Every action that a client has and we have is answered as that client understands it."""
    client = made(scene.cloud.environment)
    before = len(scene.cloud.log("nova-api"))
    for action, step in STORY:
        if action in ACTIONS and client.can(action):
            try:
                step(client, scene)
            except Exception as error:
                error.add_note(f"{made.__name__}, {action}")
                raise
    said = scene.cloud.log("nova-api")[before:]
    asked = [action for action in ACTIONS if re.search(rf"\b{action}\b", said)]
    wanted = [each for each in ACTIONS if client.has(each) and each not in client.unused]
    assert sorted(asked) == sorted(wanted)
    assert "Traceback" not in said


@pytest.mark.parametrize("made", CLIENTS, ids=lambda each: each.__name__)
def test_a_client_understands_a_refusal(made: type[Client], scene: Scene) -> None:
    """Every client finds AWS's code in the answer that says what is wrong."""
    assert made(scene.cloud.environment).refusal("i-0fffffff") == "InvalidInstanceID.NotFound"


def test_the_story_has_every_action() -> None:
    """No action is left out of the story."""
    told = {action for action, _ in STORY}
    assert [action for action in ACTIONS if action not in told] == []


class Told:
    """What boto's parser leaves of an answer or an item: the last value of a name wins."""

    def __init__(self, connection: object = None) -> None:
        self.connection = connection

    def startElement(self, name: str, attributes: object, connection: object) -> None:
        return None

    def endElement(self, name: str, value: str, connection: object) -> None:
        setattr(self, name, value)


def test_an_administrator_of_2011(scene: Scene) -> None:
    """Asked as nova-adminclient does, over boto, the other door makes a user who can work."""
    novarc = scene.cloud.environment
    boto2 = Boto2(novarc)
    boto2.ec2.APIVersion = "nova"
    boto2.ec2.path = "/services/Admin"
    ask = boto2.ec2
    made: Any = ask.get_object("RegisterUser", {"Name": "zed"}, Told)
    project = {"Name": "zed", "ManagerUser": "zed", "Description": None, "MemberUsers": None}
    assert ask.get_object("RegisterProject", project, Told).description == "zed"
    grant = {"User": "zed", "Role": "sysadmin", "Project": None, "Operation": "add"}
    assert ask.get_status("ModifyUserRole", grant)
    (host,) = ask.get_list("DescribeHosts", {}, [("item", Told)])
    assert (host.compute, host.volumeCount) == ("up", "0")
    found: Any = ask.get_object("GenerateX509ForUser", {"Name": "zed", "Project": "zed"}, Told)
    with ZipFile(BytesIO(b64decode(found.file))) as packed:
        assert f'EC2_SECRET_KEY="{made.secretkey}"\n'.encode() in packed.read("novarc")
    theirs = {"EC2_ACCESS_KEY": made.accesskey, "EC2_SECRET_KEY": made.secretkey}
    zed = Boto2({**novarc, **theirs})
    assert zed.CreateKeyPair("k").startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert ask.get_status("DeregisterProject", {"Name": "zed"})
    assert ask.get_status("DeregisterUser", {"Name": "zed"})
    log = scene.cloud.log("nova-api")
    assert "GenerateX509ForUser" in log and made.secretkey not in log
