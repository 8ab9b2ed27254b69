"""Copies of a whole database, made while others work with it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable

from sqlalchemy import URL, Engine

from nova_tx.db.dialects import absent, in_memory
from nova_tx.errors import InvalidInput, StartupError

#: Pages that are copied at once; between them others may write.
_PAGES = 4096


def refuse_itself(engine: Engine, path: str) -> None:
    """
    See that a copy would not take the place of its original, which daemons have open.

    @raise InvalidInput: it would.
    """
    url = engine.url
    if url.get_backend_name() == "sqlite" and not in_memory(url):
        original = os.path.realpath(str(url.database))
        if os.path.realpath(path) in [original + end for end in ("", "-wal", "-shm", "-journal")]:
            raise InvalidInput(f"{path} is of the database itself: name another file")


def write(engine: Engine, path: str, told: Callable[[float], object] = lambda _: None) -> None:
    """
    Write all of it, as it is at one moment, to a file that is there.

    @param told: is called with the share that is done, if it is known.
    @raise InvalidInput: there is none, or none that outlives its program.
    @raise StartupError: the program that does it is not installed, or failed.
    """
    url = engine.url
    if absent(url):
        raise InvalidInput(f"there is no database {url.database}")
    match url.get_backend_name():
        case "sqlite":
            if in_memory(url):
                raise InvalidInput("a database in memory can't be backed up")
            _sqlite(engine, path, told)
        case "postgresql":
            _dump(("pg_dump", "--no-password", *_where(url, "--port", "--username")), url, path)
        case _:
            words = ("--single-transaction", "--routines", "--hex-blob")
            program = "mysqldump" if shutil.which("mysqldump") else "mariadb-dump"
            _dump((program, *words, *_where(url, "--port", "--user")), url, path)


def _sqlite(engine: Engine, path: str, told: Callable[[float], object]) -> None:
    target = sqlite3.connect(path)
    try:
        with engine.connect() as connection:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            source.backup(
                target,
                pages=_PAGES,
                progress=lambda _, left, total: told(1 - left / max(total, 1)),
            )
    except sqlite3.Error as error:
        raise StartupError(f"the database could not be copied: {error}") from None
    finally:
        target.close()


def _where(url: URL, port: str, user: str) -> list[str]:
    """How these programs are told which database is meant; the password is not among it."""
    host, socket = url.host or url.query.get("host"), url.query.get("unix_socket")
    words = [f"--host={host}"] if host else []
    words += [f"--socket={socket}"] if socket else []
    words += [f"{port}={url.port}"] if url.port else []
    words += [f"{user}={url.username}"] if url.username else []
    return [*words, str(url.database)]


def _dump(argv: tuple[str, ...], url: URL, path: str) -> None:
    secret = {"PGPASSWORD": url.password, "MYSQL_PWD": url.password} if url.password else {}
    try:
        with open(path, "wb") as file:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.PIPE,
                env={**os.environ, **{name: str(value) for name, value in secret.items()}},
            )
    except FileNotFoundError:
        raise StartupError(f"{argv[0]} is not installed on this host") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise StartupError(f"{argv[0]} failed: {said[-1] if said else done.returncode}")
