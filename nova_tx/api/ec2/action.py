"""What an EC2 action is, and where they are found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any, ClassVar

import nova_tx.api.ec2.actions
from nova_tx.api.ec2.dialect import Content
from nova_tx.auth.roles import EVERYONE, PROJECT_MANAGER
from nova_tx.operations import Operations
from nova_tx.registry import by_name, definitions, is_class

#: Roles that may: anyone of the project; who looks after its instances and images.
ALL = frozenset((EVERYONE,))
SYSADMIN = frozenset((PROJECT_MANAGER, "sysadmin"))
#: No role: superusers only.
SUPERUSERS: frozenset[str] = frozenset()


class Action:
    """
    An action, called as its class.

    @cvar roles: who may; nobody but superusers if empty.
    @cvar ignored: parameters that clients send and that mean nothing here.
    @cvar Params: a dataclass of L{nova_tx.api.ec2.schema} fields.
    @ivar run: C{async run(context, params, dialect)}: the answer's content.
    """

    roles: ClassVar[frozenset[str]]
    ignored: ClassVar[tuple[str, ...]] = ()
    Params: ClassVar[type[Any]]
    run: Callable[..., Awaitable[Content]]

    def __init__(self, operations: Operations) -> None:
        self.operations = operations


def actions(
    operations: Operations, package: ModuleType = nova_tx.api.ec2.actions
) -> dict[str, Action]:
    """Every action of a package, by name."""
    found = [
        value(operations)
        for value in definitions(package, is_class)
        if isinstance(value, type) and issubclass(value, Action)
    ]
    return by_name(found, lambda each: (type(each).__name__,))
