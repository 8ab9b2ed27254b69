"""The metadata service."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, update

from nova_tx.api.metadata import LONGEST_TOKEN, VERSIONS, Tokens, look_up, tree
from nova_tx.db.schema import fixed_ips, networks
from nova_tx.errors import NotFound
from nova_tx.model.instances import InstanceDetails
from nova_tx.model.users import User
from nova_tx.testing.ec2 import Answered, Door, inline
from nova_tx.testing.rows import an_instance

NOW = datetime(2011, 2, 15)
GUEST = InstanceDetails(
    an_instance(
        hostname="i-00000001",
        key_name="my=key",
        key_data="ssh-rsa AAAA joe",
        user_data="aGVs\nbG8=",
        kernel_id="aki-1",
        launch_index=3,
    ),
    "10.0.0.2",
    "4.4.4.1",
    ("web", "default"),
    "nova",
)

LEAVES = {
    "user-data": "hello",
    "meta-data/ami-id": "ami-tiny",
    "meta-data/ami-launch-index": "3",
    "meta-data/block-device-mapping/ami": "sda1",
    "meta-data/block-device-mapping/ephemeral0": "sda2",
    "meta-data/block-device-mapping/root": "/dev/sda1",
    "meta-data/block-device-mapping/swap": "sda3",
    "meta-data/hostname": "i-00000001",
    "meta-data/local-hostname": "i-00000001",
    "meta-data/public-hostname": "i-00000001",
    "meta-data/instance-action": "none",
    "meta-data/instance-id": "i-00000001",
    "meta-data/instance-type": "m1.tiny",
    "meta-data/local-ipv4": "10.0.0.2",
    "meta-data/public-ipv4": "4.4.4.1",
    "meta-data/kernel-id": "aki-1",
    "meta-data/placement/availability-zone": "nova",
    "meta-data/public-keys/0/openssh-key": "ssh-rsa AAAA joe",
    "meta-data/reservation-id": "r-12345678",
    "meta-data/security-groups": "web\ndefault",
}

LISTINGS = {
    "": "meta-data/\nuser-data",
    "meta-data/block-device-mapping": "ami\nephemeral0\nroot\nswap",
    "meta-data/placement": "availability-zone",
    "meta-data/public-keys": "0=my=key",
    "meta-data/public-keys/0": "openssh-key",
}


def at(path: str, details: InstanceDetails = GUEST) -> str:
    return look_up(tree(details), [part for part in path.split("/") if part]).decode()


@pytest.mark.parametrize("path", LEAVES)
def test_leaves(path: str) -> None:
    """Every value is where guests look for it."""
    assert at(path) == LEAVES[path]


@pytest.mark.parametrize("path", LISTINGS)
def test_listings(path: str) -> None:
    """A directory lists its children, sorted, directories with a slash, keys by name."""
    assert at(path) == LISTINGS[path]


def test_top_listing() -> None:
    """meta-data lists all there is, in order, and no mpi.  [A28]"""
    lines = at("meta-data").split("\n")
    assert lines == sorted(lines)
    assert "placement/" in lines and "ami-id" in lines
    assert not any(line.startswith("mpi") for line in lines)


@pytest.mark.parametrize("path", ["none", "meta-data/none", "meta-data/ami-id/below"])
def test_nothing_there(path: str) -> None:
    """What is not there is NotFound; a leaf has nothing below it."""
    with pytest.raises(NotFound):
        at(path)


def test_bare_instance() -> None:
    """Without key, user data, kernel and address the rest is still there."""
    bare = InstanceDetails(an_instance(), "10.0.0.2", None, (), None)
    assert at("", bare) == "meta-data/"
    assert at("meta-data/public-keys", bare) == ""
    assert at("meta-data/public-ipv4", bare) == ""
    assert at("meta-data/placement/availability-zone", bare) == "unknown zone"
    for path in ("user-data", "meta-data/kernel-id", "meta-data/ramdisk-id"):
        with pytest.raises(NotFound):
            at(path, bare)


def test_devices() -> None:
    """What was mapped at launch is what the guest reads; nothing else is made up then."""

    def listed(block_devices: str) -> InstanceDetails:
        row = an_instance(block_devices=block_devices)
        return InstanceDetails(row, "10.0.0.2", None, (), None)

    moved = listed('{"ephemeral0": "/dev/sdc"}')
    assert at("meta-data/block-device-mapping", moved) == "ami\nephemeral0\nroot"
    assert at("meta-data/block-device-mapping/ephemeral0", moved) == "sdc"
    assert at("meta-data/block-device-mapping", listed('{"ephemeral0": null}')) == "ami\nroot"


def test_tokens() -> None:
    """A token is good for its address until its end, and can't be made up."""
    tokens = Tokens(b"key")
    token = tokens.new("10.0.0.2", 100)
    assert tokens.valid(token, "10.0.0.2", 99)
    assert not tokens.valid(token, "10.0.0.2", 100)
    assert not tokens.valid(token, "10.0.0.3", 99)
    for other in ("", ".", "999", "999." + token.partition(".")[2], "999.ü", "9" * 99 + ".x"):
        assert not tokens.valid(other, "10.0.0.2", 99)
    assert not Tokens(b"other key").valid(token, "10.0.0.2", 99)


