"""Workers.                                                            [spec/10 section 10]"""

from __future__ import annotations

from nova_tx.db import services
from nova_tx.flags import NodeFlags
from nova_tx.manage.parts import Parts

_ROW = "%-10s %-10s %-8s %s %s"


async def list_(parts: Parts, host: str | None = None, binary: str | None = None) -> None:
    """Print all workers, or those of a host, or of a kind; :-) is alive, XXX is not."""
    down_time = parts.section(NodeFlags).service_down_time
    for each in await parts.database.read(services.listed):
        if host not in (None, each.host) or binary not in (None, each.binary):
            continue
        able = "disabled" if each.disabled else "enabled"
        face = ":-)" if each.age < down_time else "XXX"
        print(_ROW % (each.host, each.binary, able, face, each.updated_at))
