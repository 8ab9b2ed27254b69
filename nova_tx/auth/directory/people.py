"""Users: entries of persons with Nova's attributes.                    [spec/09 section 5]"""

from __future__ import annotations

from dataclasses import dataclass

import ldap
from twisted.logger import Logger

from nova_tx.auth import keys
from nova_tx.auth.directory import names
from nova_tx.auth.directory.tree import Entry, Tree
from nova_tx.db import users as say
from nova_tx.errors import UserNotFound
from nova_tx.model.users import User

_log = Logger()

_CLASSES = ("person", "organizationalPerson", "inetOrgPerson", "novaUser")


@dataclass(frozen=True)
class Person:
    """
    A user, and the entry that says so.

    @ivar user: without roles.
    """

    dn: str
    user: User


def everyone(tree: Tree) -> list[Person]:
    """All users, by id."""
    found = tree.search(tree.places.flags.ldap_user_subtree, "(objectClass=novaUser)")
    people = [person for entry in found if (person := _person(tree, entry)) is not None]
    return sorted(people, key=lambda person: person.user.id)


def person(tree: Tree, user_id: str) -> Person:
    """
    The user with an id.

    @raise UserNotFound: there is none.
    """
    entry = _entry(tree, user_id)
    found = None if entry is None else _person(tree, entry)
    if found is None:
        raise say.no_user(user_id)
    return found


def with_access_key(tree: Tree, access_key: str) -> Person:
    """
    The user with an access key; the directory finds more, as it ignores case.

    @raise UserNotFound: there is none, or several.
    """
    found = _with_access_key(tree, access_key)
    if len(found) > 1:
        _log.error(
            "an access key belongs to several users: {users}",
            users=", ".join(sorted(each.user.id for each in found)),
        )
    if len(found) != 1:
        raise say.no_access_key(access_key)
    return found[0]


def create(tree: Tree, user: User) -> None:
    """
    Make a user.

    @raise Duplicate: the name or the access key is taken.
    @raise UserNotFound: entries are not ours to make, and there is none.
    """
    flags, places = tree.places.flags, tree.places
    entry = _entry(tree, user.id)
    adopted = flags.ldap_user_modify_only
    if entry is None and adopted:
        raise UserNotFound(f"LDAP object for {user.id} doesn't exist")
    if entry is not None and not (adopted and _person(tree, entry) is None):
        raise say.user_exists(user.id)
    if _with_access_key(tree, user.access_key):
        raise say.access_key_taken()
    values = _attributes(tree, user.access_key, user.secret_key, user.is_admin)
    try:
        if entry is not None:
            if "novauser" not in map(str.lower, entry.all("objectClass")):
                tree.give(entry.dn, "objectClass", "novaUser")
            tree.replace(entry.dn, values)
        else:
            whole = {
                "objectClass": _CLASSES,
                "ou": (flags.ldap_user_unit,),
                "sn": (user.id,),
                flags.ldap_user_id_attribute: (user.id,),
                flags.ldap_user_name_attribute: (user.id,),
            }
            tree.add(places.new_user(user.id), {**whole, **values})
    except ldap.ALREADY_EXISTS:
        raise say.user_exists(user.id) from None
    except ldap.CONSTRAINT_VIOLATION:  # by overlay unique: somebody was faster
        raise say.access_key_taken() from None


def modify(
    tree: Tree,
    user_id: str,
    access_key: str | None,
    secret_key: str | None,
    is_admin: bool | None,
) -> None:
    """
    Change what is not None.

    @raise UserNotFound: there is none.
    @raise Duplicate: another user has the access key.
    """
    who = person(tree, user_id)
    if access_key is not None:
        others = [each.dn for each in _with_access_key(tree, access_key) if each.dn != who.dn]
        if others:
            raise say.access_key_taken()
    values = _attributes(tree, access_key, secret_key, is_admin)
    try:
        if values:
            tree.replace(who.dn, values)
    except ldap.CONSTRAINT_VIOLATION:
        raise say.access_key_taken() from None


def remove(tree: Tree, who: Person) -> None:
    """Forget a user; if entries are not ours to delete, the entry stays without our attributes."""
    if tree.places.flags.ldap_user_modify_only:
        tree.replace(who.dn, {"accessKey": (), "secretKey": (), tree.places.admin: ()})
    else:
        tree.delete(who.dn)


def ids(tree: Tree, entries: tuple[str, ...]) -> frozenset[str]:
    """The ids of users, of the names of their entries; names of others are passed over."""
    found = set()
    for dn in filter(tree.places.is_user, entries):
        attribute, value = names.own_value(dn)
        if attribute == tree.places.flags.ldap_user_id_attribute.lower():
            found.add(value)
        elif (entry := tree.read(dn)) is not None and (user_id := _id(tree, entry)) is not None:
            found.add(user_id)
    return frozenset(found)


def _attributes(
    tree: Tree, access_key: str | None, secret_key: str | None, is_admin: bool | None
) -> dict[str, tuple[str, ...]]:
    """What is not None, as it is written in an entry."""
    given = {"accessKey": access_key, "secretKey": secret_key}
    if is_admin is not None:
        given[tree.places.admin] = "TRUE" if is_admin else "FALSE"
    return {name: (value,) for name, value in given.items() if value is not None}


def _entry(tree: Tree, user_id: str) -> Entry | None:
    """The entry of a person, of Nova or not."""
    flags = tree.places.flags
    found = tree.search(
        flags.ldap_user_subtree, names.equals(flags.ldap_user_id_attribute, user_id)
    )
    return next((entry for entry in found if _id(tree, entry) == user_id), None)


def _with_access_key(tree: Tree, access_key: str) -> list[Person]:
    if not keys.is_access_key(access_key):
        return []
    matching = names.every("(objectClass=novaUser)", names.equals("accessKey", access_key))
    found = tree.search(tree.places.flags.ldap_user_subtree, matching)
    people = [_person(tree, entry) for entry in found]
    return [each for each in people if each is not None and each.user.access_key == access_key]


def _id(tree: Tree, entry: Entry) -> str | None:
    """A user's id; of several, the one that names the entry, or else the first by the alphabet."""
    wanted = tree.places.flags.ldap_user_id_attribute
    attribute, value = names.own_value(entry.dn)
    if attribute == wanted.lower():
        return value
    return min(entry.all(wanted), default=None)


def _person(tree: Tree, entry: Entry) -> Person | None:
    """The user that an entry is; None if it lacks one of Nova's attributes."""
    user_id = _id(tree, entry)
    access_key, secret_key = entry.first("accessKey"), entry.first("secretKey")
    admin = entry.first(tree.places.admin)
    if user_id is None or access_key is None or secret_key is None or admin is None:
        return None
    return Person(entry.dn, User(user_id, access_key, secret_key, admin.upper() == "TRUE"))
