"""
The calls of this process that wait for their answers.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from nova_tx.errors import InvalidInput, RemoteTimeout, Unavailable
from nova_tx.rpc.envelope import Reply, decode_reply

_log = Logger()


class Calls:
    """Answers find their callers by message id; late and foreign ones are dropped."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: dict[str, Deferred[Reply]] = {}

    def new_id(self) -> str:
        """32 hex digits."""
        return token_hex(16)

    async def wait(
        self,
        msg_id: str,
        sending: Deferred[None],
        sent: Callable[[], bool],
        timeout: float,
        what: str,
    ) -> object:
        """
        The answer to a call.

        @param sending: fails if there will be no answer; cancelled when
            nobody waits any more.
        @param sent: whether the bus has the request; asked when time is up.
        @raise NovaError: what was raised at the other end, or by C{sending}.
        @raise RemoteTimeout: the request was sent, but not answered in time.
        @raise Unavailable: the request could not even be sent in time.
        """
        answer: Deferred[Reply] = Deferred()
        self._waiting[msg_id] = answer
        late = False

        def expire() -> None:
            nonlocal late
            late = True
            answer.cancel()

        alarm = self._clock.callLater(timeout, expire)
        _ = sending.addErrback(lambda failure: None if answer.called else answer.errback(failure))
        try:
            reply = await answer
        except CancelledError:
            if not late:
                raise
            if sent():
                raise RemoteTimeout(f"{what} was not answered in {timeout:g} s") from None
            raise Unavailable(f"{what} could not be sent in {timeout:g} s") from None
        finally:
            del self._waiting[msg_id]
            if alarm.active():
                alarm.cancel()
            sending.cancel()
        return reply.value()

    def answered(self, body: bytes) -> None:
        """A message came to the reply queue."""
        try:
            reply = decode_reply(body)
        except InvalidInput as error:
            _log.warn("a message in the reply queue is ignored: {error}", error=error)
            return
        answer = self._waiting.get(reply.msg_id)
        if answer is None or answer.called:
            _log.debug("an answer came too late: {msg_id}", msg_id=reply.msg_id)
        else:
            answer.callback(reply)


async def within(clock: IReactorTime, timeout: float, sending: Deferred[None], what: str) -> None:
    """
    Wait for something to be sent.

    @raise Unavailable: it was not in time.
    """
    late = False

    def expire() -> None:
        nonlocal late
        late = True
        sending.cancel()

    alarm = clock.callLater(timeout, expire)
    try:
        await sending
    except CancelledError:
        if not late:
            raise
        raise Unavailable(f"{what} could not be sent in {timeout:g} s") from None
    finally:
        if alarm.active():
            alarm.cancel()
