"""What openssl, which knows nothing of us, says of certificates, authorities and their lists."""

from __future__ import annotations

import subprocess
import time
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from nova_tx.auth.authority import Authority
from nova_tx.flags import CryptoFlags
from nova_tx.manage.main import main as nova_manage

DAY = 86400
Manage = Callable[..., None]


@pytest.fixture(params=["root", "project"])
def which(request: pytest.FixtureRequest) -> str:
    """Whose certificates they are."""
    return str(request.param)


@pytest.fixture
def directory(tmp_path: Path, which: str) -> Path:
    """The authority's directory."""
    return tmp_path / "CA" if which == "root" else tmp_path / "CA" / "projects" / "shop"


@pytest.fixture
def manage(tmp_path: Path, which: str) -> Manage:
    """nova-manage of a cloud with joe and ann in a project."""
    conf = tmp_path / "nova.conf"
    prefix = "--use_project_ca" if which == "project" else "--nouse_project_ca"
    conf.write_text(f"--state_path={tmp_path}\n--my_ip=10.1.1.1\n{prefix}\n")

    def run(*words: str) -> None:
        assert nova_manage(["nova-manage", f"--flagfile={conf}", *words]) == 0

    run("db", "sync")
    for name in ("joe", "ann"):
        run("user", "create", name)
    run("project", "create", "shop", "joe")
    return run


def take_home(manage: Manage, tmp_path: Path, user: str) -> Path:
    """What a user unpacked."""
    home = tmp_path / user
    home.mkdir()
    manage("project", "zipfile", "shop", user, str(home / "nova.zip"))
    with zipfile.ZipFile(home / "nova.zip") as packed:
        packed.extractall(home)
    return home


def openssl(*words: str | Path) -> tuple[int, str]:
    argv = ["openssl", *map(str, words)]
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def verified(home: Path, directory: Path, after: int = 0) -> str:
    """
    What openssl says of a certificate, with the list.

    @param after: seconds from now at which it is asked.
    """
    code, said = openssl(
        *("verify", "-x509_strict", "-crl_check", "-attime", str(int(time.time()) + after)),
        *("-CAfile", home / "cacert.pem", "-CRLfile", directory / "crl.pem", home / "cert.pem"),
    )
    assert (code == 0) == said.endswith("cert.pem: OK\n")
    return said


def test_revoked(manage: Manage, tmp_path: Path, directory: Path) -> None:
    """openssl takes what was issued, refuses what was revoked, and nothing else."""
    joe, ann = (take_home(manage, tmp_path, name) for name in ("joe", "ann"))
    for home in (joe, ann):
        assert verified(home, directory).endswith("OK\n")
    manage("user", "revoke", "joe", "shop")
    assert "certificate revoked" in verified(joe, directory)
    assert verified(ann, directory).endswith("OK\n")
    manage("user", "delete", "ann")
    assert "certificate revoked" in verified(ann, directory)


def test_refreshed(manage: Manage, tmp_path: Path, directory: Path) -> None:
    """A list expires, and everything is refused; one that is written anew is good for longer."""
    joe = take_home(manage, tmp_path, "joe")
    flags = CryptoFlags(ca_path=str(tmp_path / "CA"))
    assert verified(joe, directory, 29 * DAY).endswith("OK\n")
    assert "CRL has expired" in verified(joe, directory, 31 * DAY)
    later = datetime.fromtimestamp(time.time() + 25 * DAY)
    Authority(flags, lambda: later).refresh()
    assert verified(joe, directory, 31 * DAY).endswith("OK\n")


def test_the_list(manage: Manage, tmp_path: Path, directory: Path) -> None:
    """The list and the certificates are signed with SHA-256, by keys of 2048 bits or more."""
    joe = take_home(manage, tmp_path, "joe")
    code, said = openssl("crl", "-in", directory / "crl.pem", "-noout", "-text", "-CAfile",
                         directory / "cacert.pem")  # fmt: skip
    assert code == 0 and "verify OK" in said
    assert "sha256WithRSAEncryption" in said and "X509v3 CRL Number" in said
    for file in (joe / "cert.pem", directory / "cacert.pem", tmp_path / "CA" / "cacert.pem"):
        code, said = openssl("x509", "-in", file, "-noout", "-text")
        assert code == 0
        assert "sha256WithRSAEncryption" in said and "Public-Key: (2048 bit)" in said


def test_openssl_ca(manage: Manage, tmp_path: Path, directory: Path) -> None:
    """openssl ca reads the index, and what it revoked there itself stays revoked in our lists."""
    joe, ann = (take_home(manage, tmp_path, name) for name in ("joe", "ann"))
    manage("user", "revoke", "joe")
    config = tmp_path / "openssl.cnf"
    config.write_text(
        f"[ca]\ndefault_ca = c\n[c]\ndir = {directory}\ndatabase = {directory}/index.txt\n"
        f"certificate = {directory}/cacert.pem\nprivate_key = {directory}/private/cakey.pem\n"
        f"crlnumber = {directory}/crlnumber\ndefault_md = sha256\ndefault_crl_days = 1\n"
    )
    code, said = openssl("ca", "-config", config, "-revoke", ann / "cert.pem", "-crl_reason",
                         "keyCompromise")  # fmt: skip
    assert code == 0, said
    code, said = openssl("ca", "-config", config, "-gencrl", "-out", tmp_path / "theirs.pem")
    assert code == 0, said
    manage("certificate", "refresh")
    for home in (joe, ann):
        assert "certificate revoked" in verified(home, directory)
    own, theirs = (
        openssl("crl", "-in", path, "-noout", "-text")[1].count("Serial Number:")
        for path in (directory / "crl.pem", tmp_path / "theirs.pem")
    )
    assert own == theirs == 2
