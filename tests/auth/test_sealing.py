"""The keys that seal users' secrets, and their file."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nova_tx.auth import sealing
from nova_tx.auth.sealing import Seals, is_sealed
from nova_tx.errors import StartupError
from nova_tx.flags import SecretsFlags

KEY = base64.b64encode(b"k" * 32).decode()


def seals(path: Path, content: str | None = None) -> Seals:
    """Seals with the keys of a file."""
    if content is not None:
        path.write_text(content)
        path.chmod(0o600)
    return Seals(SecretsFlags(str(path)))


def sealed(who: Seals, user: str = "joe", secret: str = "a-secret") -> str:
    """A secret sealed, where a key may be made."""
    return who.seal(user, secret, lambda: True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("abc!~+/= é", min_size=1, max_size=255), st.text(min_size=1, max_size=20))
def test_there_and_back(tmp_path: Path, secret: str, user: str) -> None:
    """What is sealed opens as it was, fits its column, and looks like no secret."""
    user = user.encode("utf-8", "ignore").decode() or "joe"
    who = seals(tmp_path / "key", KEY)
    stored = sealed(who, user, secret)
    assert who.open(user, stored) == secret
    assert is_sealed(stored) and len(sealed(who, user, "x" * 255)) <= 512
    assert secret not in stored or len(secret) < 6


def test_differs(tmp_path: Path) -> None:
    """The same secret sealed twice does not look the same."""
    who = seals(tmp_path / "key")
    assert sealed(who) != sealed(who)


def test_plain(tmp_path: Path) -> None:
    """A secret of before is as it is, and needs no key."""
    assert seals(tmp_path / "none").open("joe", "sealed-like-secret") == "sealed-like-secret"


def test_for_one_user(tmp_path: Path) -> None:
    """A sealed secret that was put into another user's row, or changed, does not open."""
    who = seals(tmp_path / "key")
    stored = sealed(who)
    other = stored[:-6] + ("A" if stored[-6] != "A" else "B") + stored[-5:]
    for user, text in (("ann", stored), ("joe", other), ("joe", stored[:-4]), ("joe", "sealed x")):
        with pytest.raises(StartupError) as caught:
            who.open(user, text)
        assert "a-secret" not in str(caught.value) and stored not in str(caught.value)


def test_private(tmp_path: Path) -> None:
    """The file and the directory that are made are for their owner alone."""
    path = tmp_path / "keys" / "secrets.key"
    sealed(seals(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["secrets.key"]


def test_not_made(tmp_path: Path) -> None:
    """Where secrets are sealed already, no other key is made in the place of one that is away."""
    with pytest.raises(StartupError, match="is not there: copy it"):
        seals(tmp_path / "key").seal("joe", "a-secret", lambda: False)
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("content", ["", "no key\n", "QUJD\n", f"{KEY}\nQUJD\n", "é"])
def test_other_file(tmp_path: Path, content: str) -> None:
    """A file of other things is one sentence with its name."""
    with pytest.raises(
        StartupError, match=r"^--secrets_key_file=\S+/key holds no key, or other things$"
    ):
        sealed(seals(tmp_path / "key", content))


def test_open_to_others(tmp_path: Path) -> None:
    """A file that everybody can read is not used."""
    who = seals(tmp_path / "key", KEY)
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(StartupError, match="is open to everybody: chmod 600 it"):
        sealed(who)


def test_no_file(tmp_path: Path) -> None:
    """A path that can't be read or written is one sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="can't be written: "):
        sealed(seals(tmp_path / "file" / "key"))
    with pytest.raises(StartupError, match="can't be read: Is a directory"):
        sealed(seals(tmp_path))


def test_wrong_key(tmp_path: Path) -> None:
    """Another key opens nothing, and the sentence says what is to be done."""
    stored = sealed(seals(tmp_path / "key", KEY))
    with pytest.raises(StartupError, match="has not the key that sealed them: copy it"):
        seals(tmp_path / "other", base64.b64encode(b"o" * 32).decode()).open("joe", stored)


def test_new_key(tmp_path: Path) -> None:
    """A new key seals at once, in every process; those of before open what they sealed."""
    here, there = seals(tmp_path / "key"), seals(tmp_path / "key")
    first = sealed(here)
    assert there.open("joe", first) == "a-secret"
    here.add_key()
    second, third = sealed(here), sealed(there)
    name = second.split()[1]
    assert name == third.split()[1] != first.split()[1]
    for who in (here, there, seals(tmp_path / "key")):
        assert [who.open("joe", each) for each in (first, second, third)] == ["a-secret"] * 3
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_whose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What root makes is for who owns the directory; a new key leaves the file to who has it."""
    given: list[tuple[str, str]] = []
    monkeypatch.setattr(sealing, "give", lambda file, like: given.append((file, like)))
    path = tmp_path / "keys" / "key"
    who = seals(path)
    sealed(who)
    (directory, above), (new, beside) = given
    assert (directory, above, beside) == (str(path.parent), str(tmp_path), str(path.parent))
    assert new.startswith(f"{path}.")
    path.chmod(0o640)
    who.add_key()
    [(newer, like)] = given[2:]
    assert newer.startswith(f"{path}.") and like == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sealed(who)


def test_one_key_for_all(tmp_path: Path) -> None:
    """Processes that need a key at the same time come to have the same one."""
    code = (
        "import sys; from nova_tx.auth.sealing import Seals\n"
        "from nova_tx.flags import SecretsFlags\n"
        "sys.stdin.read(1); seals = Seals(SecretsFlags(sys.argv[1]))\n"
        "print(seals.seal('joe', 'a-secret', lambda: True).split()[1])"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "keys" / "key")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("x")
        child.stdin.flush()
    assert len({child.communicate()[0] for child in children}) == 1
    assert all(child.returncode == 0 for child in children)
