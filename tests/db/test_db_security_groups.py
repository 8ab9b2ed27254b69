"""Rows of security groups."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import insert

from nova_tx.context import RequestContext, admin_context
from nova_tx.db import security_groups
from nova_tx.db.engine import Database
from nova_tx.db.schema import security_group_rules
from nova_tx.errors import SecurityGroupNotFound
from nova_tx.model.access import SecurityGroupRule

NOW = datetime(2011, 2, 15, 7, 28, 32)
JOE = RequestContext("joe", "project")
EVE = RequestContext("eve", "other")


async def test_default_is_made_once(database: Database) -> None:
    """Every project has one default group, from its first use on."""
    first = await database.run(security_groups.hold_default, JOE, NOW)
    assert await database.run(security_groups.hold_default, JOE, NOW) == first
    assert await database.run(security_groups.hold_default, EVE, NOW) != first
    (group,) = await database.read(security_groups.listed, JOE)
    assert (group.name, group.description, group.rules) == ("default", "default", ())


async def test_listed(database: Database) -> None:
    """A project sees its own groups with their rules, an administrator all."""
    mine = await database.run(security_groups.hold_default, JOE, NOW)
    theirs = await database.run(security_groups.hold_default, EVE, NOW)
    rows = (
        {"protocol": "tcp", "from_port": 0, "to_port": 65535, "cidr": "0.0.0.0/0"},
        {"group_id": theirs},
    )
    for row in rows:
        await database.run(
            lambda txn, row=row: txn.execute(
                insert(security_group_rules).values(parent_group_id=mine, created_at=NOW, **row)
            )
        )
    (group,) = await database.read(security_groups.listed, JOE, ("default",))
    assert group.rules == (
        SecurityGroupRule("tcp", 0, 65535, "0.0.0.0/0", None, None),
        SecurityGroupRule(None, None, None, None, "default", "other"),
    )
    every = await database.read(security_groups.listed, admin_context(), ("default",))
    assert [each.project_id for each in every] == ["project", "other"]
    with pytest.raises(SecurityGroupNotFound, match="'web'"):
        await database.read(security_groups.listed, JOE, ("web",))
