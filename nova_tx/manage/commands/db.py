"""The database's tables.                                              [spec/10 section 11]"""

from __future__ import annotations

from nova_tx.auth.database import DatabaseUsers
from nova_tx.bar import Bar
from nova_tx.db import backups, upgrade, user_secrets
from nova_tx.flags import SecretsFlags
from nova_tx.manage.files import private_file
from nova_tx.manage.parts import UNTOLD, Parts

#: These commands are for databases that are not what the others need.
DATABASE = "any"


def backup(parts: Parts, file: str) -> None:
    """
    Write all that is in the database to a file, while daemons go on; whole, or not at all.

    Of SQLite it is a database, of others what pg_dump or mysqldump says.
    """
    backups.refuse_itself(parts.database.engine, file)
    bar = Bar("writing", 1000, patience=UNTOLD)
    try:
        with private_file(file) as path:
            backups.write(parts.database.engine, path, lambda done: bar.show(int(done * 1000)))
    finally:
        bar.end()


async def rotate_key(parts: Parts) -> None:
    """Seal users' secrets by a new key, which is put into the file of keys, in front."""
    await parts.open(any_version=False)
    count = await _users(parts).rotate_key()
    user_secrets.wipe(parts.database.engine)
    print(f"secrets sealed by a new key: {count}; copy its file to the other hosts")


async def sync(parts: Parts, version: int | None = None) -> None:
    """
    Make the tables, or bring them to a version, by default the newest; seal users' secrets.

    There is no way back but a backup: what a newer version knows, an older one could not keep.
    """
    await parts.database.open()
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
