"""Instances.                                                          [spec/10 section 9]"""

from __future__ import annotations

from nova_tx.db import overview
from nova_tx.manage.parts import Parts

_COLUMNS = "%-10s %-15s %-10s %-10s %-19s %-12s %-12s %-12s  %-10s %-10s %-10s"


async def list_(parts: Parts, host: str | None = None) -> None:
    """Print all instances, or those on a host."""
    found = await parts.database.read(overview.instances, host)
    titles = ("instance", "node", "type", "state", "launched", "image", "kernel", "ramdisk")
    print(f"{_COLUMNS} %-5s" % (*titles, "project", "user", "zone", "index"))
    for each in found:
        launched = each.launched_at and each.launched_at.replace(microsecond=0)
        print(
            f"{_COLUMNS} %-5d"
            % (
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
        )
