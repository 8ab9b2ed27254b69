"""A scheduling policy: a pure choice among hosts."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import Attribute, Interface

from nova_tx.model.hosts import Host
from nova_tx.model.instances import Instance


class IPolicy(Interface):
    """Chooses the host of an instance. Zones and pinning are settled before it is asked."""

    names = Attribute("What flag scheduler_driver calls it, Bexar's dotted names among them.")

    def choose(hosts: Sequence[Host], instance: Instance) -> Host:
        """
        One of C{hosts}, which are live, and not none.

        @raise NoValidHost: none of them has room; the text is shown to the instance's owner.
        """
