"""Workers.                                                            [spec/10 section 10]"""

from __future__ import annotations

from nova_tx.db import services
from nova_tx.errors import ServiceNotFound
from nova_tx.flags import NodeFlags
from nova_tx.manage.listing import Listing
from nova_tx.manage.parts import Parts
from nova_tx.model.hosts import Service

_ROW = "%-10s %-10s %-8s %s %s"


async def disable(parts: Parts, host: str, binary: str) -> None:
    """Give a worker no new work; what it has it keeps."""
    await _set(parts, host, binary, disabled=True)


async def enable(parts: Parts, host: str, binary: str) -> None:
    """Give a worker work again."""
    await _set(parts, host, binary, disabled=False)


async def list_(
    parts: Parts, host: str | None = None, binary: str | None = None
) -> Listing[Service]:
    """
    Print all workers, or those of a host, or of a kind; :-) is alive, XXX is not.

    Alive is who wrote its row in the last service_down_time seconds, by the database's clock.
    """
    down_time = parts.section(NodeFlags).service_down_time

    def line(each: Service) -> str:
        able = "disabled" if each.disabled else "enabled"
        face = ":-)" if each.age < down_time else "XXX"
        return _ROW % (each.host, each.binary, able, face, each.updated_at)

    found = await parts.database.read(services.listed)
    return Listing(
        [
            each
            for each in found
            if (host or each.host) == each.host and (binary or each.binary) == each.binary
        ],
        line,
        lambda each: {**vars(each), "alive": each.age < down_time},
    )


async def _set(parts: Parts, host: str, binary: str, disabled: bool) -> None:
    try:
        await parts.database.run(services.set_disabled, host, binary, disabled)
    except ServiceNotFound:
        raise ServiceNotFound("Unable to find service") from None
