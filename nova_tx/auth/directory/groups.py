"""
Projects and roles: groups of names, which have at least one member.    [spec/09 section 5]

The groups of a project's roles are below it; where those of the whole cloud are, flags say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import ldap

from nova_tx.auth.directory import names, people
from nova_tx.auth.directory.people import Person
from nova_tx.auth.directory.tree import Entry, Tree
from nova_tx.db import users as say
from nova_tx.errors import InvalidInput, UserNotFound
from nova_tx.model.users import Project, User

_CLASS = "(objectClass=groupOfNames)"


@dataclass(frozen=True)
class Found:
    """
    A project, and the name of its entry.

    @ivar owners: the names of the entries of who manages it: one.
    """

    dn: str
    project: Project
    owners: tuple[str, ...]


def every_project(tree: Tree) -> list[Project]:
    """All projects, by id."""
    found = tree.search(tree.places.flags.ldap_project_subtree, _projects(tree))
    return sorted((_project(tree, entry) for entry in found), key=lambda project: project.id)


def project(tree: Tree, project_id: str) -> Found:
    """
    The project with an id.

    @raise ProjectNotFound: there is none.
    """
    found = _search(tree, project_id)
    if found is None:
        raise say.no_project(project_id)
    return found


def create(
    tree: Tree, project_id: str, manager: str, description: str | None, members: Iterable[str]
) -> Project:
    """
    Make a project; its manager is a member.

    @raise Duplicate: the name is taken.
    @raise UserNotFound: there is no such manager, or no such member.
    @raise InvalidInput: the name is that of a role's group.
    """
    owner = _named(tree, manager, say.no_manager(manager))
    dn = tree.places.new_project(project_id)
    if tree.places.is_role(dn):
        raise InvalidInput(f"The name {project_id!r} is that of a role's group in the directory")
    if tree.read(dn) is not None or _search(tree, project_id) is not None:
        raise say.project_exists(project_id)
    joining = {manager, *members}
    text = project_id if description is None else description
    values = {
        "objectClass": (tree.places.project_class,),
        "cn": (project_id,),
        "description": (text,),
        tree.places.manager: (owner,),
        "member": [_named(tree, each, say.no_member(each)) for each in sorted(joining)],
    }
    try:
        tree.add(dn, values)
    except ldap.ALREADY_EXISTS:
        raise say.project_exists(project_id) from None
    return Project(project_id, manager, text, frozenset(joining))


def modify(tree: Tree, project_id: str, manager: str | None, description: str | None) -> None:
    """
    Change what is not None; a new manager becomes a member, the old one stays one.

    @raise ProjectNotFound: there is none.
    @raise UserNotFound: there is no such manager.
    """
    found = project(tree, project_id)
    if manager is not None:
        owner = _named(tree, manager, say.not_modified(manager))
        for each in (*found.owners, owner):
            tree.give(found.dn, "member", each)
        tree.replace(found.dn, {tree.places.manager: (owner,)})
    if description is not None:
        tree.replace(found.dn, {"description": (description,)})


def remove(tree: Tree, project_id: str) -> None:
    """
    Forget a project with its roles.

    @raise ProjectNotFound: there is none.
    """
    found = project(tree, project_id)
    below = tree.search(found.dn, _CLASS, ldap.SCOPE_ONELEVEL)
    for entry in below:
        tree.delete(entry.dn)
    tree.delete(found.dn)


def managed(tree: Tree, who: Person) -> list[str]:
    """The ids of the projects that a user manages."""
    matching = names.every(_projects(tree), names.equals(tree.places.manager, who.dn))
    found = tree.search(tree.places.flags.ldap_project_subtree, matching)
    return [_project(tree, entry).id for entry in found]


def joined(tree: Tree, who: Person) -> list[str]:
    """The names of all groups of projects and roles that a user is in, the innermost first."""
    flags, mine = tree.places.flags, names.equals("member", who.dn)
    bases = {names.key(dn): dn for dn in (flags.ldap_project_subtree, flags.role_project_subtree)}
    found = {entry.dn for base in bases.values() for entry in tree.search(base, mine)}
    for dn in tree.places.roles.values():
        if not any(names.key(dn)[-len(base) :] == base for base in bases):
            found.update(entry.dn for entry in tree.search(dn, mine, ldap.SCOPE_BASE))
    return sorted(found, key=lambda dn: -len(names.key(dn)))


def roles(tree: Tree, who: Person, found: Found | None) -> tuple[frozenset[str], frozenset[str]]:
    """The roles of a user in the whole cloud, and in a project."""
    groups = joined(tree, who)
    in_project = frozenset() if found is None else names.roles_in(found.dn, groups)
    return tree.places.roles_in_cloud(groups), in_project


def holders(tree: Tree, of: Iterable[Person]) -> list[User]:
    """Users with their roles in the whole cloud."""
    held: dict[names.Key, set[str]] = {}
    for role, dn in tree.places.roles.items():
        group = tree.read(dn)
        for member in () if group is None else group.all("member"):
            held.setdefault(names.key(member), set()).add(role)
    return [replace(each.user, roles=frozenset(held.get(names.key(each.dn), ()))) for each in of]


def leave(tree: Tree, who: Person, groups: Iterable[str]) -> None:
    """End memberships; a group goes with its last member."""
    for dn in groups:
        try:
            tree.take(dn, "member", who.dn)
        except ldap.NO_SUCH_OBJECT:
            pass
        except ldap.OBJECT_CLASS_VIOLATION:
            tree.delete(dn)


def leave_project(tree: Tree, who: Person, found: Found) -> None:
    """End a membership in a project, and in what is below it."""
    own = names.key(found.dn)
    inside = [dn for dn in joined(tree, who) if names.key(dn)[-len(own) :] == own]
    leave(tree, who, inside)


def enter_role(tree: Tree, who: Person, role: str, found: Found | None) -> None:
    """
    Put a user into the group of a role, which is made for the first.

    @raise RoleNotFound: no flag says where the group is.
    """
    dn = tree.places.role(role, None if found is None else found.dn)
    try:
        tree.give(dn, "member", who.dn)
        return
    except ldap.NO_SUCH_OBJECT:
        pass
    attribute, value = names.own_value(dn)
    where = "the cloud" if found is None else found.project.id
    values = {
        "objectClass": ("groupOfNames",),
        "cn": (role,),
        attribute: (value,),
        "description": (f"{role} role for {where}",),
        "member": (who.dn,),
    }
    try:
        tree.add(dn, values)
    except ldap.ALREADY_EXISTS:  # somebody was faster
        tree.give(dn, "member", who.dn)


def _named(tree: Tree, user_id: str, error: UserNotFound) -> str:
    """
    The name of a user's entry.

    @raise UserNotFound: C{error}, if there is none.
    """
    try:
        return people.person(tree, user_id).dn
    except UserNotFound:
        raise error from None


def _search(tree: Tree, project_id: str) -> Found | None:
    matching = names.every(_projects(tree), names.equals("cn", project_id))
    for entry in tree.search(tree.places.flags.ldap_project_subtree, matching):
        found = _project(tree, entry)
        if found.id == project_id:
            return Found(entry.dn, found, entry.all(tree.places.manager))
    return None


def _projects(tree: Tree) -> str:
    """The filter for projects: groups that somebody manages."""
    return f"(&(objectClass={tree.places.project_class})({tree.places.manager}=*))"


def _project(tree: Tree, entry: Entry) -> Project:
    managers = people.ids(tree, entry.all(tree.places.manager))
    members = people.ids(tree, entry.all("member")) | managers
    text = entry.first("description") or ""
    attribute, value = names.own_value(entry.dn)
    project_id = value if attribute == "cn" else entry.first("cn") or value
    return Project(project_id, min(managers, default=""), text, members)
