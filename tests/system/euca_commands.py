"""
The commands of euca2ools 1.3 that the manual uses: its requests, and the lines it printed.

C{python euca_commands.py euca-describe-images …}, in the environment that a novarc made.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from ec2_client_euca import Euca2ools1

from nova_tx.image.bundles import bundle


def describe_images(euca: Euca2ools1, words: Sequence[str]) -> None:
    """A line for each image."""
    for image in euca.ask("DescribeImages").iterfind("imagesSet/item"):
        public = "public" if image.findtext("isPublic") == "true" else "private"
        names = ("imageId", "imageLocation", "imageOwnerId", "imageState")
        _print("IMAGE", *_texts(image, *names), public, "", *_texts(image, "architecture"))


def add_keypair(euca: Euca2ools1, words: Sequence[str]) -> None:
    """A key's name and fingerprint, and the key."""
    (name,) = words
    made = euca.ask("CreateKeyPair", KeyName=name)
    _print("KEYPAIR", *_texts(made, "keyName", "keyFingerprint"))
    print(made.findtext("keyMaterial"))


def run_instances(euca: Euca2ools1, words: Sequence[str]) -> None:
    """A reservation, and its instances."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-k")
    parser.add_argument("-t")
    parser.add_argument("image")
    said = parser.parse_args(words)
    asked = {"ImageId": said.image, "KeyName": said.k, "InstanceType": said.t}
    _reservation(euca.ask("RunInstances", **asked, MinCount="1", MaxCount="1"))


def describe_instances(euca: Euca2ools1, words: Sequence[str]) -> None:
    """All reservations, and their instances."""
    named = {f"InstanceId_{place}": word for place, word in enumerate(words, 1)}
    for each in euca.ask("DescribeInstances", **named).iterfind("reservationSet/item"):
        _reservation(each)


def terminate_instances(euca: Euca2ools1, words: Sequence[str]) -> None:
    """A line for each instance that ends."""
    named = {f"InstanceId_{place}": word for place, word in enumerate(words, 1)}
    for each in euca.ask("TerminateInstances", **named).iterfind("instancesSet/item"):
        _print("INSTANCE", *_texts(each, "instanceId"))


def bundle_image(euca: Euca2ools1, words: Sequence[str]) -> None:
    """Bundle a file with the keys that the environment names."""
    dash, path = words
    assert dash == "-i"
    names = ("EC2_PRIVATE_KEY", "EC2_CERT", "EUCALYPTUS_CERT")
    keys = [Path(os.environ[name]).read_bytes() for name in names]
    made = bundle(path, "/tmp", Path(path).name, "x86_64", None, None, *keys)
    print(f"Generating manifest {made[-1]}")


def _reservation(found: Element) -> None:
    groups = found.findall("groupSet/item/groupId")
    _print("RESERVATION", *_texts(found, "reservationId", "ownerId"), *(x.text for x in groups))
    for each in found.iterfind("instancesSet/item"):
        first = ("instanceId", "imageId", "dnsName", "privateDnsName", "instanceState/name")
        then = ("keyName", "amiLaunchIndex", "instanceType", "launchTime")
        zone = "placement/availabilityZone"
        _print("INSTANCE", *_texts(each, *first, *then, zone))


def _texts(found: Element, *paths: str) -> list[str]:
    return [found.findtext(path) or "" for path in paths]


def _print(*words: object) -> None:
    print("\t".join(map(str, words)))


_COMMANDS: dict[str, Callable[[Euca2ools1, Sequence[str]], None]] = {
    "euca-describe-images": describe_images,
    "euca-add-keypair": add_keypair,
    "euca-run-instances": run_instances,
    "euca-describe-instances": describe_instances,
    "euca-terminate-instances": terminate_instances,
    "euca-bundle-image": bundle_image,
}

if __name__ == "__main__":
    _COMMANDS[sys.argv[1]](Euca2ools1(os.environ), sys.argv[2:])
