"""nova-manage db: what it does to users' secrets."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from nova_tx.manage.main import main


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The database of a cloud from before secrets were sealed, with joe, at version 3."""
    monkeypatch.chdir(tmp_path)
    assert manage(tmp_path, "db", "sync", "3") == 0
    path = tmp_path / "nova.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO users (id, access_key, secret_key, is_admin, created_at, deleted)"
            " VALUES ('joe', 'joe-access', 'joe-very-secret', 0, '2011-01-01 00:00:00', 0)"
        )
    connection.close()
    return path


def manage(directory: Path, *words: str) -> int:
    """nova-manage of a state directory."""
    return main(["nova-manage", f"--state_path={directory}", *words])


def content(directory: Path) -> bytes:
    """Every byte of the database's files."""
    return b"".join(path.read_bytes() for path in directory.glob("nova.sqlite*"))


def stored(database: Path) -> bytes:
    """Joe's secret, as it is sealed."""
    with sqlite3.connect(database) as connection:
        [(secret,)] = connection.execute("SELECT secret FROM users")
    connection.close()
    return str(secret).encode()


def test_sync_seals(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """db sync seals what is not sealed: the secret is in no byte of the files, and still works."""
    assert b"joe-very-secret" in content(old.parent)
    assert manage(old.parent, "db", "sync") == 0
    assert b"joe-very-secret" not in content(old.parent)
    assert b"joe-access" in content(old.parent)
    assert manage(old.parent, "user", "exports", "joe") == 0
    assert "EC2_SECRET_KEY=joe-very-secret" in capsys.readouterr().out
    assert (old.parent / "keys" / "secrets.key").stat().st_mode & 0o777 == 0o600


def test_rotate_key(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """db rotate_key puts a new key in front, seals all anew, leaves no old seal, says how many."""
    manage(old.parent, "db", "sync")
    file = old.parent / "keys" / "secrets.key"
    [before] = file.read_text().split()
    sealed = stored(old)
    with sqlite3.connect(old) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute(
            "INSERT INTO users (id, access_key, secret_key, secret, is_admin, created_at, deleted)"
            " VALUES ('ann', 'a', '', 'sealed-long-ago', 0, '2011-01-01 00:00:00', 0)"
        )
        connection.commit()
        connection.execute("DELETE FROM users WHERE id = 'ann'")
    connection.close()
    assert sealed in content(old.parent) and b"sealed-long-ago" in content(old.parent)
    assert manage(old.parent, "db", "rotate_key") == 0
    assert capsys.readouterr().out == (
        "secrets sealed by a new key: 1; copy its file to the other hosts\n"
    )
    assert stored(old) != sealed and sealed not in content(old.parent)
    assert b"sealed-long-ago" not in content(old.parent)
    after = file.read_text().split()
    assert after[1:] == [before] and after[0] != before
    file.write_text(after[0])
    assert manage(old.parent, "user", "exports", "joe") == 0
    assert "joe-very-secret" in capsys.readouterr().out


def test_no_key(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the file of keys a command is one sentence that says what to do, and its path."""
    manage(old.parent, "db", "sync")
    file = old.parent / "keys" / "secrets.key"
    file.unlink()
    for words in (["user", "exports", "joe"], ["db", "rotate_key"], ["user", "create", "ann"]):
        assert manage(old.parent, *words) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err == (
            f"users' secrets in the database are sealed, and --secrets_key_file={file}"
            " is not there: copy it from the host that has it, or from the backup\n"
        )
    assert not file.exists()
