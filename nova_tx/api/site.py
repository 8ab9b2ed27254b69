"""The sites that nova-api listens with: EC2 for users, metadata for guests. [spec/01 section 1]"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

import nova_tx.api.ec2.actions
import nova_tx.api.ec2.admin
from nova_tx.api import metadata
from nova_tx.api.ec2 import xml
from nova_tx.api.ec2.action import actions
from nova_tx.api.ec2.callers import Callers
from nova_tx.api.ec2.resource import Ec2Resource
from nova_tx.api.metadata import MetadataResource
from nova_tx.api.web import Answer, AsyncResource, bounded_site
from nova_tx.auth.admission import Admission
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.lockout import Lockout
from nova_tx.auth.roles import Roles
from nova_tx.flags import AuthFlags, Ec2Flags
from nova_tx.ids import new_request_id
from nova_tx.operations import Operations


class Nothing(AsyncResource):
    """404, whatever is asked."""

    async def answer(self, request: Request, request_id: str) -> Answer:
        return Answer(b"There is nothing here.\n", status=404)


class Branch(Nothing):
    """Nothing but its children."""

    isLeaf = False

    def getChild(self, path: bytes, request: Request) -> Resource:
        return Nothing()


class VersionsResource(AsyncResource):
    """C{/} of the EC2 port."""

    async def answer(self, request: Request, request_id: str) -> Answer:
        """The metadata service's versions, as ever."""
        return metadata.versions()


def ec2_site(
    users: IUsers,
    lockout: Lockout,
    operations: Operations,
    flags: Ec2Flags,
    auth: AuthFlags,
    clock: IReactorTime,
) -> Site:
    """
    The public port: C{/}, C{/services/Cloud} and C{/services/Admin}, with or without a final slash.

    Each has room of its own: users who fill the one leave the other to administrators.
    """
    services = Branch()
    roles = Roles(auth)
    callers = Callers(Admission(users, roles, lockout, clock), flags, clock)
    for name, package in ((b"Cloud", nova_tx.api.ec2.actions), (b"Admin", nova_tx.api.ec2.admin)):
        table = actions(operations, package)
        services.putChild(name, Ec2Resource(callers, roles, table, flags, clock))
    root = Branch()
    root.putChild(b"", VersionsResource())
    root.putChild(b"services", services)
    return bounded_site(root, clock, flags.ec2_max_body, _too_long)


def _too_long() -> Answer:
    text = "The request is too long."
    return Answer(xml.failure("RequestEntityTooLarge", text, new_request_id()), "text/xml")


def metadata_site(operations: Operations, flags: Ec2Flags, clock: IReactorTime) -> Site:
    """The port that guests' requests to 169.254.169.254 are led to, and nobody else's."""
    return bounded_site(MetadataResource(operations, flags, clock), clock)
