"""
The EC2 door: from an HTTP request to an action, and back.             [spec/02 sections 1 to 4]
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.server import Request

from nova_tx.access_log import trace
from nova_tx.api.ec2 import dialect, identity, schema, xml
from nova_tx.api.ec2.action import Action
from nova_tx.api.ec2.callers import Callers
from nova_tx.api.ec2.faults import DryRun, InvalidAction
from nova_tx.api.web import Answer, AsyncResource, asker
from nova_tx.auth.roles import Roles
from nova_tx.context import RequestContext
from nova_tx.errors import InvalidInput, Unauthorized
from nova_tx.flags import Ec2Flags
from nova_tx.gate import Gate, Pace
from nova_tx.model.users import Membership

_log = Logger()

_XML = "text/xml"
_VERSION = re.compile(r"[A-Za-z0-9._-]{1,32}\Z")


class Ec2Resource(AsyncResource):
    """C{/services/Cloud} or C{/services/Admin}: what can be done there is given to it."""

    def __init__(
        self,
        callers: Callers,
        roles: Roles,
        actions: Mapping[str, Action],
        flags: Ec2Flags,
        clock: IReactorTime,
    ) -> None:
        super().__init__()
        self._callers = callers
        self._roles = roles
        self._actions = actions
        self.room = Gate("requests", flags.ec2_max_requests)
        self._projects = Gate(
            "requests of a project", flags.ec2_max_requests, flags.ec2_project_requests
        )
        self._forwarded = flags.use_forwarded_for
        self._most = flags.ec2_max_parameters
        share = 1 / max(1, flags.api_workers)
        rate, burst = flags.ec2_rate_limit * share, round(flags.ec2_rate_burst * share)
        self._pace = Pace("requests", rate, burst, clock)

    async def answer(self, request: Request, request_id: str) -> Answer:
        """
        Identify, authorise, extract, run, render.

        @raise NovaError: shown with its code and status.
        """
        message = identity.read(request, self._most)
        membership, claim = await self._callers.identify(message)
        self._pace.step(membership.project.id)
        name = identity.required(message.parameters, "Action")
        version = identity.required(message.parameters, "Version")
        if not _VERSION.match(version):
            raise InvalidInput(f"Invalid value '{version[:32]}' for Version")
        action = self._actions.get(name)
        if action is None:
            raise InvalidAction(f"The action {name[:100]} is not valid for this web service.")
        membership = await self._authorise(membership, action)
        given = {k: v for k, v in message.parameters.items() if k not in identity.PROTOCOL}
        only_tried = schema.dry_run(given)
        params = schema.extract(action.Params, action.ignored, given)
        if only_tried:
            raise DryRun("Request would have succeeded, but DryRun flag is set.")
        context = RequestContext(
            user=membership.user.id,
            project=membership.project.id,
            is_admin=self._roles.admin(membership.user),
            remote_address=asker(request, self._forwarded),
            request_id=request_id,
            seal=claim.seal(),
        )
        spoken = dialect.of(version)
        trace(request, context, name)
        with self._projects.entered(context.project):
            _log.info("{action}", action=name)
            content = await action.run(context, params, spoken)
        return Answer(xml.answer(name, version, request_id, content, spoken), _XML)

    def failed(self, request_id: str, status: int, code: str, text: str) -> Answer:
        return Answer(xml.failure(code, text, request_id), _XML, status)

    async def _authorise(self, membership: Membership, action: Action) -> Membership:
        """
        The caller, once allowed; a role that was given since the last look counts at once.

        @raise Unauthorized: the caller has no role that may do this.
        """
        if self._roles.allows(membership, action.roles):
            return membership
        membership = await self._callers.afresh(membership)
        if not self._roles.allows(membership, action.roles):
            raise Unauthorized("You are not authorized to perform this operation.")
        return membership
