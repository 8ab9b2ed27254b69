"""What authorities take back, and whose certificates they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from nova_tx.auth import authority_index
from nova_tx.auth.authority import Authority
from nova_tx.auth.authority_files import AuthorityFiles
from nova_tx.auth.certification import Certification
from nova_tx.auth.memory import MemoryUsers
from nova_tx.db import certificates
from nova_tx.db.engine import Database
from nova_tx.errors import AuthorityError
from nova_tx.flags import CryptoFlags

NOW = datetime(2011, 2, 3, 12, 0, 0)


def flags_for(path: Path, **more: Any) -> CryptoFlags:
    return replace(CryptoFlags(), ca_path=str(path / "CA"), **more)


def crl(directory: Path) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl((directory / "crl.pem").read_bytes())


def serials(directory: Path) -> list[int]:
    return [each.serial_number for each in crl(directory)]


async def at_once(fn: Callable[..., Any], *args: Any) -> Any:
    return fn(*args)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(flags_for(tmp_path), lambda: NOW)


# An authority's list.


def test_list(tmp_path: Path, authority: Authority) -> None:
    """The list is there from the start, empty; then it has what was revoked, and until when."""
    issued = [authority.issue("joe", "shop").file_name for _ in range(3)]
    ca = tmp_path / "CA"
    assert serials(ca) == []
    authority.revoke(issued[1:])
    found = crl(ca)
    assert serials(ca) == [0x11, 0x12]
    assert {each.revocation_date_utc for each in found} == {NOW.replace(tzinfo=UTC)}
    assert found.next_update_utc == (NOW + timedelta(days=30)).replace(tzinfo=UTC)
    assert isinstance(found.signature_hash_algorithm, hashes.SHA256)
    root = x509.load_pem_x509_certificate(authority.certificate())
    assert found.is_signature_valid(root.public_key())  # type: ignore[arg-type]
    assert (ca / "crl.pem").stat().st_mode & 0o777 == 0o600


def test_again(tmp_path: Path, authority: Authority) -> None:
    """Revoked again, a certificate is on the list once, since the first time; the number grows."""
    issued = authority.issue("joe", "shop")
    authority.revoke([issued.file_name])
    first = crl(tmp_path / "CA")
    Authority(flags_for(tmp_path), lambda: NOW + timedelta(days=1)).revoke([issued.file_name])
    again = crl(tmp_path / "CA")
    assert [(each.serial_number, each.revocation_date_utc) for each in again] == [
        (each.serial_number, each.revocation_date_utc) for each in first
    ]
    numbers = [
        each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        for each in (first, again)
    ]
    assert numbers[1] == numbers[0] + 1


def test_refresh(tmp_path: Path) -> None:
    """A list that is written anew is good for longer, and has lost nothing; projects' too."""
    flags = flags_for(tmp_path, use_project_ca=True, crl_days=7)
    authority = Authority(flags, lambda: NOW)
    authority.revoke([authority.issue("joe", "shop").file_name])
    Authority(flags, lambda: NOW + timedelta(days=5)).refresh()
    project = tmp_path / "CA" / "projects" / "shop"
    for directory, expected in ((tmp_path / "CA", []), (project, [0x10])):
        assert serials(directory) == expected
        assert crl(directory).next_update_utc == (NOW + timedelta(days=12)).replace(tzinfo=UTC)


@pytest.mark.parametrize("name", ["serial", "index.txt", "both"])
def test_serials_stay_used(tmp_path: Path, authority: Authority, name: str) -> None:
    """A counter or an index that was lost makes no serial number new, and no revocation undone."""
    issued = [authority.issue("joe", "shop").file_name for _ in range(3)]
    for each in ("serial", "index.txt") if name == "both" else (name,):
        (tmp_path / "CA" / each).unlink()
    assert os.path.basename(authority.issue("joe", "shop").file_name) == "13.pem"
    authority.revoke(issued)
    assert serials(tmp_path / "CA") == [0x10, 0x11, 0x12]


