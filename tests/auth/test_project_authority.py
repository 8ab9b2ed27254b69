"""An authority of each project."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from nova_tx.auth import authority_files
from nova_tx.auth.authority import Authority
from nova_tx.errors import AuthorityError
from nova_tx.flags import CryptoFlags

NOW = datetime(2011, 2, 3, 12, 0, 0)


def flags_for(path: Path, use: bool = True) -> CryptoFlags:
    return replace(CryptoFlags(), ca_path=str(path / "CA"), use_project_ca=use)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which joe has a certificate in project shop."""
    path = tmp_path_factory.mktemp("authority")
    issued = Authority(flags_for(path), lambda: NOW).issue("joe", "shop")
    (path / "cert.pem").write_bytes(issued.certificate)
    (path / "cacert.pem").write_bytes(issued.authorities)
    return path


def test_layout(place: Path) -> None:
    """A project's directory is as the root's; nobody else reads a file of either."""
    ca = place / "CA"
    shop = ca / "projects" / "shop"
    names = {"cacert.pem", "private", "newcerts", "index.txt", "serial", "crl.pem", "reqs"}
    assert names <= set(os.listdir(shop))
    assert os.listdir(shop / "newcerts") == ["10.pem"]
    assert os.listdir(ca / "newcerts") == []
    for directory, _, files in os.walk(ca):
        assert os.stat(directory).st_mode & 0o777 == 0o700
        for name in files:
            assert os.stat(os.path.join(directory, name)).st_mode & 0o777 == 0o600


def test_chain(place: Path) -> None:
    """The user's certificate is the work of the project, which has signed itself."""
    project, root = x509.load_pem_x509_certificates((place / "cacert.pem").read_bytes())
    issued = x509.load_pem_x509_certificate((place / "cert.pem").read_bytes())
    issued.verify_directly_issued_by(project)
    project.verify_directly_issued_by(project)
    root.verify_directly_issued_by(root)
    assert project.public_key() != root.public_key()
    assert project.subject.rfc4514_string().startswith("CN=project-ca-shop-2011-02-03T12:00:00Z,")
    assert (place / "CA" / "cacert.pem").read_bytes().strip() in (place / "cacert.pem").read_bytes()


@pytest.mark.parametrize("use", [True, False])
def test_keys(place: Path, use: bool) -> None:
    """What is encrypted for the project or the root can be read, also after the flag is unset."""
    keys = Authority(flags_for(place, use), lambda: NOW).keys("shop")
    found = x509.load_pem_x509_certificates((place / "cacert.pem").read_bytes())
    for key, certificate in zip(keys, found, strict=True):
        public = certificate.public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        sealed = public.encrypt(b"image key", padding.PKCS1v15())
        assert key.decrypt(sealed, padding.PKCS1v15()) == b"image key"


def test_keys_make_nothing(place: Path) -> None:
    """A project without an authority gets none by decrypting: it has the root's key."""
    authority = Authority(flags_for(place), lambda: NOW)
    assert len(authority.keys("bank")) == 1
    assert not (place / "CA" / "projects" / "bank").exists()


def test_apart(place: Path) -> None:
    """Each project has another authority, and stays with it."""
    authority = Authority(flags_for(place), lambda: NOW + timedelta(days=1))
    assert authority.certificate("shop") == (place / "cacert.pem").read_bytes()
    other = authority.certificate("bakery")
    assert other != authority.certificate("shop")
    assert other == authority.certificate("bakery")


@pytest.mark.parametrize("name", ["", ".", "..", "../root", "a/b"])
def test_no_way_out(place: Path, name: str) -> None:
    """A project's name never leads elsewhere."""
    authority = Authority(flags_for(place), lambda: NOW)
    with pytest.raises(AuthorityError, match="can't have a directory"):
        authority.issue("joe", name)


def test_bad_subject(tmp_path: Path) -> None:
    """A pattern that is no subject is refused, with its flag's name."""
    flags = replace(flags_for(tmp_path), project_cert_subject="/CN=%s-%s-%s")
    with pytest.raises(AuthorityError, match="--project_cert_subject"):
        Authority(flags)


def test_locks(tmp_path: Path) -> None:
    """With C{lock_path} the root and each project have a lock there, the same in each process."""
    locks = tmp_path / "made" / "locks"
    flags = replace(flags_for(tmp_path), lock_path=str(locks))
    for project in ("shop", "bank", "shop"):
        Authority(flags, lambda: NOW).issue("joe", project)
    names = {"nova-ca.lock", "nova-ca-shop.lock", "nova-ca-bank.lock"}
    assert set(os.listdir(locks)) == names
    assert all((locks / name).stat().st_mode & 0o777 == 0o600 for name in names)
    assert locks.stat().st_mode & 0o777 == 0o700
    assert not list((tmp_path / "CA").rglob(".lock"))


def test_whose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that root makes, with the locks, is for who owns the directory that it is in."""
    given: dict[str, str] = {}

    def give(file: int | str, like: str) -> None:
        path = os.readlink(f"/proc/self/fd/{file}") if isinstance(file, int) else file
        given[path.removesuffix(".new")] = like

    monkeypatch.setattr(authority_files, "give", give)
    locks = tmp_path / "locks"
    flags = replace(flags_for(tmp_path), lock_path=str(locks))
    Authority(flags, lambda: NOW).issue("joe", "shop")
    made = {str(path) for path in tmp_path.rglob("*")}
    assert set(given) == made
    projects = tmp_path / "CA" / "projects"
    inside = {path: like for path, like in given.items() if path.startswith(f"{projects}/")}
    assert set(inside.values()) == {str(projects)}
    lock = str(locks / "nova-ca-shop.lock")
    assert {like for path, like in given.items() if path not in (*inside, lock)} == {str(tmp_path)}
