"""
The message bus as workers and doors see it.                           [spec/01 sections 3 to 5]
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from twisted.internet.defer import Deferred
from zope.interface import Interface

from nova_tx.context import RequestContext


class IRPC(Interface):
    """
    Messages between services: JSON, at least once, each handled after it is safe.

    Arguments and results are what JSON can say: None, bool, int, float, str,
    list and dict with text keys.  Anything else is refused where it is sent.
    """

    def open() -> Awaitable[None]:
        """
        Reach the bus; later losses are repaired by itself, for ever.

        @raise StartupError: it can't be reached.
        """

    def close() -> Awaitable[None]:
        """Stop whatever still takes messages, wait for what is in hand, let go."""

    def trouble() -> str | None:
        """What keeps messages from being sent now, in a few words; None: nothing."""

    def cast(
        context: RequestContext, topic: str, method: str, args: Mapping[str, object]
    ) -> Awaitable[None]:
        """
        Send a message; done when the broker has it safely in a queue.

        @param topic: C{scheduler}: any worker of that topic;
            C{compute.HostB}: the one on that host.
        @raise Unroutable: no queue is bound for the topic.
        @raise Unavailable: the broker did not take it in C{rpc_cast_timeout}
            seconds, and will have it later; or too many wait for it already.
        @raise TypeError: an argument can't be said in JSON.
        """

    def call(
        context: RequestContext,
        topic: str,
        method: str,
        args: Mapping[str, object],
        timeout: float | None = None,
    ) -> Awaitable[object]:
        """
        Send a message and wait for its answer.

        @param timeout: seconds; by default C{rpc_response_timeout}.
        @raise RemoteTimeout: no answer in time.
        @raise NovaError: what the method raised, if declared in
            L{nova_tx.errors}: the same class, the same text.
        @raise RemoteError: it failed in an undeclared way.
        @raise NoSuchMethod: the service has no such method.
        @raise Unroutable, Unavailable, TypeError: as L{cast}.
        """

    def serve(topic: str, host: str, service: object) -> Awaitable[IServing]:
        """
        Take messages for C{topic} and for C{topic.host}.

        Each public coroutine method C{remote_NAME(context, **args)} of
        C{service} answers method NAME; nothing else can be called.  A message
        is acknowledged when its method has ended.  Messages whose arguments
        have the same C{instance_id} are handled one after the other, in the
        order of arrival; others together, up to C{rpc_thread_pool_size}.

        @raise StartupError: the broker does not allow it.
        """


class IServing(Interface):
    """A consumer that runs."""

    def stop() -> Deferred[None]:
        """
        Take no more messages; done when those in hand have ended.

        What was fetched but not begun goes back to the queue.
        """
