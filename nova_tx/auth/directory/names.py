"""Where things are in a directory, and how they are called there.      [spec/09 section 5]"""

from __future__ import annotations

import string
from collections.abc import Iterable

import ldap.dn

from nova_tx.errors import RoleNotFound, StartupError
from nova_tx.flags import LdapFlags

#: A name that can be compared: of each of its parts, the own one first, attributes and values.
Key = tuple[tuple[tuple[str, str], ...], ...]

_PLAIN = frozenset((string.ascii_letters + string.digits).encode())
#: The five roles whose groups flags name.
_ROLES = ("cloudadmin", "itsec", "sysadmin", "netadmin", "developer")
#: Flags that name entries.
_NAMES = (
    *("ldap_user_dn", "ldap_user_subtree", "ldap_project_subtree", "role_project_subtree"),
    *(f"ldap_{role}" for role in _ROLES),
)


def escaped(text: str) -> str:
    r"""
    A value in a filter or a name: all but ASCII's letters and digits as C{\xx}.

    Every octet may be written so in both [RFC 4515 section 3, RFC 4514 section 3]: what
    is asked for can't change what is asked.                             [spec/15 A37]
    """
    octets = text.encode("utf-8", "surrogatepass")
    return "".join(chr(each) if each in _PLAIN else f"\\{each:02x}" for each in octets)


def equals(attribute: str, value: str) -> str:
    """The filter that finds a value."""
    return f"({attribute}={escaped(value)})"


def every(*filters: str) -> str:
    """The filter for what all of them find."""
    return f"(&{''.join(filters)})"


def key(dn: str) -> Key:
    """
    A name in a form in which equal ones are equal; empty for what is no name.

    Attributes and values that names are made of here are compared without case.
    """
    try:
        parts = ldap.dn.str2dn(dn)
    except ldap.DECODING_ERROR:
        return ()
    return tuple(
        tuple(sorted((name.lower(), value.lower()) for name, value, _ in part)) for part in parts
    )


def own_value(dn: str) -> tuple[str, str]:
    """Attribute (lower case) and value that set an entry apart from its siblings."""
    name, value, _ = ldap.dn.str2dn(dn)[0][0]
    return name.lower(), value


class Places:
    """
    What the flags say of where things are.

    @ivar admin: attribute that makes a user an administrator.
    @ivar manager: attribute of a project with who manages it.
    @ivar project_class: object class of a project.
    """

    def __init__(self, flags: LdapFlags) -> None:
        """
        @raise StartupError: a flag that is to say where something is says nothing of the kind.
        """
        for name in _NAMES:
            if not key(getattr(flags, name)):
                raise StartupError(f"--{name}={getattr(flags, name)} is not an entry's name (DN)")
        if flags.ldap_schema_version not in (1, 2):
            raise StartupError(f"--ldap_schema_version={flags.ldap_schema_version} is not 1 or 2")
        self.flags = flags
        old = flags.ldap_schema_version == 1
        self.admin = "isAdmin" if old else "isNovaAdmin"
        self.manager = "projectManager" if old else "owner"
        self.project_class = "novaProject" if old else "groupOfNames"
        self._users = key(flags.ldap_user_subtree)
        self.roles = {name: str(getattr(flags, f"ldap_{name}")) for name in _ROLES}
        self._roles = {key(dn): name for name, dn in self.roles.items()}

    def new_user(self, user_id: str) -> str:
        """The name of a user who is to be made."""
        flags = self.flags
        return f"{flags.ldap_user_id_attribute}={escaped(user_id)},{flags.ldap_user_subtree}"

    def new_project(self, project_id: str) -> str:
        """The name of a project that is to be made."""
        return f"cn={escaped(project_id)},{self.flags.ldap_project_subtree}"

    def role(self, role: str, project: str | None) -> str:
        """
        The name of the group of who has a role.

        @param project: the name of the project; None is the whole cloud.
        @raise RoleNotFound: no flag says where the whole cloud's are.
        """
        if project is not None:
            return f"cn={escaped(role)},{project}"
        if role not in self.roles:
            raise RoleNotFound(f"The {role} role has no group in the directory")
        return self.roles[role]

    def is_role(self, dn: str) -> bool:
        """Whether it is the name of the group of a role in the whole cloud."""
        return key(dn) in self._roles

    def is_user(self, dn: str) -> bool:
        """Whether it is a name below that of all users."""
        parts = key(dn)
        return len(parts) > len(self._users) and parts[-len(self._users) :] == self._users

    def roles_in_cloud(self, groups: Iterable[str]) -> frozenset[str]:
        """The roles in the whole cloud that groups stand for."""
        return frozenset(self._roles[key(dn)] for dn in groups if key(dn) in self._roles)


def roles_in(project: str, groups: Iterable[str]) -> frozenset[str]:
    """The roles in a project that groups stand for."""
    above = key(project)
    return frozenset(
        value
        for dn in groups
        if key(dn)[1:] == above
        for attribute, value in [own_value(dn)]
        if attribute == "cn"
    )
