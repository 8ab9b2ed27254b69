"""
What a project may have at once.                                       [spec/12 table 6]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select, update

from nova_tx.db.clock import utc_now
from nova_tx.db.schema import quotas
from nova_tx.errors import InvalidInput
from nova_tx.flags import QuotaFlags

#: What a quota may be of.
KEYS = ("instances", "cores", "volumes", "gigabytes", "floating_ips")

_LIMITS = select(quotas.c.instances, quotas.c.cores).where(
    quotas.c.project_id == bindparam("project")
)


@dataclass(frozen=True)
class Limits:
    """
    Quotas of a project.

    @ivar cores: virtual CPUs of all its instances.
    """

    instances: int
    cores: int


def limits(txn: Connection, project_id: str, defaults: QuotaFlags) -> Limits:
    """The project's own quotas, and the flags' where it has none."""
    row = txn.execute(_LIMITS, {"project": project_id}).first()
    instances, cores = row or (None, None)
    return Limits(
        defaults.quota_instances if instances is None else instances,
        defaults.quota_cores if cores is None else cores,
    )


def effective(txn: Connection, project_id: str, defaults: QuotaFlags) -> dict[str, int]:
    """Each of C{KEYS} as it counts for a project: its own, or the flags'."""
    columns = [quotas.c[key] for key in KEYS]
    row = txn.execute(select(*columns).where(quotas.c.project_id == project_id)).first()
    own: Sequence[int | None] = row or [None] * len(KEYS)
    return {
        key: int(getattr(defaults, f"quota_{key}") if value is None else value)
        for key, value in zip(KEYS, own, strict=True)
    }


def set(txn: Connection, project_id: str, key: str, value: int | None) -> None:
    """
    Set one of C{KEYS} for a project; None goes back to the flag's.

    @raise InvalidInput: there is no such quota, or the value is negative.
    """
    if key not in KEYS:
        raise InvalidInput(f"no quota is called {key}; there are: {', '.join(KEYS)}")
    if value is not None and value < 0:
        raise InvalidInput(f"a quota can't be {value}")
    found = txn.execute(
        update(quotas)
        .where(quotas.c.project_id == project_id)
        .values({key: value, "updated_at": utc_now()})
    )
    if found.rowcount == 0:
        txn.execute(
            insert(quotas).values({"project_id": project_id, key: value, "created_at": utc_now()})
        )
