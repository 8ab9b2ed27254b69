"""The objectstore's door: who asks, for what, and S3's word for what went wrong.  [spec/04]"""

from __future__ import annotations

import errno
from datetime import UTC, datetime

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from nova_tx.auth import s3_signatures
from nova_tx.auth.admission import Admission
from nova_tx.auth.roles import Roles
from nova_tx.auth.s3_payload import Payload
from nova_tx.context import RequestContext
from nova_tx.errors import (
    AuthFailure,
    Duplicate,
    DuplicateImageName,
    ForeignImage,
    ImageError,
    ImageNotFound,
    ImageUnavailable,
    InvalidInput,
    InvalidLaunchPermission,
    MalformedPayload,
    NovaError,
    PayloadMismatch,
    ProjectNotFound,
    RequestExpired,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UserNotFound,
)
from nova_tx.gate import Gate
from nova_tx.objectstore import xml
from nova_tx.objectstore.action import Actions, Asked
from nova_tx.objectstore.answer import Answer, xml_answer
from nova_tx.objectstore.calls import Call, Caller, read_call
from nova_tx.objectstore.faults import Damaged, InsufficientStorage
from nova_tx.objectstore.images import NAME, Images
from nova_tx.objectstore.request import StreamingRequest

_log = Logger()

#: S3's code and status where they are not the class's own; the first that fits.
_S3_WORDS: tuple[tuple[type[NovaError], str, int], ...] = (
    (UserNotFound, "InvalidAccessKeyId", 403),
    (ProjectNotFound, "AccessDenied", 403),
    (AuthFailure, "AccessDenied", 403),
    (ForeignImage, "NotImageOwner", 403),
    (Unauthorized, "AccessDenied", 403),
    (RequestExpired, "RequestTimeTooSkewed", 403),
    (ImageNotFound, ImageNotFound.code, 404),
    (ImageUnavailable, ImageUnavailable.code, 409),
    (ImageError, "InvalidImage", 400),
    (DuplicateImageName, DuplicateImageName.code, 409),
    (Duplicate, "ImageAlreadyExists", 409),
    (PayloadMismatch, PayloadMismatch.code, 400),
    (MalformedPayload, MalformedPayload.code, 400),
    (InvalidLaunchPermission, InvalidLaunchPermission.code, 400),
    (InvalidInput, "InvalidArgument", 400),
    (TooManyRequests, "SlowDown", 503),
    (Unavailable, "ServiceUnavailable", 503),
)


class Door:
    """Answers requests."""

    def __init__(
        self,
        admission: Admission,
        roles: Roles,
        clock: IReactorTime,
        actions: Actions,
        images: Images,
        gate: Gate,
    ) -> None:
        """
        @param clock: seconds since 1970.
        @param gate: bounds the requests in hand.
        """
        self._gate = gate
        self._admission = admission
        self._roles = roles
        self._clock = clock
        self._actions = actions
        self._images = images

    async def serve(self, request: StreamingRequest, request_id: str) -> None:
        """Answer one request, whatever happens."""
        request.setHeader(b"server", b"nova-objectstore")
        request.setHeader(b"x-amz-request-id", request_id.encode())
        try:
            with self._gate.entered():
                answer = await self._answer(request, request_id)
        except ConnectionLost:
            return
        except Damaged as error:
            _log.error("request {id}: {error}", id=request_id, error=str(error))
            answer = _fault(NovaError("an internal error occurred"), request, request_id)
        except NovaError as error:
            answer = _fault(error, request, request_id)
        except Exception as error:
            answer = _fault(_undeclared(error, request_id), request, request_id)
        if answer is not None:
            request.answer(answer.status, answer.headers, answer.body)

    async def _answer(self, request: StreamingRequest, request_id: str) -> Answer | None:
        call = read_call(request.method, request.uri, request.requestHeaders)
        caller, payload = await self._identify(call, request, request_id)
        if call.bucket == NAME:
            return await self._images.serve(call, caller, request, payload)
        return await self._actions.find(call).run(Asked(call, caller, request, payload))

    async def _identify(
        self, call: Call, request: StreamingRequest, request_id: str
    ) -> tuple[Caller, Payload]:
        now = datetime.fromtimestamp(self._clock.seconds(), UTC)
        claim = s3_signatures.claim(call.signed, now)
        membership, payload = await self._admission.admit(
            claim.access_key, claim.project_id, claim.verify
        )
        context = RequestContext(
            user=membership.user.id,
            project=membership.project.id,
            is_admin=self._roles.admin(membership.user),
            remote_address=getattr(request.channel.getPeer(), "host", None),
            timestamp=now.replace(microsecond=0),
            request_id=request_id,
        )
        return Caller(context, membership.project.id), payload


def _undeclared(error: Exception, request_id: str) -> NovaError:
    """What a client is told of a failure that has no name of ours; the log has all of it."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _log.warn("request {id}: {error}", id=request_id, error=error)
        return InsufficientStorage("there is no room left on the disk; nothing of this was kept")
    _log.failure("request {id} could not be served", id=request_id)
    return NovaError("an internal error occurred")


def _fault(error: NovaError, request: StreamingRequest, request_id: str) -> Answer:
    code, status = next(
        ((code, status) for kind, code, status in _S3_WORDS if isinstance(error, kind)),
        (error.code, error.status),
    )
    path = request.uri.partition(b"?")[0].decode("utf-8", "replace")
    return xml_answer(xml.error(code, str(error), path, request_id), status)
