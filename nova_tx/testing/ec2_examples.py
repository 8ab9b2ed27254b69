"""
Requests of each action that succeed on a furnished door: L{EXAMPLES}, to be tried and to be spoilt.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from nova_tx import states
from nova_tx.db import instances, services
from nova_tx.model import User
from nova_tx.testing.ec2 import Door, an_image, inline

Requests = Sequence[Mapping[str, str]]

#: Instance 1 runs, instance 2 is stopped; both are joe's.
RUNS, STOPPED = "i-00000001", "i-00000002"

_FILTER = {"Filter.1.Name": "tag:role", "Filter.1.Value.1": "web*", "MaxResults": "5"}
#: An ED25519 key's public half, as ssh-keygen writes it.
PUBLIC_KEY = base64.b64encode(
    b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
).decode()

#: By action, requests of joe, an administrator; each finds a door just furnished.
EXAMPLES: Mapping[str, Requests] = {
    # instances
    "DescribeInstances": ({}, {"InstanceId.1": RUNS}),
    "GetConsoleOutput": ({"InstanceId": RUNS},),
    "RebootInstances": ({"InstanceId.1": RUNS},),
    "RunInstances": (
        {"ImageId": "ami-tiny"},
        {
            "ImageId": "ami-tiny",
            "MinCount": "1",
            "MaxCount": "3",
            "InstanceType": "m1.small",
            "KeyName": "there",
            "SecurityGroup.1": "default",
            "UserData": base64.b64encode(b"hello").decode(),
            "Placement.AvailabilityZone": "nova",
            "DisplayName": "web",
        },
    ),
    "TerminateInstances": ({"InstanceId.1": RUNS, "InstanceId.2": STOPPED},),
    # images
    "DeregisterImage": ({"ImageId": "ami-mine"},),
    "DescribeImages": ({}, {"ImageId.1": "ami-mine"}, {"Owner.1": "self"}),
    "RegisterImage": ({"ImageLocation": "bucket/image.manifest.xml"},),
    # key pairs
    "CreateKeyPair": ({"KeyName": "made"},),
    "DeleteKeyPair": ({"KeyName": "there"},),
    "DescribeKeyPairs": ({}, {"KeyName.1": "there"}, {"IncludePublicKey": "true"}),
    "ImportKeyPair": ({"KeyName": "mine", "PublicKeyMaterial": PUBLIC_KEY},),
    # security groups
    "DescribeSecurityGroups": ({}, {"GroupName.1": "default"}),
    # zones and regions
    "DescribeAvailabilityZones": ({}, {"ZoneName.1": "nova"}, {"ZoneName.1": "verbose"}),
    "DescribeRegions": ({}, {"RegionName.1": "nova"}),
}


def furnish(door: Door) -> User:
    """Give a new door what the examples speak of; returns joe."""
    joe = door.add_user("joe", is_admin=True)
    door.images.put(an_image(), an_image(id="ami-mine", owner="joe"))
    door.images.bundles["bucket/image.manifest.xml"] = ("joe", b"a disk")
    door.bus.answers["get_console_output"] = "login: "
    inline(door.database.run(services.report, "HostB", "nova-compute", "compute", "nova", True))
    assert door.ask(joe, "CreateKeyPair", {"KeyName": "there"}).status == 200
    run = {"ImageId": "ami-mine", "MinCount": "2", "MaxCount": "2", "KeyName": "there"}
    assert door.ask(joe, "RunInstances", run).status == 200
    inline(door.database.run(_settle))
    return joe


def _settle(txn: Connection) -> None:
    """Both instances have been built on HostB; the second has switched itself off."""
    for number in (1, 2):
        for way in (states.BUILD, states.RUN):
            instances.move(txn, number, way, host="HostB")
    instances.move(txn, 2, states.STOP)
