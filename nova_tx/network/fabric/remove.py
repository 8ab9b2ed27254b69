"""
Remove a network from this host, also when no daemon of its cloud runs any more:

C{python -m nova_tx.network.fabric.remove BRIDGE NETWORKS_PATH}
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from nova_tx.errors import FabricError
from nova_tx.flags import Flags, NetworkFlags, NodeFlags
from nova_tx.network.fabric.linux import LinuxFabric
from nova_tx.process import IRunner, Runner


async def remove(reactor: Any, runner: IRunner, bridge: str, networks_path: str) -> None:
    """
    Remove bridge, rules, DHCP server and its files.

    @raise FabricError: something of it can't be removed.
    """
    flags = Flags.load([f"--networks_path={networks_path}"], [NodeFlags, NetworkFlags])
    await LinuxFabric(runner, reactor, flags.section(NetworkFlags)).remove_network(bridge)


def main(argv: Sequence[str]) -> None:
    """The command. Ends with status 1 and a sentence if it can't be done."""
    if len(argv) != 2:
        sys.exit("usage: python -m nova_tx.network.fabric.remove BRIDGE NETWORKS_PATH")

    async def attempt(reactor: Any) -> None:
        try:
            await remove(reactor, Runner(reactor), *argv)
        except FabricError as error:
            sys.exit(str(error))

    react(lambda reactor: Deferred.fromCoroutine(attempt(reactor)))


if __name__ == "__main__":
    main(sys.argv[1:])
