"""
A host's network devices as a network worker and a compute worker see them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from zope.interface import Attribute, Interface

from nova_tx.model.networks import NetworkPlan


class IFabric(Interface):
    """
    Bridges, rules and DHCP servers of this host.

    Every method may be repeated; it makes what is missing and leaves what is there.
    """

    names = Attribute("What flag network_driver calls it, Bexar's dotted name first.")

    def ensure_network(plan: NetworkPlan) -> Awaitable[None]:
        """
        Carry a network on this host: bridge with the gateway's address, rules
        (forwarding, source address to the outside, metadata), DHCP server
        that knows the plan's hosts.

        @raise FabricError: the text says which part could not be made.
        """

    def update_dhcp(plan: NetworkPlan) -> Awaitable[None]:
        """
        Make the DHCP server know exactly the plan's hosts; start it if it is gone.

        Done when a guest that asks now is answered.

        @raise FabricError: it could not be started.
        """

    def release_lease(bridge: str, mac: str, address: str) -> Awaitable[None]:
        """
        End the lease of a guest that is gone, as the guest itself would: a
        C{del} event follows if there was a lease.

        A DHCP server that does not run holds no lease: nothing to do.

        @raise FabricError: the DHCP server could not be told.
        """

    def ensure_bridge(bridge: str, interface: str | None) -> Awaitable[None]:
        """
        A bridge without an address, for a compute host.

        @raise FabricError: it could not be made.
        """

    def remove_network(bridge: str) -> Awaitable[None]:
        """Undo all of L{ensure_network}; nothing there: nothing to do."""

    def watch_leases(seen: Callable[[str, str, str], None]) -> Awaitable[None]:
        """
        From now on call C{seen(event, mac, address)} on the reactor for each
        lease event; C{event} is C{add}, C{old} or C{del}.
        """

    def close() -> Awaitable[None]:
        """Stop listening for lease events. Networks stay up."""
