"""What is asked of a directory of users, question by question: see L{nova_tx.auth.interfaces}."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nova_tx.auth.directory import groups, people
from nova_tx.auth.directory.groups import Found
from nova_tx.auth.directory.people import Person
from nova_tx.auth.directory.tree import Tree
from nova_tx.db import users as say
from nova_tx.model.users import Membership, Project, User


def find(tree: Tree, access_key: str, project_id: str | None) -> Membership:
    """
    The user with an access key in a project: three searches.

    @raise UserNotFound, ProjectNotFound: no such access key, no such project.
    """
    who = people.with_access_key(tree, access_key)
    return _membership(tree, who, who.user.id if project_id is None else project_id)


def member(tree: Tree, user_id: str, project_id: str) -> Membership:
    """
    A user in a project.

    @raise UserNotFound, ProjectNotFound: no such user, no such project.
    """
    return _membership(tree, people.person(tree, user_id), project_id)


def users(tree: Tree) -> tuple[User, ...]:
    """Every user, by id."""
    return tuple(groups.holders(tree, people.everyone(tree)))


def user(tree: Tree, user_id: str) -> User:
    """
    One user.

    @raise UserNotFound: there is none.
    """
    who = people.person(tree, user_id)
    return replace(who.user, roles=groups.roles(tree, who, None)[0])


def modify_user(
    tree: Tree,
    user_id: str,
    access_key: str | None,
    secret_key: str | None,
    is_admin: bool | None,
) -> User:
    """
    Change what is not None.

    @raise UserNotFound, Duplicate: no such user; another one has the access key.
    """
    people.modify(tree, user_id, access_key, secret_key, is_admin)
    return user(tree, user_id)


def check_deletable(tree: Tree, user_id: str) -> Person:
    """
    A user whom no project needs.

    @raise UserNotFound, InUse: there is none; the user manages a project.
    """
    who = people.person(tree, user_id)
    managed = groups.managed(tree, who)
    if managed:
        raise say.is_manager(user_id, managed)
    return who


def delete_user(tree: Tree, user_id: str) -> None:
    """
    Forget a user with memberships and roles.

    @raise UserNotFound, InUse: there is none; the user manages a project.
    """
    who = check_deletable(tree, user_id)
    groups.leave(tree, who, groups.joined(tree, who))
    people.remove(tree, who)


def projects(tree: Tree) -> tuple[Project, ...]:
    """Every project, by id."""
    return tuple(groups.every_project(tree))


def project(tree: Tree, project_id: str) -> Project:
    """
    One project.

    @raise ProjectNotFound: there is none.
    """
    return groups.project(tree, project_id).project


def create_project(
    tree: Tree, project_id: str, manager: str, description: str | None, members: Iterable[str]
) -> Project:
    """
    Make a project.

    @raise Duplicate, UserNotFound, InvalidInput: as L{groups.create}.
    """
    return groups.create(tree, project_id, manager, description, members)


def modify_project(
    tree: Tree, project_id: str, manager: str | None, description: str | None
) -> Project:
    """
    Change what is not None.

    @raise ProjectNotFound, UserNotFound: no such project, no such manager.
    """
    groups.modify(tree, project_id, manager, description)
    return project(tree, project_id)


def delete_project(tree: Tree, project_id: str) -> None:
    """
    Forget a project with its roles.

    @raise ProjectNotFound: there is none.
    """
    groups.remove(tree, project_id)


def add_member(tree: Tree, user_id: str, project_id: str) -> None:
    """
    Make a user a member; again is nothing.

    @raise UserNotFound, ProjectNotFound: no such user, no such project.
    """
    who = people.person(tree, user_id)
    tree.give(groups.project(tree, project_id).dn, "member", who.dn)


def remove_member(tree: Tree, user_id: str, project_id: str) -> None:
    """
    End a membership and the roles in that project; none is nothing.

    @raise UserNotFound, ProjectNotFound: no such user, no such project.
    @raise InUse: the user manages the project.
    """
    who, found = people.person(tree, user_id), groups.project(tree, project_id)
    if found.project.manager == user_id:
        raise say.is_manager(user_id, (project_id,))
    groups.leave_project(tree, who, found)


def add_role(tree: Tree, user_id: str, role: str, project_id: str | None) -> None:
    """
    Grant a role; again is nothing.

    @raise UserNotFound, ProjectNotFound, RoleNotFound: as L{IUsers}; no place for the role.
    """
    who = people.person(tree, user_id)
    groups.enter_role(tree, who, role, _place(tree, project_id))


def remove_role(tree: Tree, user_id: str, role: str, project_id: str | None) -> None:
    """
    Take a role back; none is nothing.

    @raise UserNotFound, ProjectNotFound: no such user, no such project.
    """
    who, found = people.person(tree, user_id), _place(tree, project_id)
    if found is not None or role in tree.places.roles:
        groups.leave(tree, who, (tree.places.role(role, None if found is None else found.dn),))


def _place(tree: Tree, project_id: str | None) -> Found | None:
    return None if project_id is None else groups.project(tree, project_id)


def _membership(tree: Tree, who: Person, project_id: str) -> Membership:
    found = groups.project(tree, project_id)
    in_cloud, in_project = groups.roles(tree, who, found)
    known = replace(who.user, roles=in_cloud)
    return Membership(known, found.project, known.id in found.project.members, in_project)