def give_address(door: Door, address: str) -> None:
    """Instance 1 has this address."""

    def write(txn: Any) -> None:
        txn.execute(
            insert(networks).values(
                id=1,
                cidr="127.0.0.0/8",
                netmask="255.0.0.0",
                bridge="br100",
                gateway="127.0.0.9",
                broadcast="127.255.255.255",
                dhcp_start="127.0.0.1",
                created_at=NOW,
            )
        )
        txn.execute(
            insert(fixed_ips).values(
                address=address, network_id=1, instance_id=1, allocated=True, created_at=NOW
            )
        )

    inline(door.database.run(write))


def ask(
    door: Door, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> Answered:
    """A request from 127.0.0.1."""
    root = door.metadata_site.resource
    return door.send(method, f"http://169.254.169.254/{path}", headers, root=root)


@pytest.fixture
def guest(door: Door, joe: User) -> Door:
    """A door whose only guest has the address that requests come from."""
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny", "UserData": "/wA=", "MaxCount": "1"})
    give_address(door, "127.0.0.1")
    return door


def test_served(guest: Door) -> None:
    """All versions serve the same, however many slashes; user data comes out as bytes."""
    for version in (*VERSIONS, "latest"):
        for path in ("meta-data/instance-id", "/meta-data//instance-id/"):
            answer = ask(guest, f"{version}/{path}")
            assert (answer.status, answer.body) == (200, b"i-00000001")
    assert ask(guest, "latest/user-data").body == b"\xff\x00"
    assert ask(guest, "latest/meta-data/security-groups").body == b"default"
    assert ask(guest, "").body.decode().split() == list(VERSIONS)


@pytest.mark.parametrize("path", ["2099-01-01/meta-data/", "latest/none", "latest/dynamic/"])
def test_not_served(guest: Door, path: str) -> None:
    """What is not there is 404."""
    assert ask(guest, path).status == 404


def test_strangers(door: Door, joe: User) -> None:
    """An address without instance gets 404, whatever it says of itself.  [A27]"""
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny"})
    give_address(door, "127.0.0.2")
    for headers in ({}, {"X-Forwarded-For": "127.0.0.2"}, {"Forwarded": "for=127.0.0.2"}):
        assert ask(door, "latest/meta-data/instance-id", headers=headers).status == 404
    inline(door.database.run(lambda txn: txn.execute(update(fixed_ips).values(allocated=False))))
    assert ask(door, "latest/meta-data/").status == 404


def test_sessions(guest: Door) -> None:
    """IMDSv2: a token is given for its time, accepted, and refused when it is over or wrong."""
    life = "x-aws-ec2-metadata-token-ttl-seconds"
    given = ask(guest, "latest/api/token", "PUT", {life: "60"})
    assert given.status == 200
    assert given.headers[life] == "60"
    session = {"x-aws-ec2-metadata-token": given.body.decode()}
    assert ask(guest, "latest/meta-data/ami-id", headers=session).body == b"ami-tiny"
    guest.clock.advance(61)
    assert ask(guest, "latest/meta-data/ami-id", headers=session).status == 401
    wrong = {"x-aws-ec2-metadata-token": "wrong"}
    assert ask(guest, "latest/meta-data/ami-id", headers=wrong).status == 401
    for bad in ("", "0", str(LONGEST_TOKEN + 1), "soon"):
        assert ask(guest, "latest/api/token", "PUT", {life: bad}).status == 400
    proxied = {life: "60", "X-Forwarded-For": "1.2.3.4"}
    assert ask(guest, "latest/api/token", "PUT", proxied).status == 403


def test_methods(guest: Door) -> None:
    """Anything but GET and HEAD is 405 at once."""
    for method in ("PUT", "POST", "DELETE"):
        assert ask(guest, "latest/meta-data/ami-id", method).status == 405
    assert ask(guest, "latest/meta-data/ami-id", "HEAD").status == 200


def test_tree_is_per_instance() -> None:
    """Nothing of one instance is kept for the next."""
    other = replace(GUEST, instance=replace(GUEST.instance, id=2))
    assert at("meta-data/instance-id", other) == "i-00000002"
