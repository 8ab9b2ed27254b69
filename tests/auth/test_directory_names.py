"""Names and filters of a directory, read back as the standards say."""

from __future__ import annotations

import re
from typing import Any

import ldap.dn
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_tx.auth.directory import names
from nova_tx.auth.directory.names import Places, key
from nova_tx.errors import RoleNotFound, StartupError
from nova_tx.flags import LdapFlags

PLACES = Places(LdapFlags())
ANYTHING = st.text(st.characters(blacklist_categories=("Cs",)))
#: An equality in a filter, as RFC 4515's grammar has it: no value has a bare sign in it.
EQUALITY = re.compile(r"\(([A-Za-z]+)=((?:[^\\*()\0]|\\[0-9a-f]{2})*)\)")


def unescaped(value: str) -> str:
    """A value of a filter, by RFC 4515 section 3."""
    octets = re.sub(
        rb"\\([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), value.encode()
    )
    return octets.decode()


@given(ANYTHING)
def test_filter(text: str) -> None:
    """Whatever is looked for, a filter is one equality for just that text."""
    found = EQUALITY.fullmatch(names.equals("accessKey", text))
    assert found is not None
    assert (found[1], unescaped(found[2])) == ("accessKey", text)


@given(ANYTHING.filter(bool))
def test_name(text: str) -> None:
    """Whatever something is called, its name has one part more than its place, with just that."""
    for made, attribute, place in (
        (PLACES.new_user(text), "uid", "ou=Users,dc=example,dc=com"),
        (PLACES.new_project(text), "cn", "ou=Groups,dc=example,dc=com"),
        (PLACES.role(text, PLACES.new_project("shop")), "cn", PLACES.new_project("shop")),
    ):
        parts = ldap.dn.str2dn(made)
        assert [(name, value) for name, value, _ in parts[0]] == [(attribute, text)]
        assert parts[1:] == ldap.dn.str2dn(place)
        assert names.own_value(made) == (attribute, text)


@pytest.mark.parametrize("text", ["\ud800", "\udcff*)(uid=*"])
def test_no_text(text: str) -> None:
    """What is no Unicode text is written in octets, too, and is no value."""
    assert EQUALITY.fullmatch(names.equals("uid", text))


def test_key() -> None:
    """Names that differ in case and blanks are one; those with other parts are not."""
    assert key("uid=Joe, ou=users,DC=example") == key("UID=joe,ou=Users,dc=example")
    assert key("cn=a+ou=b,dc=x") == key("ou=b+cn=a,dc=x") != key("cn=a,ou=b,dc=x")
    assert key("cn=a\\2cou=b,dc=x") != key("cn=a,ou=b,dc=x")
    assert key("no name") == key("") == ()


def test_users() -> None:
    """A user's name is below that of all users, and longer."""
    assert PLACES.is_user("uid=joe,ou=users,dc=Example,dc=com")
    assert PLACES.is_user("cn=joe,ou=sales,ou=Users,dc=example,dc=com")
    for other in ("ou=Users,dc=example,dc=com", "uid=joe,dc=example,dc=com", "uid=joe", "joe", ""):
        assert not PLACES.is_user(other)


def test_roles() -> None:
    """Groups stand for roles in the place where they are."""
    project = PLACES.new_project("shop")
    groups = [
        "CN=sysadmins,ou=groups,dc=example,dc=com",
        f"cn=netadmin,{project}",
        f"cn=cloudadmin,cn=below,{project}",
        project,
        "cn=netadmin,cn=other,ou=Groups,dc=example,dc=com",
    ]
    assert PLACES.roles_in_cloud(groups) == {"sysadmin"}
    assert names.roles_in(project, groups) == {"netadmin"}
    with pytest.raises(RoleNotFound):
        PLACES.role("chef", None)


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("ldap_user_subtree", "Users"),
        ("ldap_project_subtree", ""),
        ("ldap_cloudadmin", "cloudadmins"),
        ("ldap_schema_version", 3),
    ],
)
def test_flags(flag: str, value: Any) -> None:
    """A flag that can't be meant so is a sentence with its name."""
    with pytest.raises(StartupError, match=f"^--{flag}={value} is not "):
        Places(LdapFlags(**{flag: value}))
