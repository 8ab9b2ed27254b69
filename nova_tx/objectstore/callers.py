"""Who asks: by whichever of S3's signatures, or anybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorTime

from nova_tx.auth import s3_post, s3_presigned, s3_signatures
from nova_tx.auth.admission import Admission
from nova_tx.auth.roles import Roles
from nova_tx.context import RequestContext
from nova_tx.model.users import Membership
from nova_tx.objectstore.action import Asked
from nova_tx.objectstore.calls import Call, Caller, as_headers
from nova_tx.objectstore.forms import read_form
from nova_tx.objectstore.request import StreamingRequest

_FORM = "multipart/form-data"


class Callers:
    """Finds out who asks."""

    def __init__(self, admission: Admission, roles: Roles, clock: IReactorTime) -> None:
        """
        @param clock: seconds since 1970.
        """
        self._admission = admission
        self._roles = roles
        self._clock = clock

    async def asked(
        self, call: Call, request: StreamingRequest, request_id: str, by_form: bool = False
    ) -> Asked:
        """
        A request with who asks; with what a signed query stands for among its headers.

        @param by_form: if its body is a form, that says who asks, and nothing else does: who
            signs one wants nothing else done.
        @raise NovaError: who asks says so wrongly, or has not the secret.
        """
        now = datetime.fromtimestamp(self._clock.seconds(), UTC)

        def caller(found: Membership | None = None) -> Caller:
            context = RequestContext(
                user=None if found is None else found.user.id,
                project=None if found is None else found.project.id,
                is_admin=found is not None and self._roles.admin(found.user),
                remote_address=getattr(request.channel.getPeer(), "host", None),
                timestamp=now.replace(microsecond=0),
                request_id=request_id,
            )
            return Caller(context, "" if found is None else found.project.id)

        content_type = call.headers.get("content-type", "")
        if by_form and content_type.lower().startswith(_FORM):
            form = await read_form(content_type, request.body)
            signed = s3_post.claim(form.fields)
            if signed is None:
                return Asked(call, caller(), request, form.file, form)
            membership, _ = await self._admission.admit(
                signed.access_key, signed.project_id, signed.verify
            )
            return Asked(call, caller(membership), request, form.file, form)
        query = call.signed.query
        if call.method == "OPTIONS":  # browsers ask without saying for whom
            claim = None
        elif s3_presigned.is_presigned(query):
            claim = s3_presigned.claim(call.signed, now)
            sent = as_headers(s3_presigned.headers_in(query))
            call = replace(call, headers={**call.headers, **sent})
        elif "authorization" in call.headers:
            claim = s3_signatures.claim(call.signed, now)
        else:
            claim = None
        if claim is None:
            payload = s3_signatures.unsigned_payload(call.headers)
            return Asked(call, caller(), request, payload)
        membership, payload = await self._admission.admit(
            claim.access_key, claim.project_id, claim.verify
        )
        return Asked(call, caller(membership), request, payload)
