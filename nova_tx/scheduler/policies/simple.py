"""The live host with the fewest virtual CPUs in use.                   [spec/13 section 4]"""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from nova_tx.errors import NoValidHost
from nova_tx.flags import SchedulerFlags
from nova_tx.model.hosts import Host
from nova_tx.model.instances import Instance
from nova_tx.scheduler.policies.interfaces import IPolicy


@implementer(IPolicy)
class Simple:
    """Fills hosts evenly, up to C{max_cores} each."""

    names = ("nova.scheduler.simple.SimpleScheduler", "simple")

    def __init__(self, flags: SchedulerFlags) -> None:
        self._max_cores = flags.max_cores

    def choose(self, hosts: Sequence[Host], instance: Instance) -> Host:
        emptiest = min(hosts, key=lambda host: (host.vcpus_used, host.name))
        if emptiest.vcpus_used + instance.vcpus > self._max_cores:
            raise NoValidHost("All hosts have too many cores")
        return emptiest