def test_bexars_rows(tmp_path: Path, authority: Authority) -> None:
    """A row with Bexar's newline, or of before the directory was moved, is revoked."""
    for _ in range(2):
        authority.issue("joe", "shop")
    authority.revoke(["/old/place/CA/newcerts/10\n.pem", "/old/place/CA/newcerts/11.pem"])
    assert serials(tmp_path / "CA") == [0x10, 0x11]


def test_not_issued(tmp_path: Path, authority: Authority) -> None:
    """What nobody issued is said; the others are revoked all the same."""
    issued = authority.issue("joe", "shop")
    with pytest.raises(AuthorityError, match="has not issued certificate 77"):
        authority.revoke(["/CA/newcerts/77.pem", issued.file_name])
    assert serials(tmp_path / "CA") == [0x10]


def test_no_authority(tmp_path: Path, authority: Authority) -> None:
    """Where there is no authority none is made to revoke something, and it is said."""
    for act in (authority.refresh, lambda: authority.revoke(["/CA/newcerts/10.pem"])):
        with pytest.raises(AuthorityError, match="there is no certificate authority in"):
            act()
    with pytest.raises(AuthorityError, match="no certificate authority of project shop in"):
        authority.revoke(["/CA/projects/shop/newcerts/10.pem"])
    assert not (tmp_path / "CA").exists()


@pytest.mark.parametrize("line", ["R\t1\t2", "X\t200101000000Z\t\t10\tunknown\t/CN=joe"])
def test_spoilt_index(tmp_path: Path, authority: Authority, line: str) -> None:
    """An index that is none is refused, for what it forgets would be valid again."""
    authority.certificate()
    (tmp_path / "CA" / "index.txt").write_text(line + "\n")
    with pytest.raises(AuthorityError, match=r"index\.txt: line 1 "):
        authority.issue("joe", "shop")


def test_other_ends_of_lines(tmp_path: Path) -> None:
    """A sign in a subject that some take for the end of a line is none in the index."""
    flags = flags_for(tmp_path, user_cert_subject="/CN=%s %s")
    authority = Authority(flags, lambda: NOW)
    issued = [authority.issue(name, "shop").file_name for name in ("jo\u2028e", "an\x85n")]
    authority.revoke(issued)
    assert serials(tmp_path / "CA") == [0x10, 0x11]


def test_times() -> None:
    """Times of before and after 2050, and openssl's reasons, are read as openssl writes them."""
    text = (
        "R\t491231235959Z\t110203120000Z,keyCompromise\t10\tunknown\t/CN=joe\n"
        "R\t20500101000000Z\t20500101000000Z\t11\tunknown\t/CN=ann\n"
    )
    found = authority_index.parse(text)
    assert [each.revoked_at for each in found.values()] == [NOW, datetime(2050, 1, 1)]
    assert authority_index.write(found.values()) == text


# Processes.

ISSUE = """
import sys
from nova_tx.auth.authority import Authority
from nova_tx.flags import CryptoFlags
authority = Authority(CryptoFlags(ca_path=sys.argv[1], use_project_ca=True))
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    print(authority.issue("joe", "shop").file_name, flush=True)
"""


