"""
docs/ec2.md, written from the actions themselves: C{python -m nova_tx.api.ec2.reference} prints it.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, cast

from nova_tx.api.ec2 import admin
from nova_tx.api.ec2.action import Action, actions
from nova_tx.api.ec2.schema import Parameter, Structures
from nova_tx.auth.roles import EVERYONE
from nova_tx.operations import Operations

#: Actions of Nova 2011.1 that AWS has, too, and those it has not.      [spec/02 sections 6 and 7]
OF_2011 = frozenset(
    (
        *("AllocateAddress", "AssociateAddress", "AttachVolume", "AuthorizeSecurityGroupIngress"),
        *("CreateKeyPair", "CreateSecurityGroup", "CreateVolume", "DeleteKeyPair"),
        *("DeleteSecurityGroup", "DeleteVolume", "DeregisterImage", "DescribeAddresses"),
        *("DescribeAvailabilityZones", "DescribeImageAttribute", "DescribeImages"),
        *("DescribeInstances", "DescribeKeyPairs", "DescribeRegions", "DescribeSecurityGroups"),
        *("DescribeSnapshots", "DescribeVolumes", "DetachVolume", "DisassociateAddress"),
        *("GetConsoleOutput", "ModifyImageAttribute", "RebootInstances", "RegisterImage"),
        *("ReleaseAddress", "RevokeSecurityGroupIngress", "RunInstances", "TerminateInstances"),
    )
)
NOVAS = frozenset(
    (
        *("DescribeInstancesV6", "GetAjaxConsole", "RescueInstance", "UnrescueInstance"),
        *("UpdateImage", "UpdateInstance", "UpdateVolume"),
    )
)

_HEAD = """\
# EC2, action by action

Written by `python -m nova_tx.api.ec2.reference > docs/ec2.md`; a test compares.

*Since* says whose clients know an action: **2011**, those of Nova 2011.1, and AWS's since; **AWS**,
those of AWS; **Nova**, those of Nova only. `X.N` is a list: `X.1`, `X.2` …, or `X` alone. Every
action takes `DryRun`. What is neither listed nor ignored is refused with `UnknownParameter`. How
old and new clients are answered is in [behaviour.md](behaviour.md).
"""

_ADMINISTRATORS = """\
# For administrators

At `/services/Admin`; a client says `nova` as its `Version`.
"""


def page() -> str:
    """The page."""
    nobody = cast(Operations, None)
    parts = [_HEAD, *_chapters(actions(nobody).values(), since)]
    parts += [_ADMINISTRATORS, *_chapters(actions(nobody, admin).values(), lambda name: "Nova")]
    return "\n".join(parts)


def _chapters(found: Iterable[Action], whose: Callable[[str], str]) -> Iterator[str]:
    """A chapter for each module, a section for each action of it."""
    kinds = sorted(map(type, found), key=lambda each: (each.__module__, each.__name__))
    for module, members in groupby(kinds, lambda each: each.__module__):
        title = _first_line(sys.modules[module]).partition("  ")[0].partition(": ")[0]
        title = title.partition(".")[0].removeprefix("Actions on ")
        yield f"## {title[0].upper()}{title[1:]}\n"
        for each in members:
            yield _section(each, whose(each.__name__))


def _section(action: type[Action], whose: str) -> str:
    lines = [f"### {action.__name__}", "", _plain(_first_line(action)), ""]
    lines += [f"For {_roles(action)}. Since: {whose}.", ""]
    rows = [
        f"| `{'`, `'.join(names)}` | {kind} | {'required' if required else ''} |"
        for names, kind, required in parameters(action.Params)
    ]
    if rows:
        lines += ["| parameter | is | |", "|---|---|---|", *rows, ""]
    if action.ignored:
        lines += [f"Ignored: `{'`, `'.join(action.ignored)}`.", ""]
    return "\n".join(lines)


def since(action: str) -> str:
    """Whose clients know it: 2011, AWS or Nova."""
    return "2011" if action in OF_2011 else "Nova" if action in NOVAS else "AWS"


def parameters(params: type[Any], start: str = "") -> Iterator[tuple[list[str], str, bool]]:
    """What C{Params} takes: names as on the wire, the kind, whether it is required."""
    for field in dataclasses.fields(params):
        parameter: Parameter | Structures = field.metadata["parameter"]
        names = [start + name + (".N" if parameter.many else "") for name in parameter.names]
        if isinstance(parameter, Structures):
            for name in names:
                yield from parameters(parameter.of, f"{name}.")
        else:
            yield names, parameter.kind, parameter.required


def _roles(action: type[Action]) -> str:
    if EVERYONE in action.roles:
        return "everyone"
    return " or ".join(sorted(action.roles)) or "administrators"


def _first_line(documented: Any) -> str:
    """What it is for, on one line."""
    return inspect.cleandoc(documented.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def _plain(text: str) -> str:
    return re.sub(r"[CLBI]\{([^}]*)\}", r"`\1`", text)


if __name__ == "__main__":
    sys.stdout.write(page())
