"""Security groups as lists show them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select

from nova_tx.db.schema import security_group_rules, security_groups
from nova_tx.model.users import User
from nova_tx.testing.ec2 import Door, inline

NOW = datetime(2011, 2, 15)


def test_filters_and_pages(door: Door, joe: User, admin: User) -> None:
    """Groups are found by what they are and by what they let in, and come in pages."""
    client, root = door.client(joe), door.client(admin)
    for each in (client, root):
        each.describe_security_groups()

    def write(txn: Connection) -> None:
        for number in range(6):
            values = {"name": f"g{number}", "description": "web", "user_id": "joe"}
            txn.execute(insert(security_groups).values(**values, project_id="joe", created_at=NOW))
        group = txn.scalar(select(security_groups.c.id).where(security_groups.c.name == "g3"))
        rule = {"protocol": "tcp", "from_port": 22, "to_port": 23, "cidr": "10.0.0.0/8"}
        for more in (rule, {"group_id": group}):
            txn.execute(
                insert(security_group_rules).values(
                    parent_group_id=group, created_at=NOW, deleted=False, **more
                )
            )

    inline(door.database.run(write))

    def names(name: str, value: str) -> list[str]:
        wanted = [{"Name": name, "Values": [value]}]
        found = root.describe_security_groups(Filters=wanted)["SecurityGroups"]
        return [group["GroupName"] for group in found]

    for name, value in (
        *(("group-name", "?3"), ("group-id", "g3"), ("ip-permission.cidr", "10.*")),
        *(("ip-permission.from-port", "22"), ("ip-permission.to-port", "23")),
        *(("ip-permission.protocol", "tcp"), ("ip-permission.group-name", "g3")),
        *(("ip-permission.group-id", "g3"), ("ip-permission.user-id", "joe")),
    ):
        assert names(name, value) == ["g3"], name
    assert names("description", "web") == [f"g{number}" for number in range(6)]
    assert names("owner-id", "admin") == ["default"]
    for name in ("vpc-id", "egress.ip-permission.cidr", "tag:Name", "tag-key"):
        assert names(name, "*") == []
    pages = root.get_paginator("describe_security_groups").paginate(
        PaginationConfig={"PageSize": 5}
    )
    assert [len(page["SecurityGroups"]) for page in pages] == [5, 3]
