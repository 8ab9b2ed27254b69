"""
The EC2 door: from an HTTP request to an action, and back.             [spec/02 sections 1 to 4]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.server import Request

from nova_tx.api.ec2 import dialect, identity, schema, xml
from nova_tx.api.ec2.action import Action
from nova_tx.api.web import Answer, AsyncResource
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.roles import Roles
from nova_tx.context import RequestContext
from nova_tx.errors import (
    AuthFailure,
    DryRun,
    InvalidAction,
    InvalidInput,
    ProjectNotFound,
    SignatureMismatch,
    Unauthorized,
    UserNotFound,
)
from nova_tx.flags import Ec2Flags
from nova_tx.gate import Gate
from nova_tx.log import in_context
from nova_tx.model import Membership

_log = Logger()

_XML = "text/xml"
_VERSION = re.compile(r"[A-Za-z0-9._-]{1,32}\Z")


class Ec2Resource(AsyncResource):
    """C{/services/Cloud} or C{/services/Admin}: what can be done there is given to it."""

    def __init__(
        self,
        users: IUsers,
        roles: Roles,
        actions: Mapping[str, Action],
        flags: Ec2Flags,
        clock: IReactorTime,
    ) -> None:
        super().__init__()
        self._users = users
        self._roles = roles
        self._actions = actions
        self.room = Gate("requests", flags.ec2_max_requests)
        self._projects = Gate(
            "requests of a project", flags.ec2_max_requests, flags.ec2_project_requests
        )
        self._window = flags.ec2_timestamp_window
        self._clock = clock

    async def answer(self, request: Request, request_id: str) -> Answer:
        """
        Identify, authorise, extract, run, render.

        @raise NovaError: shown with its code and status.
        """
        message = identity.read(request)
        membership = await self._identify(message)
        name = identity.required(message.parameters, "Action")
        version = identity.required(message.parameters, "Version")
        if not _VERSION.match(version):
            raise InvalidInput(f"Invalid value '{version[:32]}' for Version")
        action = self._actions.get(name)
        if action is None:
            raise InvalidAction(f"The action {name[:100]} is not valid for this web service.")
        self._authorise(membership, action)
        given = {k: v for k, v in message.parameters.items() if k not in identity.PROTOCOL}
        only_tried = schema.dry_run(given)
        params = schema.extract(action.Params, action.ignored, given)
        if only_tried:
            raise DryRun("Request would have succeeded, but DryRun flag is set.")
        context = RequestContext(
            user=membership.user.id,
            project=membership.project.id,
            is_admin=self._roles.admin(membership.user),
            remote_address=getattr(request.getClientAddress(), "host", None),
            request_id=request_id,
        )
        spoken = dialect.of(version)
        with self._projects.entered(context.project), in_context(context):
            _log.info("{action}", action=name)
            content = await action.run(context, params, spoken)
        return Answer(xml.answer(name, version, request_id, content, spoken), _XML)

    def failed(self, request_id: str, status: int, code: str, text: str) -> Answer:
        return Answer(xml.failure(code, text, request_id), _XML, status)

    async def _identify(self, message: identity.Message) -> Membership:
        """
        The caller, in the project of C{key[:project]}.

        Whether key, project or membership was wrong is not told.  [spec/15 A4]
        """
        claim = identity.claim(message, self._window)
        claim.check_time(datetime.fromtimestamp(self._clock.seconds(), UTC).replace(tzinfo=None))
        key, _, project_id = claim.access_key.partition(":")
        try:
            found = await self._users.find(key, project_id or None)
        except (UserNotFound, ProjectNotFound):
            raise _unknown() from None
        if not claim.proved_by(found.user.secret_key):
            raise SignatureMismatch(
                "The request signature we calculated does not match the signature you provided. "
                "Check your secret access key and signing method."
            )
        if not (found.member or self._roles.admin(found.user)):
            raise _unknown()
        return found

    def _authorise(self, membership: Membership, action: Action) -> None:
        if not self._roles.allows(membership, action.roles):
            raise Unauthorized("You are not authorized to perform this operation.")


def _unknown() -> AuthFailure:
    return AuthFailure("AWS was not able to validate the provided access credentials")
