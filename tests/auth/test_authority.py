"""The certificate authority."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from nova_tx.auth.authority import Authority
from nova_tx.errors import AuthorityError
from nova_tx.flags import CryptoFlags

NOW = datetime(2011, 2, 3, 12, 0, 0)


def flags_for(path: Path) -> CryptoFlags:
    return replace(CryptoFlags(), ca_path=str(path / "CA"))


def mode(path: str | Path) -> int:
    return os.stat(path).st_mode & 0o777


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose authority has its root."""
    path = tmp_path_factory.mktemp("authority")
    Authority(flags_for(path), lambda: NOW).certificate()
    return path


@pytest.fixture
def authority(place: Path) -> Authority:
    return Authority(flags_for(place), lambda: NOW)


def test_layout(place: Path, authority: Authority) -> None:
    """The directory looks as Bexar's, and only its owner gets in and reads the key."""
    authority.issue("joe", "shop")
    ca = place / "CA"
    assert {"cacert.pem", "private", "newcerts", "index.txt", "serial", "projects", "reqs"} <= set(
        os.listdir(ca)
    )
    assert mode(ca) == mode(ca / "private") == 0o700
    assert mode(ca / "private" / "cakey.pem") == 0o600
    assert not [name for name in os.listdir(ca) if name.endswith(".new")]


def test_root(authority: Authority) -> None:
    """The root is made once: self-signed, SHA-256, 2048 bits or more, valid as the flag says."""
    pem = authority.certificate()
    assert authority.certificate() == pem
    root = x509.load_pem_x509_certificate(pem)
    root.verify_directly_issued_by(root)
    assert root.subject.rfc4514_string() == "O=NOVA ROOT,L=Mountain View,ST=California,C=US"
    assert isinstance(root.signature_hash_algorithm, hashes.SHA256)
    (key,) = authority.keys("shop")
    assert key.key_size >= 2048
    assert key.public_key() == root.public_key()
    assert root.not_valid_after_utc == (NOW + timedelta(days=3650)).replace(tzinfo=UTC)


def test_root_decrypts(authority: Authority) -> None:
    """What is encrypted for the root's certificate can be read with its key, as images are."""
    public = x509.load_pem_x509_certificate(authority.certificate()).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    encrypted = public.encrypt(b"image key", padding.PKCS1v15())
    assert authority.keys("shop")[0].decrypt(encrypted, padding.PKCS1v15()) == b"image key"


def test_user_certificate(authority: Authority) -> None:
    """A user's certificate names project, user and time, fits its key and is the root's work."""
    issued = authority.issue("joe", "shop")
    signed = x509.load_pem_x509_certificate(issued.certificate)
    root = x509.load_pem_x509_certificate(authority.certificate())
    signed.verify_directly_issued_by(root)
    assert signed.subject.rfc4514_string() == (
        "CN=shop-joe-2011-02-03T12:00:00Z,OU=NovaDev,O=AnsoLabs,L=MountainView,ST=California,C=US"
    )
    key = serialization.load_pem_private_key(issued.key, None)
    assert key.public_key() == signed.public_key()
    assert issued.key.startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    assert signed.not_valid_after_utc == (NOW + timedelta(days=365)).replace(tzinfo=UTC)
    assert not signed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert Path(issued.file_name).read_bytes() == issued.certificate
    assert "PRIVATE" not in repr(issued)


def test_serials(tmp_path: Path) -> None:
    """Serial numbers count up from 10, hexadecimal, and name the files and the index's lines."""
    authority = Authority(flags_for(tmp_path), lambda: NOW)
    names = [os.path.basename(authority.issue("joe", "shop").file_name) for _ in range(2)]
    assert names == ["10.pem", "11.pem"]
    (tmp_path / "CA" / "serial").write_text("FF\n")
    assert os.path.basename(authority.issue("joe", "shop").file_name) == "FF.pem"
    assert (tmp_path / "CA" / "serial").read_text() == "0100\n"
    lines = (tmp_path / "CA" / "index.txt").read_text().splitlines()
    assert lines[0] == (
        "V\t120203120000Z\t\t10\tunknown\t/C=US/ST=California/L=MountainView/O=AnsoLabs"
        "/OU=NovaDev/CN=shop-joe-2011-02-03T12:00:00Z"
    )
    assert [line.split("\t")[3] for line in lines] == ["10", "11", "FF"]


def test_openssl(tmp_path: Path) -> None:
    """openssl, which knows nothing of us, accepts the certificate, its chain and the index."""
    authority = Authority(flags_for(tmp_path))
    issued = authority.issue("joe", "shop")
    ca = tmp_path / "CA"

    def openssl(*words: str | Path) -> str:
        argv = ["openssl", *map(str, words)]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        return done.stdout

    verified = openssl(
        "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", ca / "cacert.pem",
        issued.file_name,
    )  # fmt: skip
    assert verified.strip() == f"{issued.file_name}: OK"
    config = tmp_path / "openssl.cnf"
    config.write_text(
        f"[ca]\ndefault_ca = c\n[c]\ndir = {ca}\ndatabase = {ca}/index.txt\n"
        f"certificate = {ca}/cacert.pem\nprivate_key = {ca}/private/cakey.pem\n"
        "default_md = sha256\ndefault_crl_days = 1\n"
    )
    openssl("ca", "-config", config, "-revoke", issued.file_name)
    openssl("ca", "-config", config, "-gencrl", "-out", tmp_path / "crl.pem")
    crl = x509.load_pem_x509_crl((tmp_path / "crl.pem").read_bytes())
    assert [each.serial_number for each in crl] == [0x10]


