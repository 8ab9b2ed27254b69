"""Projects and their members.                                          [spec/02 section 7]"""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import SUPERUSERS, Action
from nova_tx.api.ec2.admin.said import adding, names, said
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.context import RequestContext
from nova_tx.model.users import Project


class DescribeProject(Action):
    """A project."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str = schema.text("Name", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        return _project(await self.operations.accounts.project(params.name))


class DescribeProjects(Action):
    """Every project, or those that a user is a member of."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        user: str | None = schema.text("User")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        found = await self.operations.accounts.projects(said(params.user))
        return {"projectSet": [_project(each) for each in found]}


class RegisterProject(Action):
    """Make a project with its manager and members."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str = schema.text("Name", required=True)
        manager: str = schema.text("ManagerUser", required=True)
        description: str | None = schema.text("Description")
        members: tuple[tuple[str, ...], ...] = schema.values("MemberUsers", of=names)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        members = [name for some in params.members for name in some]
        return _project(
            await self.operations.accounts.create_project(
                params.name, params.manager, said(params.description), members
            )
        )


class ModifyProject(Action):
    """Give a project another manager or description."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str = schema.text("Name", required=True)
        manager: str | None = schema.text("ManagerUser")
        description: str | None = schema.text("Description")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        await self.operations.accounts.modify_project(
            params.name, said(params.manager), said(params.description)
        )
        return {"return": True}


class DeregisterProject(Action):
    """Forget a project that has nothing left."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str = schema.text("Name", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        await self.operations.accounts.delete_project(params.name)
        return {"return": True}


class DescribeProjectMembers(Action):
    """The members of a project, its manager among them."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str = schema.text("Name", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        project = await self.operations.accounts.project(params.name)
        return {"members": [{"member": name} for name in sorted(project.members)]}


class ModifyProjectMember(Action):
    """Make a user a member of a project, or end the membership."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        user: str = schema.text("User", required=True)
        project: str = schema.text("Project", required=True)
        add: bool = schema.value("Operation", of=adding, required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        accounts = self.operations.accounts
        change = accounts.add_member if params.add else accounts.remove_member
        await change(params.user, params.project)
        return {"return": True}


def _project(project: Project) -> Content:
    return {
        "projectname": project.id,
        "projectManagerId": project.manager,
        "description": project.description,
    }