def start(path: Path, count: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", ISSUE, str(path / "CA"), str(count)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def test_processes(tmp_path: Path) -> None:
    """Processes that begin at once on nothing get one authority, and each serial number once."""
    running = [start(tmp_path, 2) for _ in range(3)]
    said = [each.communicate()[0].splitlines()[1:] for each in running]
    names = [name for names in said for name in names]
    assert len(names) == len(set(names)) == 6
    own = x509.load_pem_x509_certificate(
        (tmp_path / "CA" / "projects" / "shop" / "cacert.pem").read_bytes()
    )
    for name in names:
        x509.load_pem_x509_certificate(Path(name).read_bytes()).verify_directly_issued_by(own)


def test_killed(tmp_path: Path) -> None:
    """A process that is killed at any moment leaves a directory in which the next one goes on."""
    seen: list[str] = []
    for lines in (1, 2, 3, 4):
        process = start(tmp_path, 1000)
        assert process.stdout is not None
        seen += [process.stdout.readline().strip() for _ in range(lines)][1:]
        process.send_signal(signal.SIGKILL)
        seen += [line.strip() for line in process.communicate()[0].splitlines()]
    seen = [name for name in seen if name.endswith(".pem")]
    assert len(seen) == len(set(seen))
    authority = Authority(flags_for(tmp_path, use_project_ca=True))
    assert authority.issue("joe", "shop").file_name not in seen
    authority.revoke(seen)
    assert set(serials(tmp_path / "CA" / "projects" / "shop")) == {
        int(Path(name).stem, 16) for name in seen
    }


# Rows and files.


class Dying(Exception):
    """The process ends here."""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of files whose writing is the process's end."""
    names: list[str] = []
    write = AuthorityFiles.write

    def dies(self: AuthorityFiles, name: str, content: bytes) -> None:
        if name in names:
            raise Dying
        write(self, name, content)

    monkeypatch.setattr(AuthorityFiles, "write", dies)
    yield names


@pytest.mark.parametrize("file", ["index.txt", "crlnumber", "crl.pem"])
async def test_crash(
    database: Database, tmp_path: Path, authority: Authority, dying: list[str], file: str
) -> None:
    """Wherever a revocation ends, the cloud knows it from its row, and a refresh completes it."""
    users = MemoryUsers()
    await users.create_user("joe", None, None, False)
    await users.create_project("shop", "joe", None)
    certification = Certification(authority, database, at_once)
    await certification.issue("joe", "shop")
    dying.append(file)
    with pytest.raises(Dying):
        await certification.revoke("joe")
    known = await database.read(certificates.known, "joe", "shop")
    assert (len(known.valid), len(known.revoked)) == (0, 1)
    dying.clear()
    await certification.refresh(users)
    assert serials(tmp_path / "CA") == [0x10]


async def test_what_is_left(database: Database, tmp_path: Path, authority: Authority) -> None:
    """A refresh revokes what users and projects had that are not there any more, nothing else."""
    users = MemoryUsers()
    for name in ("joe", "ann"):
        await users.create_user(name, None, None, False)
    await users.create_project("shop", "joe", None)
    certification = Certification(authority, database, at_once)
    for who, where in (("joe", "shop"), ("ann", "shop"), ("joe", "bank"), ("eve", "shop")):
        await certification.issue(who, where)
    await certification.refresh(users)
    assert serials(tmp_path / "CA") == [0x12, 0x13]


async def test_comes_meanwhile(
    database: Database, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is made while a refresh looks at users keeps the certificate."""
    users = MemoryUsers()
    await users.create_user("joe", None, None, False)
    await users.create_project("shop", "joe", None)
    certification = Certification(authority, database, at_once)
    listed = users.projects

    async def projects() -> Any:
        await users.create_user("ann", None, None, False)
        await certification.issue("ann", "shop")
        return await listed()

    monkeypatch.setattr(users, "projects", projects)
    await certification.refresh(users)
    assert serials(tmp_path / "CA") == []


async def test_wrong_place(database: Database, tmp_path: Path, authority: Authority) -> None:
    """Where no user or no project is found at all nothing is revoked."""
    users = MemoryUsers()
    certification = Certification(authority, database, at_once)
    await certification.issue("joe", "shop")
    await certification.refresh(users)
    await users.create_user("ann", None, None, False)
    await certification.refresh(users)
    assert serials(tmp_path / "CA") == []


async def test_whose(database: Database, tmp_path: Path, authority: Authority) -> None:
    """Certificates of a user, of a project, of one in the other are revoked, and no others."""
    certification = Certification(authority, database, at_once)
    for who, where in (("joe", "shop"), ("joe", "bank"), ("ann", "shop"), ("ann", "bank")):
        await certification.issue(who, where)
    assert await certification.revoke("joe", "bank") == 1
    assert serials(tmp_path / "CA") == [0x11]
    assert await certification.revoke(project_id="shop") == 2
    assert serials(tmp_path / "CA") == [0x10, 0x11, 0x12]
    assert await certification.revoke("ann") == 2
    assert serials(tmp_path / "CA") == [0x10, 0x11, 0x12, 0x13]
    assert await certification.revoke("eve") == 0
    with pytest.raises(ValueError):
        await certification.revoke()