def test_at_once(tmp_path: Path) -> None:
    """Many at once on an empty directory get one root and different serials."""
    with ThreadPoolExecutor(4) as threads:
        issued = list(
            threads.map(
                lambda name: Authority(flags_for(tmp_path)).issue(name, "shop"),
                ("joe", "ann", "eve", "bob"),
            )
        )
    root = x509.load_pem_x509_certificate(Authority(flags_for(tmp_path)).certificate())
    for each in issued:
        x509.load_pem_x509_certificate(each.certificate).verify_directly_issued_by(root)
    assert len({each.file_name for each in issued}) == 4


def test_made_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that another process makes just before this one is as good as one's own."""
    make = os.makedirs

    def after_another(path: str, **how: Any) -> None:
        make(path, 0o700, exist_ok=True)
        make(path, **how)

    monkeypatch.setattr(os, "makedirs", after_another)
    assert Authority(flags_for(tmp_path)).certificate()


def test_interrupted(tmp_path: Path) -> None:
    """A root whose making ended after the key is completed with that key."""
    first = Authority(flags_for(tmp_path), lambda: NOW)
    (key,) = first.keys("shop")
    (tmp_path / "CA" / "cacert.pem").unlink()
    root = x509.load_pem_x509_certificate(Authority(flags_for(tmp_path)).certificate())
    assert root.public_key() == key.public_key()


def test_key_lost(tmp_path: Path) -> None:
    """A root without its key is an error, not a new root that nobody trusts."""
    (tmp_path / "CA").mkdir()
    (tmp_path / "CA" / "cacert.pem").write_text("a certificate")
    with pytest.raises(AuthorityError, match=r"cacert.pem is there, but not .*cakey.pem"):
        Authority(flags_for(tmp_path)).certificate()
    assert (tmp_path / "CA" / "cacert.pem").read_text() == "a certificate"


@pytest.mark.parametrize("name", ["serial", "private/cakey.pem", "cacert.pem"])
def test_spoilt(tmp_path: Path, place: Path, name: str) -> None:
    """A file that holds something else is named in the error; what it holds is not shown."""
    (tmp_path / "CA" / "private").mkdir(parents=True)
    (tmp_path / "CA" / "cacert.pem").write_bytes((place / "CA" / "cacert.pem").read_bytes())
    (tmp_path / "CA" / "private" / "cakey.pem").write_bytes(
        (place / "CA" / "private" / "cakey.pem").read_bytes()
    )
    (tmp_path / "CA" / name).write_text("gibberish")
    with pytest.raises(AuthorityError) as caught:
        Authority(flags_for(tmp_path)).issue("joe", "shop")
    assert name in str(caught.value) and "gibberish" not in str(caught.value)


def test_no_directory(tmp_path: Path) -> None:
    """A path that can't be a directory is one sentence."""
    (tmp_path / "CA").write_text("a file")
    with pytest.raises(AuthorityError, match="the certificate authority can't use"):
        Authority(flags_for(tmp_path)).certificate()


def test_not_longer_than_the_root(tmp_path: Path) -> None:
    """A user's certificate does not outlive the root's, and an expired root signs nothing."""
    flags = replace(flags_for(tmp_path), ca_days=10)
    root = x509.load_pem_x509_certificate(Authority(flags, lambda: NOW).certificate())
    issued = Authority(flags, lambda: NOW).issue("joe", "shop")
    signed = x509.load_pem_x509_certificate(issued.certificate)
    assert signed.not_valid_after_utc == root.not_valid_after_utc
    with pytest.raises(AuthorityError, match="has expired"):
        Authority(flags, lambda: NOW + timedelta(days=11)).issue("joe", "shop")


@pytest.mark.parametrize(
    "pattern", ["", "joe", "/CN", "/XX=joe", "/CN=%s-%s-%s-%s", "/C=U/CN=%s", "/CN="]
)
def test_bad_subject(tmp_path: Path, pattern: str) -> None:
    """A pattern that is no subject is refused when the authority is made."""
    with pytest.raises(AuthorityError, match="--user_cert_subject"):
        Authority(replace(flags_for(tmp_path), user_cert_subject=pattern))


def test_subject_values(place: Path) -> None:
    """A long name is cut where X.509 ends, and a name can't add fields to the subject."""
    flags = replace(flags_for(place), user_cert_subject="/O=%s/CN=%s/OU=x")
    issued = Authority(flags, lambda: NOW).issue("u" * 200, "shop/CN=admin")
    signed = x509.load_pem_x509_certificate(issued.certificate)
    assert [each.value for each in signed.subject] == ["shop/CN=admin", "u" * 64, "x"]
