"""Instances.                                                          [spec/10 section 9]"""

from __future__ import annotations

from collections.abc import Mapping

from nova_tx import states
from nova_tx.db import instances, overview
from nova_tx.errors import InvalidInput
from nova_tx.ids import instance_ec2_id, parse_instance_id
from nova_tx.manage.listing import Listing
from nova_tx.manage.parts import Parts
from nova_tx.model.instances import Instance

_COLUMNS = "%-10s %-15s %-10s %-10s %-19s %-12s %-12s %-12s  %-10s %-10s %-10s"
_TITLES = (
    *("instance", "node", "type", "state", "launched", "image", "kernel", "ramdisk"),
    *("project", "user", "zone", "index"),
)
#: What an operator may say that an instance is.
_RESETS = (states.ERROR, states.RUNNING, states.SHUTDOWN)


async def list_(parts: Parts, host: str | None = None) -> Listing[Instance]:
    """Print all instances, or those on a host."""
    found = await parts.database.read(overview.instances, host)
    return Listing(found, _line, _facts, f"{_COLUMNS} %-5s" % _TITLES)


async def reset_state(parts: Parts, ec2_id: str, state: str = states.ERROR) -> None:
    """
    Say that an instance is in error, running or shutdown, whatever its row says.

    For one that is stuck: from error it can be terminated. Its host then compares.
    """
    if state not in _RESETS:
        raise InvalidInput(f"STATE must be one of {', '.join(_RESETS)}, not {state!r}")
    await parts.database.run(instances.reset, parse_instance_id(ec2_id), state)


def _line(each: Instance) -> str:
    launched = each.launched_at and each.launched_at.replace(microsecond=0)
    return f"{_COLUMNS} %-5d" % (
        each.hostname,
        each.host,
        each.instance_type,
        each.state_description,
        launched,
        each.image_id,
        each.kernel_id,
        each.ramdisk_id,
        each.project_id,
        each.user_id,
        each.availability_zone,
        each.launch_index,
    )


def _facts(each: Instance) -> Mapping[str, object]:
    """All but what is its owner's: keys, passwords, user data."""
    hidden = ("key_data", "user_data", "block_devices", "client_token")
    known = {name: value for name, value in vars(each).items() if name not in hidden}
    return {**known, "id": instance_ec2_id(each.id)}
