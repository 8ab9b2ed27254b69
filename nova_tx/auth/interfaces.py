"""
Users, projects and roles as doors and commands see them.              [spec/09]
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from zope.interface import Attribute, Interface

from nova_tx.model.users import Membership, Project, User


class IUsers(Interface):
    """Who may ask for something: users, projects, memberships, roles."""

    names = Attribute("What flag auth_driver calls it, Bexar's dotted name first.")

    def open() -> Awaitable[None]:
        """
        Be ready; daemons do this at their start, commands do without.

        @raise StartupError: users can't be read, and it would not be otherwise later.
        """

    def close() -> Awaitable[None]:
        """Wait for what is running, and let go."""

    def find(access_key: str, project_id: str | None) -> Awaitable[Membership]:
        """
        The user with that access key in that project, in one look-up.

        @param project_id: None means the project named as the user.
        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        """

    def member(user_id: str, project_id: str) -> Awaitable[Membership]:
        """
        A user in a project, by id.

        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        """

    def users() -> Awaitable[tuple[User, ...]]:
        """Every user, by id."""

    def user(user_id: str) -> Awaitable[User]:
        """
        One user.

        @raise UserNotFound: there is none.
        """

    def create_user(
        user_id: str, access_key: str | None, secret_key: str | None, is_admin: bool
    ) -> Awaitable[User]:
        """
        Make a user; keys that are None are random.

        @raise Duplicate: the name or the access key is taken.
        @raise InvalidInput: a name or key has characters that requests can't carry.
        """

    def modify_user(
        user_id: str,
        access_key: str | None,
        secret_key: str | None,
        is_admin: bool | None,
    ) -> Awaitable[User]:
        """
        Change what is not None.

        @raise UserNotFound: there is none.
        @raise Duplicate: another user has the access key.
        @raise InvalidInput: a key has characters that requests can't carry.
        """

    def delete_user(user_id: str) -> Awaitable[None]:
        """
        Forget a user with the key pairs, memberships and roles it has.

        @raise UserNotFound: there is none.
        @raise InUse: the user manages a project.
        """

    def projects() -> Awaitable[tuple[Project, ...]]:
        """Every project, by id."""

    def project(project_id: str) -> Awaitable[Project]:
        """
        One project.

        @raise ProjectNotFound: there is none.
        """

    def create_project(
        project_id: str, manager: str, description: str | None, members: Iterable[str] = ()
    ) -> Awaitable[Project]:
        """
        Make a project; its manager becomes a member. The description is the id if None.

        @raise Duplicate: the name is taken.
        @raise UserNotFound: there is no such manager, or no such member; nothing is made.
        @raise InvalidInput: the name has characters that requests can't carry.
        """

    def modify_project(
        project_id: str, manager: str | None, description: str | None
    ) -> Awaitable[Project]:
        """
        Change what is not None; a new manager becomes a member, the old one stays one.

        @raise ProjectNotFound: there is none.
        @raise UserNotFound: there is no such manager.
        """

    def delete_project(project_id: str) -> Awaitable[None]:
        """
        Forget a project with its memberships and roles; what it owns is not looked at.

        @raise ProjectNotFound: there is none.
        """

    def add_member(user_id: str, project_id: str) -> Awaitable[None]:
        """
        Make a user a member; again is nothing.

        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        """

    def remove_member(user_id: str, project_id: str) -> Awaitable[None]:
        """
        End a membership and the roles in that project; none is nothing.

        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        @raise InUse: the user manages the project.
        """

    def add_role(user_id: str, role: str, project_id: str | None) -> Awaitable[None]:
        """
        Grant a role, in the whole cloud if C{project_id} is None; again is nothing.

        The role's name is checked by the caller (L{nova_tx.auth.roles}).

        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        """

    def remove_role(user_id: str, role: str, project_id: str | None) -> Awaitable[None]:
        """
        Take a role back; none is nothing.

        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        """
