"""Any live host.                                                       [spec/13 section 3]"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from zope.interface import implementer

from nova_tx.flags import SchedulerFlags
from nova_tx.model.hosts import Host
from nova_tx.model.instances import Instance
from nova_tx.scheduler.policies.interfaces import IPolicy


@implementer(IPolicy)
class Chance:
    """Chooses at random; also Bexar's ZoneScheduler, since zones are honoured for all."""

    names = (
        "nova.scheduler.chance.ChanceScheduler",
        "nova.scheduler.zone.ZoneScheduler",
        "chance",
    )

    def __init__(
        self, flags: SchedulerFlags, pick: Callable[[Sequence[Host]], Host] = random.choice
    ) -> None:
        self._pick = pick

    def choose(self, hosts: Sequence[Host], instance: Instance) -> Host:
        return self._pick(hosts)
