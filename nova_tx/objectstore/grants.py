"""Grants, as clients ask for them: by a name that S3 gave to many, or one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from nova_tx.auth.interfaces import IUsers
from nova_tx.errors import ProjectNotFound
from nova_tx.objectstore.access import (
    ALL_USERS,
    AUTHENTICATED_USERS,
    FULL_CONTROL,
    PERMISSIONS,
    READ,
    WRITE,
)
from nova_tx.objectstore.action import Asked
from nova_tx.objectstore.facts import Grants
from nova_tx.objectstore.faults import (
    InvalidArgument,
    InvalidRequest,
    NotImplementedHere,
    UnresolvableGrant,
)

#: Whom S3 calls the registry of images: its id there. Our registry reads a bundle in the name of
#: the project that registers it, so what this one is granted opens it to nobody else.
REGISTRY = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b93c"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
#: Grants of one bucket or object.
MOST = 100

_CANNED = "x-amz-acl"
_ONE_BY_ONE = {f"x-amz-grant-{each.lower().replace('_', '-')}": each for each in PERMISSIONS}
_GRANTEE = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^",\s]*))\s*(?:,|\Z)')


async def asked_grants(users: IUsers, asked: Asked, bucket_owner: str) -> Grants:
    """
    What the headers of a request grant on what it makes, whose owner is the caller's project.

    @raise InvalidArgument, UnresolvableGrant: to somebody who is nobody.
    @raise InvalidRequest, NotImplementedHere: in a way that can't be.
    """
    headers = asked.call.headers
    owner = asked.caller.project or bucket_owner
    return await checked(users, grants_of(headers, owner, bucket_owner), owner)


def asks(headers: Mapping[str, str]) -> bool:
    """Whether headers grant anything, were it nothing."""
    return _CANNED in headers or any(name in headers for name in _ONE_BY_ONE)


def grants_of(headers: Mapping[str, str], owner: str, bucket_owner: str) -> Grants:
    """
    What headers grant. Pure.

    @raise InvalidArgument, InvalidRequest, UnresolvableGrant, NotImplementedHere: what can't be.
    """
    named = [
        (grantee, permission)
        for name, permission in _ONE_BY_ONE.items()
        for grantee in _grantees(headers.get(name, ""))
    ]
    if _CANNED not in headers:
        return tuple(named)
    if named:
        raise InvalidRequest("x-amz-acl and x-amz-grant-… can't be together")
    return canned(headers[_CANNED], owner, bucket_owner)


def canned(name: str, owner: str, bucket_owner: str) -> Grants:
    """
    The grants of a canned ACL.

    @param owner: of what is granted; bucket_owner: of the bucket it is in, or is.
    @raise InvalidArgument: there is none of that name.
    @raise NotImplementedHere: it is for what we have not.
    """
    theirs: Grants = ()
    if owner != bucket_owner:
        theirs = ((bucket_owner, READ if name == "bucket-owner-read" else FULL_CONTROL),)
    known: dict[str, Grants] = {
        "private": (),
        "public-read": ((ALL_USERS, READ),),
        "public-read-write": ((ALL_USERS, READ), (ALL_USERS, WRITE)),
        "authenticated-read": ((AUTHENTICATED_USERS, READ),),
        "aws-exec-read": ((REGISTRY, READ),),
        "bucket-owner-read": theirs,
        "bucket-owner-full-control": theirs,
    }
    if name == "log-delivery-write":
        raise NotImplementedHere("there are no logs that could be delivered")
    if name not in known:
        raise InvalidArgument(f"there is no canned ACL {name!r}")
    return known[name]


def _grantees(text: str) -> Iterator[str]:
    """The grantees of a header C{x-amz-grant-…}."""
    at = 0
    while at < len(text):
        part = _GRANTEE.match(text, at)
        if part is None:
            raise InvalidArgument('a grant is of the form id="…", uri="…" or emailAddress="…"')
        yield grantee(part[1], part[2] or part[3] or "")
        at = part.end()


def grantee(kind: str, value: str) -> str:
    """
    A grantee: a project's id, or a group's URI.

    @param kind: C{id}, C{uri} or C{emailAddress}, in any case.
    @raise InvalidArgument, UnresolvableGrant: there can't be such a one.
    @raise NotImplementedHere: it is for what we have not.
    """
    kind = kind.lower()
    if kind == "emailaddress":
        raise UnresolvableGrant("nobody here is known by an e-mail address")
    if kind == "uri":
        if value == LOG_DELIVERY:
            raise NotImplementedHere("there are no logs that could be delivered")
        if value not in (ALL_USERS, AUTHENTICATED_USERS):
            raise InvalidArgument("Invalid group uri")
    elif kind != "id":
        raise InvalidArgument(f"a grantee is known by id, uri or emailAddress, not by {kind}")
    elif not value or ":" in value:
        raise InvalidArgument("Invalid id")
    return value


def is_group(grantee: str) -> bool:
    """Whether a grantee is a group."""
    return ":" in grantee


async def checked(users: IUsers, grants: Iterable[tuple[str, str]], owner: str) -> Grants:
    """
    Grants to those who exist, each once; none to the owner, who may everything anyway.

    @raise InvalidArgument: a project does not exist.
    @raise InvalidRequest: they are too many.
    """
    kept = tuple(dict.fromkeys(each for each in grants if each[0] != owner))
    if len(kept) > MOST:
        raise InvalidRequest(f"there can be {MOST} grants")
    for name in dict.fromkeys(who for who, _ in kept if not is_group(who) and who != REGISTRY):
        try:
            await users.project(name)
        except ProjectNotFound:
            raise InvalidArgument("Invalid id") from None
    return kept
