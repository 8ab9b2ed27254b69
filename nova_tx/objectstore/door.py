"""The objectstore's door: who asks, for what, and S3's word for what went wrong.  [spec/04]"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from contextlib import suppress

from twisted.internet.error import ConnectionLost
from twisted.logger import Logger

from nova_tx.access_log import trace
from nova_tx.context import RequestContext
from nova_tx.errors import NovaError, TooManyRequests
from nova_tx.gate import Gate
from nova_tx.ids import REQUEST_ID_HEADER
from nova_tx.objectstore import xml
from nova_tx.objectstore.action import Actions
from nova_tx.objectstore.answer import Answer, xml_answer
from nova_tx.objectstore.callers import Callers
from nova_tx.objectstore.calls import Call, read_call
from nova_tx.objectstore.cors import answer_headers, matching
from nova_tx.objectstore.faults import AccessDenied, Damaged, InsufficientStorage
from nova_tx.objectstore.images import NAME, Images
from nova_tx.objectstore.interfaces import IStore
from nova_tx.objectstore.request import StreamingRequest
from nova_tx.objectstore.telling import HOST_ID, members, s3_word

_log = Logger()


class Door:
    """Answers requests."""

    def __init__(
        self,
        callers: Callers,
        actions: Actions,
        images: Images,
        store: IStore,
        domains: Iterable[str],
        gate: Gate,
    ) -> None:
        """
        @param domains: below them each bucket is a host.
        @param gate: bounds the requests in hand.
        """
        self._gate = gate
        self._callers = callers
        self._actions = actions
        self._images = images
        self._store = store
        self._domains = tuple(each.lower().strip(".") for each in domains)

    async def serve(self, request: StreamingRequest, request_id: str) -> None:
        """Answer one request, whatever happens."""
        request.setHeader(b"server", b"nova-objectstore")
        request.setHeader(b"x-amz-request-id", request_id.encode())
        request.setHeader(b"x-amz-id-2", HOST_ID.encode())
        trace(request, RequestContext(None, None, request_id=request_id))
        call: Call | None = None
        try:
            with self._gate.entered():
                call = read_call(request.method, request.uri, request.requestHeaders, self._domains)
                answer = await self._answer(call, request, request_id)
        except ConnectionLost:
            return
        except Damaged as error:
            _log.error("request {id}: {error}", id=request_id, error=str(error))
            failure = NovaError("an internal error occurred")
            answer = _fault(failure, call, request, request_id)
        except NovaError as error:
            answer = _fault(error, call, request, request_id)
        except Exception as error:
            answer = _fault(_undeclared(error, request_id), call, request, request_id)
        if answer is not None:
            request.answer(answer.status, answer.headers, answer.body)

    async def _answer(
        self, call: Call, request: StreamingRequest, request_id: str
    ) -> Answer | None:
        if call.bucket == NAME:
            asked = await self._callers.asked(call, request, request_id)
            if not asked.caller.known:
                raise AccessDenied("Access Denied")
            caller = asked.caller.on_behalf(call.headers.get(REQUEST_ID_HEADER, ""))
            trace(request, caller.context, NAME)
            return await self._images.serve(asked.call, caller, request, asked.payload)
        origin = call.headers.get("origin")
        if origin and call.method != "OPTIONS":
            await self._tell_browser(call, origin, request)
        action = self._actions.find(call)
        request.action = type(action).__name__
        asked = await self._callers.asked(call, request, request_id, action.by_form)
        trace(request, asked.caller.context)
        return await self._actions.run(action, asked)

    async def _tell_browser(self, call: Call, origin: str, request: StreamingRequest) -> None:
        """Have the answer say, whatever it is, whether a page of that origin may see it."""
        with suppress(NovaError):  # there is no such bucket; the call will say so
            bucket = self._store.known(call.bucket) or await self._store.bucket(call.bucket)
            rule = matching(bucket.cors, origin, call.method)
            if rule is not None:
                for name, value in answer_headers(rule, origin).items():
                    request.setHeader(name.encode(), value.encode("utf-8", "surrogateescape"))


def _undeclared(error: Exception, request_id: str) -> NovaError:
    """What a client is told of a failure that has no name of ours; the log has all of it."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _log.warn("request {id}: {error}", id=request_id, error=error)
        return InsufficientStorage("there is no room left on the disk; nothing of this was kept")
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        _log.warn("request {id}: {error}", id=request_id, error=error)
        return TooManyRequests("Too many files are open; please try again later.")
    _log.failure("request {id} could not be served", id=request_id)
    return NovaError("an internal error occurred")


def _fault(
    error: NovaError, call: Call | None, request: StreamingRequest, request_id: str
) -> Answer:
    code, status = s3_word(error)
    path = request.uri.partition(b"?")[0].decode("utf-8", "replace")
    more = members(error, call)
    return xml_answer(xml.error(code, str(error), path, request_id, HOST_ID, more), status)
