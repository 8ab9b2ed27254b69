"""Users. The keys in these answers are their point.                     [spec/02 section 7]"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import SUPERUSERS, Action
from nova_tx.api.ec2.admin.said import said
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.context import RequestContext
from nova_tx.model.users import User


class DescribeUser(Action):
    """A user with its keys."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str = schema.text("Name", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        return _user(await self.operations.accounts.user(params.name))


class DescribeUsers(Action):
    """Every user with its keys."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        pass

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        return {"userSet": [_user(each) for each in await self.operations.accounts.users()]}


class RegisterUser(Action):
    """Make a user with random keys."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str = schema.text("Name", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        return _user(await self.operations.accounts.create_user(params.name))


class DeregisterUser(Action):
    """Forget a user, with key pairs, memberships and roles."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str = schema.text("Name", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        await self.operations.accounts.delete_user(params.name)
        return {"return": True}


class GenerateX509ForUser(Action):
    """
    What a user takes home for a project: a zip of settings, a new key and its certificate.
    """

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str = schema.text("Name", required=True)
        project: str | None = schema.text("Project")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        project = said(params.project) or params.name
        user, packed = await self.operations.accounts.credentials(params.name, project)
        return _user(user, base64.b64encode(packed).decode())


def _user(user: User, file: str = "") -> Content:
    return {
        "username": user.id,
        "secretkey": user.secret_key,
        "accesskey": user.access_key,
        "file": file,
    }
