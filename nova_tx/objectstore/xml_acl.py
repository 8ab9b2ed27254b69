"""Grants as XML. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from nova_tx.objectstore.access import FULL_CONTROL, PERMISSIONS
from nova_tx.objectstore.facts import Grants
from nova_tx.objectstore.faults import AccessDenied, MalformedACL, MalformedXML
from nova_tx.objectstore.grants import MOST, REGISTRY, grantee, is_group
from nova_tx.objectstore.xml_read import Element
from nova_tx.objectstore.xml_write import document, element, leaf, owner

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
#: The types of grantees: the element that names one, and how headers call that.
_TYPES = {
    "CanonicalUser": ("ID", "id"),
    "Group": ("URI", "uri"),
    "AmazonCustomerByEmail": ("EmailAddress", "emailAddress"),
}


def acl(project: str, grants: Grants) -> bytes:
    """The answer to C{GET ?acl}: the owner may everything, the others what was granted."""
    given = ((project, FULL_CONTROL), *grants)
    return document(
        "AccessControlPolicy",
        owner(project),
        element("AccessControlList", *(_grant(*each) for each in given)),
    )


def _grant(who: str, permission: str) -> str:
    if is_group(who):
        kind, content = "Group", leaf("URI", who)
    else:
        name = "za-team" if who == REGISTRY else who
        kind, content = "CanonicalUser", leaf("ID", who) + leaf("DisplayName", name)
    opened = f'<Grantee xmlns:xsi="{_XSI}" xsi:type="{kind}">{content}</Grantee>'
    return element("Grant", opened, leaf("Permission", permission))


def read_grants(root: Element, project: str) -> Grants:
    """
    The grants of an C{AccessControlPolicy}.

    @param project: the owner, who stays it.
    @raise MalformedACL: it is none.
    @raise AccessDenied: it names another owner.
    @raise InvalidArgument, UnresolvableGrant, NotImplementedHere: there can't be such a grantee.
    """
    try:
        root.only("Owner", "AccessControlList")
        named = root.one("Owner").only("ID", "DisplayName").value("ID").strip()
        found = tuple(_read(root.one("AccessControlList")))
    except MalformedXML as error:
        raise MalformedACL(str(error)) from None
    if named != project:
        raise AccessDenied("an owner stays the owner")
    if len(found) > MOST:
        raise MalformedACL(f"there can be {MOST} grants")
    return found


def _read(granted: Element) -> Iterator[tuple[str, str]]:
    for each in granted.only("Grant").all("Grant"):
        who = each.only("Grantee", "Permission").one("Grantee")
        kind = who.attributes.get("type", "")
        if kind not in _TYPES:
            raise MalformedXML(f"a Grantee's xsi:type is one of {', '.join(_TYPES)}")
        tag, name = _TYPES[kind]
        permission = each.value("Permission").strip()
        if permission not in PERMISSIONS:
            raise MalformedXML(f"a Permission is one of {', '.join(PERMISSIONS)}")
        yield grantee(name, who.only(tag, "DisplayName").value(tag).strip()), permission
