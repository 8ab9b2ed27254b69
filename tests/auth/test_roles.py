"""Who may do what."""

from __future__ import annotations

import pytest

from nova_tx.auth.roles import Roles
from nova_tx.errors import InvalidInput, RoleNotFound
from nova_tx.flags import AuthFlags
from nova_tx.model.users import Membership, Project, User

ROLES = Roles(AuthFlags())
SHOP = Project("shop", "joe", "shop", frozenset({"joe", "ann"}))


def ann(
    *roles: str, project: tuple[str, ...] = (), admin: bool = False, name: str = "ann"
) -> Membership:
    user = User(name, "access", "secret", admin, frozenset(roles))
    return Membership(user, SHOP, True, frozenset(project))


@pytest.mark.parametrize(
    ("who", "superuser", "admin"),
    [
        (ann(), False, False),
        (ann("netadmin", "sysadmin", "developer"), False, False),
        (ann("itsec"), False, True),
        (ann("cloudadmin"), True, True),
        (ann(admin=True), True, True),
        (ann(project=("cloudadmin",)), False, False),
    ],
)
def test_admin(who: Membership, superuser: bool, admin: bool) -> None:
    """The admin flag and cloudadmin may all, itsec sees all; no local role counts."""
    assert ROLES.superuser(who.user) is superuser
    assert ROLES.admin(who.user) is admin


@pytest.mark.parametrize(
    ("who", "has"),
    [
        (ann(), False),
        (ann("netadmin"), False),
        (ann(project=("netadmin",)), False),
        (ann("netadmin", project=("netadmin",)), True),
        (ann("netadmin", project=("sysadmin",)), False),
        (ann("sysadmin", project=("netadmin",)), False),
    ],
)
def test_intersection(who: Membership, has: bool) -> None:
    """A role must be held in the cloud and in the project: the seed grants it twice."""
    assert ROLES.has_role(who, "netadmin") is has
    assert ROLES.allows(who, frozenset({"netadmin"})) is has


def test_global_role() -> None:
    """A global role needs no second grant."""
    assert ROLES.has_role(ann("itsec"), "itsec")
    assert not ROLES.has_role(ann(project=("itsec",)), "itsec")


def test_project_manager() -> None:
    """The manager of the project, and nobody else, is projectmanager."""
    wanted = frozenset({"projectmanager", "sysadmin"})
    assert ROLES.allows(ann(name="joe"), wanted)
    assert not ROLES.allows(ann(name="ann"), wanted)
    assert not ROLES.has_role(ann("projectmanager", project=("projectmanager",)), "projectmanager")


def test_everyone() -> None:
    """What asks for 'all' is for everyone; what asks for nothing is for superusers."""
    assert ROLES.allows(ann(), frozenset({"all"}))
    assert not ROLES.allows(ann("itsec", name="joe"), frozenset())
    assert ROLES.allows(ann("cloudadmin"), frozenset())


def test_one_of_several() -> None:
    """One of the wanted roles is enough."""
    who = ann("sysadmin", project=("sysadmin",))
    assert ROLES.allows(who, frozenset({"netadmin", "sysadmin"}))


def test_holds() -> None:
    """Without a project only the roles of the whole cloud count."""
    assert ROLES.holds(ann("netadmin").user, "netadmin")
    assert not ROLES.holds(ann(project=("netadmin",)).user, "netadmin")
    with pytest.raises(InvalidInput, match=r"\AMust specify project\Z"):
        ROLES.holds(ann().user, "projectmanager")


def test_check() -> None:
    """Only allowed roles are granted, and global ones not in a project."""
    assert ROLES.check("netadmin", None) == ROLES.check("netadmin", "shop") == "netadmin"
    assert ROLES.check("itsec", None) == "itsec"
    with pytest.raises(RoleNotFound, match=r"\AThe projectmanager role can not be found\Z"):
        ROLES.check("projectmanager", None)
    with pytest.raises(RoleNotFound, match=r"\AThe itsec role is global only\Z"):
        ROLES.check("itsec", "shop")


def test_flags() -> None:
    """The names of roles are the flags'."""
    roles = Roles(
        AuthFlags(
            allowed_roles=("boss", "guard"), superuser_roles=("boss",), global_roles=("guard",)
        )
    )
    assert roles.check("boss", "shop") == "boss"
    assert roles.superuser(ann("boss").user)
    assert roles.admin(ann("guard").user)
    assert not roles.admin(ann("cloudadmin").user)
