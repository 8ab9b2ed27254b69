"""
Who may do what: the roles of users, in the cloud and in projects.      [spec/09 section 2]
"""

from __future__ import annotations

from nova_tx.errors import InvalidInput, RoleNotFound
from nova_tx.flags import AuthFlags
from nova_tx.model.users import Membership, User

#: What a project's manager is; nobody can grant it.
PROJECT_MANAGER = "projectmanager"

#: In an action's roles: everyone may.
EVERYONE = "all"


class Roles:
    """The rules, with the role names of the flags. Pure."""

    def __init__(self, flags: AuthFlags) -> None:
        self._allowed = flags.allowed_roles
        self._superuser = frozenset(flags.superuser_roles)
        self._global = frozenset(flags.global_roles)

    def superuser(self, user: User) -> bool:
        """May do everything: the admin flag, or a role of C{superuser_roles}."""
        return user.is_admin or not self._superuser.isdisjoint(user.roles)

    def admin(self, user: User) -> bool:
        """May act in every project, see others' rows: superuser, or a role of C{global_roles}."""
        return self.superuser(user) or not self._global.isdisjoint(user.roles)

    def holds(self, user: User, role: str) -> bool:
        """
        Whether a user has a role in the cloud, no project named.

        @raise InvalidInput: nobody is a project's manager without a project.
        """
        if role == PROJECT_MANAGER:
            raise InvalidInput("Must specify project")
        return role in user.roles

    def has_role(self, membership: Membership, role: str) -> bool:
        """
        Whether a user has a role in a project.

        A role must be held in the whole cloud B{and} in the project; only
        C{global_roles} need no second grant.
        """
        if role == PROJECT_MANAGER:
            return membership.project.manager == membership.user.id
        return role in membership.user.roles and (
            role in self._global or role in membership.project_roles
        )

    def allows(self, membership: Membership, wanted: frozenset[str]) -> bool:
        """
        Whether a user may do in a project what asks for one of some roles.

        No role at all is for superusers only; whether the user is a member
        of the project is not asked here.
        """
        return (
            self.superuser(membership.user)
            or EVERYONE in wanted
            or any(self.has_role(membership, role) for role in wanted)
        )

    def listed(self, in_projects: bool) -> tuple[str, ...]:
        """The roles that may be granted; only those that are granted in projects, if asked."""
        return tuple(role for role in self._allowed if not (in_projects and role in self._global))

    def check(self, role: str, project_id: str | None) -> str:
        """
        A role that is about to be granted.

        @param project_id: where; None is the whole cloud.
        @raise RoleNotFound: there is no such role, or not in a project.
        """
        if role not in self._allowed:
            raise RoleNotFound(f"The {role} role can not be found")
        if project_id is not None and role in self._global:
            raise RoleNotFound(f"The {role} role is global only")
        return role
