"""Which host an instance gets."""

from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from nova_tx.errors import NoValidHost
from nova_tx.flags import SchedulerFlags
from nova_tx.model.hosts import Host
from nova_tx.scheduler.policies.chance import Chance
from nova_tx.scheduler.policies.interfaces import IPolicy
from nova_tx.scheduler.policies.simple import Simple
from nova_tx.scheduler.worker import choose
from nova_tx.testing.rows import an_instance

HOSTS = (Host("HostA", "nova", 4), Host("HostB", "nova", 2), Host("HostC", "cellar", 0))


FIRST = Chance(SchedulerFlags(), pick=lambda hosts: hosts[0])


@pytest.mark.parametrize("policy", [Chance(SchedulerFlags()), Simple(SchedulerFlags())])
def test_policies_offer_what_they_promise(policy: object) -> None:
    """Each policy provides IPolicy."""
    assert verifyObject(IPolicy, policy)


def test_chance_takes_any_of_the_hosts() -> None:
    """Over many tries every host of the zone is chosen, and no other."""
    instance = an_instance(availability_zone="nova")
    policy = Chance(SchedulerFlags())
    chosen = {choose(HOSTS, instance, False, policy).name for _ in range(200)}
    assert chosen == {"HostA", "HostB"}


def test_simple_takes_the_emptiest() -> None:
    """The host with the fewest virtual CPUs in use is chosen."""
    policy = Simple(SchedulerFlags())
    assert choose(HOSTS[:2], an_instance(), False, policy).name == "HostB"


def test_simple_refuses_when_the_emptiest_is_full() -> None:
    """No host is filled beyond max_cores; the reason is Nova's."""
    policy = Simple(SchedulerFlags(max_cores=2))
    with pytest.raises(NoValidHost, match="All hosts have too many cores"):
        choose(HOSTS[:2], an_instance(), False, policy)


def test_no_live_host() -> None:
    """Without a host in the zone the reason is Nova's."""
    for candidates, zone in (((), None), (HOSTS, "moon")):
        with pytest.raises(NoValidHost, match="No hosts found"):
            choose(candidates, an_instance(availability_zone=zone), False, FIRST)


def test_an_administrator_may_name_the_host() -> None:
    """zone:host pins an instance for an administrator, and only to a live host."""
    pinned = an_instance(availability_zone="nova:HostB")
    assert choose(HOSTS, pinned, True, FIRST).name == "HostB"
    with pytest.raises(NoValidHost, match="Host HostD is not alive"):
        choose(HOSTS, an_instance(availability_zone="nova:HostD"), True, FIRST)


def test_nobody_else_may() -> None:
    """For others the part after the colon chooses nothing."""
    pinned = an_instance(availability_zone="nova:HostB")
    assert choose(HOSTS, pinned, False, FIRST).name == "HostA"
