"""DescribeInstancesV6."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, insert, update

from nova_tx.db.engine import now
from nova_tx.db.schema import fixed_ips, instances, networks
from nova_tx.model.users import User
from nova_tx.operations.ipv6 import address
from nova_tx.testing.ec2 import OLD, Door, inline

SPACE = "{http://ec2.amazonaws.com/doc/2009-11-30/}"


def _give_addresses(txn: Connection) -> None:
    """Instance 1 is in a network with IPv6, instance 2 in one without, instance 3 in none."""
    for number, cidr_v6 in ((1, "fd00:0:0:7::/64"), (2, None)):
        network = {
            **{"cidr": f"10.{number}.0.0/24", "cidr_v6": cidr_v6, "netmask": "255.255.255.0"},
            **{"bridge": "br", "gateway": "10.0.0.1", "broadcast": "10.0.0.255"},
            **{"dhcp_start": "10.0.0.2", "created_at": now()},
        }
        key = txn.execute(insert(networks).values(**network)).inserted_primary_key
        assert key is not None
        address = {"address": f"10.{number}.0.3", "network_id": key[0], "instance_id": number}
        txn.execute(insert(fixed_ips).values(**address, allocated=True, created_at=now()))
    mac = update(instances).where(instances.c.id == 1).values(mac_address="02:16:3e:12:34:56")
    txn.execute(mac)


@pytest.mark.parametrize("ids", [{}, {"InstanceId.1": "i-00000001", "InstanceId.2": "i-00000002"}])
def test_addresses(door: Door, admin: User, joe: User, ids: dict[str, str]) -> None:
    """Instances are listed, all or some, with their IPv6 address if their network has IPv6."""
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny", "MinCount": "3"})
    inline(door.database.run(_give_addresses))
    plain = door.ask(admin, "DescribeInstances", ids, OLD).xml
    told = door.ask(admin, "DescribeInstancesV6", ids, OLD).xml
    found = {
        each.findtext(f"{SPACE}instanceId"): each.findtext(f"{SPACE}dnsNameV6")
        for each in told.iter(f"{SPACE}item")
        if each.find(f"{SPACE}instanceId") is not None
    }
    names = ["i-00000001", "i-00000002", *([] if ids else ["i-00000003"])]
    assert found == {name: None for name in names} | {"i-00000001": "fd00::7:16:3eff:fe12:3456"}
    for instance in told.iter(f"{SPACE}item"):
        for element in instance.findall(f"{SPACE}dnsNameV6"):
            instance.remove(element)
    assert [each.tag for each in told.iter()][1:] == [each.tag for each in plain.iter()][1:]


def test_superusers_only(door: Door, joe: User) -> None:
    """Others are refused, as in 2011."""
    assert door.ask(joe, "DescribeInstancesV6").code == "UnauthorizedOperation"


def test_own_address() -> None:
    """The address is the range with the card's number, whose seventh bit is turned."""
    assert address("2001:db8::/64", "00:16:3e:00:00:01") == "2001:db8::216:3eff:fe00:1"
    assert address("2001:db8::/64", "02:16:3e:00:00:01") == "2001:db8::16:3eff:fe00:1"
