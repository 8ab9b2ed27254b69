"""The database's tables.                                              [spec/10 section 11]"""

from __future__ import annotations

from nova_tx.db import upgrade
from nova_tx.manage.parts import Parts

#: These commands are for databases that are not what the others need.
ANY_VERSION = True


def sync(parts: Parts, version: int | None = None) -> None:
    """Make the tables, or bring them to a version; by default the newest."""
    upgrade.sync(parts.database.engine, version)


def version(parts: Parts) -> None:
    """Print the version that the tables are at."""
    print(upgrade.current(parts.database.engine))
