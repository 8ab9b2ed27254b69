"""A network manager: which network an instance gets, and what carrying it takes."""

from __future__ import annotations

from sqlalchemy import Connection
from zope.interface import Attribute, Interface

from nova_tx.model.networks import FixedIp, Network, NetworkPlan


class INetworkManager(Interface):
    """The rules of a kind of network, as functions inside a transaction; it touches no device."""

    names = Attribute("What flag network_manager calls it, Bexar's dotted name first.")

    def carried(txn: Connection, host: str) -> tuple[Network, ...]:
        """The networks that C{host} carries, after taking those that nobody carries."""

    def allocate(txn: Connection, host: str, instance_id: int) -> tuple[Network, FixedIp]:
        """
        Give an instance its address, the same again if it has one; C{host} carries the network.

        @raise NetworkNotFound: there is no network for it.
        @raise NoMoreAddresses: every address of its network is taken.
        @raise WrongState: another host carries its network.
        """

    def plan(txn: Connection, network: Network) -> NetworkPlan:
        """All that this host's fabric needs to know to carry a network."""
