"""Roles of users.                                                      [spec/02 section 7]"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import SUPERUSERS, Action
from nova_tx.api.ec2.admin.said import adding, said
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.context import RequestContext


class DescribeRoles(Action):
    """The roles that may be granted in projects, or all that may be granted."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        in_projects: bool | None = schema.boolean("ProjectRoles")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        return _roles(self.operations.accounts.roles(params.in_projects is not False))


class DescribeUserRoles(Action):
    """The roles that a user was given in the whole cloud, or in a project."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        user: str = schema.text("User", required=True)
        project: str | None = schema.text("Project")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        accounts = self.operations.accounts
        return _roles(await accounts.roles_of(params.user, said(params.project)))


class ModifyUserRole(Action):
    """Grant a role in the whole cloud or in a project, or take it back."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        user: str = schema.text("User", required=True)
        role: str = schema.text("Role", required=True)
        project: str | None = schema.text("Project")
        add: bool | None = schema.value("Operation", of=adding)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        accounts = self.operations.accounts
        change = accounts.remove_role if params.add is False else accounts.add_role
        await change(params.user, params.role, said(params.project))
        return {"return": True}


def _roles(roles: Iterable[str]) -> Content:
    return {"roles": [{"role": role} for role in roles]}
