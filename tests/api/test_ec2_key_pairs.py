"""Actions on key pairs."""

from __future__ import annotations

import hashlib
from base64 import b64decode

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from cryptography.hazmat.primitives import serialization

from nova_tx.api.metadata import tree
from nova_tx.context import RequestContext
from nova_tx.model.users import User
from nova_tx.testing.ec2 import OLD, Door, inline

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID6A/m5YjRRPtXw2GvHm79yEcn23iWIoi6UsJIk99Pex"


def test_created(door: Door, joe: User, eve: User) -> None:
    """The private key is given once, the public one goes to instances; it is its user's alone."""
    client = door.client(joe)
    made = client.create_key_pair(KeyName="k")
    assert made["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    key = serialization.load_pem_private_key(made["KeyMaterial"].encode(), None)
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    (shown,) = client.describe_key_pairs(KeyNames=["k"], IncludePublicKey=True)["KeyPairs"]
    created = shown.pop("CreateTime")
    assert abs(created.timestamp() - door.clock.seconds()) < 1
    assert shown == {
        "KeyPairId": made["KeyPairId"],
        "KeyType": "rsa",
        "KeyName": "k",
        "KeyFingerprint": made["KeyFingerprint"],
        "PublicKey": f"{public.decode()} k",
    }
    assert made["KeyPairId"] == "key-00000001"
    assert "PublicKey" not in client.describe_key_pairs()["KeyPairs"][0]
    assert door.ask(eve, "DescribeKeyPairs").xml.find(".//{*}item") is None
    theirs = door.ask(eve, "DescribeKeyPairs", {"KeyPairId.1": made["KeyPairId"]})
    assert theirs.code == "InvalidKeyPair.NotFound"
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny", "KeyName": "k"})
    (row,) = inline(door.operations.instances.listed(RequestContext("joe", "joe")))
    assert row.instance.key_data == f"{public.decode()} k"


def test_old_clients(door: Door, joe: User) -> None:
    """An old client gets the members and the MD5 fingerprint of its time, whoever made the key."""
    client = door.client(joe)
    client.create_key_pair(KeyName="new")
    made = door.ask(joe, "CreateKeyPair", {"KeyName": "old"}, OLD).xml
    assert [each.tag.rpartition("}")[2] for each in made] == [
        *("requestId", "keyName", "keyFingerprint", "keyMaterial"),
    ]
    shown = client.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    listed = door.ask(joe, "DescribeKeyPairs", {}, OLD).xml.findall(".//{*}item")
    assert len(listed) == 2
    for pair, item in zip(shown, listed, strict=True):
        md5 = hashlib.md5(b64decode(pair["PublicKey"].split()[1])).hexdigest()
        assert [each.text for each in item] == [
            pair["KeyName"],
            ":".join(md5[at : at + 2] for at in range(0, 32, 2)),
        ]
    assert made.findtext("{*}keyFingerprint") == listed[1].findtext("{*}keyFingerprint")
    deleted = door.ask(joe, "DeleteKeyPair", {"KeyName": "old"}, OLD).xml
    assert [each.tag.rpartition("}")[2] for each in deleted] == ["requestId", "return"]


def test_ed25519_for_a_guest(door: Door, joe: User) -> None:
    """A guest is served the ED25519 key that was imported, as a line for authorized_keys."""
    client = door.client(joe)
    taken = client.import_key_pair(KeyName="mine", PublicKeyMaterial=f"{ED25519} joe@home")
    (shown,) = client.describe_key_pairs(KeyPairIds=[taken["KeyPairId"]])["KeyPairs"]
    assert (shown["KeyType"], shown["KeyFingerprint"]) == (
        "ed25519",
        "vl5dIA9TFTrFwZqJ8pbuZh4DAejv1fzjEP8NYnqVN34=",
    )
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny", "KeyName": "mine"})
    (row,) = inline(door.operations.instances.listed(RequestContext("joe", "joe")))
    meta_data = tree(row)["meta-data"]
    assert isinstance(meta_data, dict)
    assert meta_data["public-keys"] == {"0=mine": {"openssh-key": f"{ED25519} mine".encode()}}


def test_created_ed25519(door: Door, joe: User) -> None:
    """A pair of ED25519 is made on request; ssh can read its private half."""
    client = door.client(joe)
    made = client.create_key_pair(KeyName="k", KeyType="ed25519", KeyFormat="pem")
    key = serialization.load_ssh_private_key(made["KeyMaterial"].encode(), None)
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    (shown,) = client.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    assert shown["PublicKey"] == f"{public.decode()} k"


def test_taken_once(door: Door, joe: User) -> None:
    """A name is taken once, whichever way; the same key may have several names."""
    client = door.client(joe)
    for name in ("a", "b"):
        client.import_key_pair(KeyName=name, PublicKeyMaterial=ED25519)
    with pytest.raises(ClientError) as caught:
        client.import_key_pair(KeyName="a", PublicKeyMaterial=ED25519)
    assert caught.value.response["Error"]["Code"] == "InvalidKeyPair.Duplicate"
    assert door.ask(joe, "CreateKeyPair", {"KeyName": "a"}).code == "InvalidKeyPair.Duplicate"
    assert len(client.describe_key_pairs()["KeyPairs"]) == 2


def test_filters(door: Door, joe: User) -> None:
    """Filters look at name, id and fingerprint, this as either kind of client sees it."""
    client = door.client(joe)
    client.import_key_pair(KeyName="mine", PublicKeyMaterial=ED25519)
    client.create_key_pair(KeyName="other")
    md5 = hashlib.md5(b64decode(ED25519.split()[1])).hexdigest()
    for name, value in (
        ("key-name", "m*"),
        ("key-pair-id", "key-00000001"),
        ("fingerprint", "vl5dIA9TFTrFwZqJ8pbuZh4DAejv1fzjEP8NYnqVN34="),
        ("fingerprint", ":".join(md5[at : at + 2] for at in range(0, 32, 2))),
    ):
        found = client.describe_key_pairs(Filters=[{"Name": name, "Values": [value]}])
        assert [each["KeyName"] for each in found["KeyPairs"]] == ["mine"]


def test_deleted(door: Door, joe: User, eve: User) -> None:
    """By name or by id it goes once; again is nothing; another user's stays."""
    client = door.client(joe)
    for name in ("a", "b"):
        client.import_key_pair(KeyName=name, PublicKeyMaterial=ED25519)
    door.client(eve).delete_key_pair(KeyPairId="key-00000001")
    assert client.delete_key_pair(KeyName="a")["KeyPairId"] == "key-00000001"
    assert client.delete_key_pair(KeyPairId="key-00000002")["KeyPairId"] == "key-00000002"
    for again in ({"KeyName": "a"}, {"KeyPairId": "key-00000002"}):
        assert client.delete_key_pair(**again)["Return"] is True
    assert client.describe_key_pairs()["KeyPairs"] == []
