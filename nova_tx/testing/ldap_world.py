"""A directory that is set up as docs/ldap.md says, and what others than Nova do in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ldap

from nova_tx.flags import LdapFlags
from nova_tx.testing.ports import free_port
from nova_tx.testing.slapd import PASSWORD, SUFFIX, Slapd

CHECKOUT = Path(__file__).resolve().parents[2]
OURS = "of-nova"
USERS, GROUPS = f"ou=Users,{SUFFIX}", f"ou=Groups,{SUFFIX}"
#: What there is when it is set up.
SET_UP = {SUFFIX, USERS, GROUPS, f"cn=nova,{SUFFIX}"}


def commands() -> list[list[str]]:
    """The commands of the manual that set up a directory."""
    text = (CHECKOUT / "docs" / "ldap.md").read_text()
    found = re.search(r"<!-- commands -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return [line.split() for line in found[1].splitlines()]


def set_up(server: Slapd, schema: str) -> None:
    """Do what the manual says: passwords are given instead of asked for."""
    instead = {"-W": ["-w", PASSWORD], "-S": ["-s", OURS], "ldapi:///": [server.socket_url]}
    files = {"etc/ldap/nova.ldif": f"etc/ldap/{schema}"}
    for words in commands():
        argv = [new for word in words for new in instead.get(word, [files.get(word, word)])]
        server.run([str(CHECKOUT / word) if word.startswith("etc/") else word for word in argv])


@contextmanager
def directory(path: Path, schema: str = "nova.ldif", **tls: Any) -> Iterator[Slapd]:
    """
    A server that is set up, in a new directory.

    @param tls: C{tls} and C{tls_port} of L{Slapd}.
    """
    path.mkdir()
    server = Slapd(path, free_port(), **tls)
    server.start()
    try:
        set_up(server, schema)
        yield server
    finally:
        server.stop()


def entries(server: Slapd, base: str = SUFFIX) -> dict[str, dict[str, list[str]]]:
    """All entries below a name, as the administrator sees them."""
    connection = server.connection()
    try:
        found = connection.search_s(base, ldap.SCOPE_SUBTREE)
    finally:
        connection.unbind_s()
    return {
        dn: {name: [each.decode() for each in values] for name, values in attributes.items()}
        for dn, attributes in found
    }


def add(server: Slapd, dn: str, **attributes: str | list[str]) -> None:
    """Somebody else makes an entry."""
    connection = server.connection()
    try:
        connection.add_s(
            dn,
            [
                (
                    name,
                    [each.encode() for each in ([values] if isinstance(values, str) else values)],
                )
                for name, values in attributes.items()
            ],
        )
    finally:
        connection.unbind_s()


def empty(server: Slapd) -> None:
    """Take away all users and groups, and what else somebody made."""
    connection = server.connection()
    try:
        there = [dn for dn, _ in connection.search_s(SUFFIX, ldap.SCOPE_SUBTREE, attrlist=["1.1"])]
        for dn in sorted({*there} - SET_UP, key=len, reverse=True):
            connection.delete_s(dn)
    finally:
        connection.unbind_s()


def a_person(server: Slapd, name: str, dn: str | None = None) -> None:
    """Somebody else's entry of a person."""
    add(
        server,
        dn or f"uid={name},{USERS}",
        objectClass=["person", "organizationalPerson", "inetOrgPerson"],
        uid=name,
        cn=name,
        sn=name,
    )


def flags(server: Slapd, **others: Any) -> LdapFlags:
    """Flags as in the manual."""
    values = {
        "ldap_url": server.url,
        "ldap_user_dn": f"cn=nova,{SUFFIX}",
        "ldap_password": OURS,
        "ldap_timeout": 30,
        **others,
    }
    return LdapFlags(**values)
