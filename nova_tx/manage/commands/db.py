"""The database's tables.                                              [spec/10 section 11]"""

from __future__ import annotations

from nova_tx.auth.database import DatabaseUsers
from nova_tx.db import upgrade, user_secrets
from nova_tx.flags import SecretsFlags
from nova_tx.manage.parts import Parts

#: These commands are for databases that are not what the others need.
ANY_VERSION = True


async def rotate_key(parts: Parts) -> None:
    """Seal users' secrets by a new key, which is put into the file of keys, in front."""
    count = await _users(parts).rotate_key()
    user_secrets.wipe(parts.database.engine)
    print(f"secrets sealed by a new key: {count}; copy its file to the other hosts")


async def sync(parts: Parts, version: int | None = None) -> None:
    """Make the tables, or bring them to a version, by default the newest; seal users' secrets."""
    upgrade.sync(parts.database.engine, version)
    newest = upgrade.current(parts.database.engine) == upgrade.head()
    if newest and await _users(parts).seal_all():
        user_secrets.wipe(parts.database.engine)


def version(parts: Parts) -> None:
    """Print the version that the tables are at."""
    print(upgrade.current(parts.database.engine))


def _users(parts: Parts) -> DatabaseUsers:
    """Those in the database, whatever flag auth_driver says."""
    return DatabaseUsers(parts.database, parts.section(SecretsFlags))
