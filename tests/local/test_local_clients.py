"""boto, and what a novarc tells it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nova_tx.local.clients import REFUSED, connect, read_novarc, sentence
from nova_tx.local.terminal import LocalError

KEYS = {"EC2_ACCESS_KEY": "access:project", "EC2_SECRET_KEY": "secret"}


def test_connections_go_where_the_urls_say() -> None:
    """Host, port, path and whether by TLS are taken from the URLs."""
    ec2, s3 = connect(
        {
            "EC2_URL": "http://127.0.0.1:8773/services/Cloud",
            "S3_URL": "https://s3.example:3333",
            **KEYS,
        }
    )
    assert (ec2.host, ec2.port, ec2.is_secure, ec2.path) == (
        "127.0.0.1",
        8773,
        False,
        "/services/Cloud",
    )
    assert (s3.host, s3.port, s3.is_secure) == ("s3.example", 3333, True)
    assert ec2.access_key == "access:project"


def test_a_ca_that_is_not_there() -> None:
    """A file of CAs that can't be read is a sentence; without https nobody looks for it."""
    where = {"EC2_URL": "http://x", "S3_URL": "http://x", "AWS_CA_BUNDLE": "/nowhere", **KEYS}
    connect(where)
    with pytest.raises(LocalError, match="AWS_CA_BUNDLE: can't use /nowhere: No such file"):
        connect({**where, "S3_URL": "https://x"})


def test_what_boto_itself_refuses() -> None:
    """A name that boto does not even send is refused as by the cloud, in a sentence."""
    _, s3 = connect({"EC2_URL": "http://127.0.0.1:9", "S3_URL": "http://127.0.0.1:9", **KEYS})
    with pytest.raises(REFUSED) as caught:
        s3.create_bucket("Capital")
    assert sentence(caught.value).startswith("Bucket names cannot contain upper-case")


def test_what_is_missing_is_named() -> None:
    """The names of variables that are not set are in the sentence."""
    with pytest.raises(LocalError, match="S3_URL not set"):
        connect({"EC2_URL": "http://127.0.0.1:8773/services/Cloud", **KEYS})


def test_a_novarc_is_read_as_a_shell_does(tmp_path: Path) -> None:
    """Variables have the values that sourcing gives them, quotes and blanks included."""
    novarc = tmp_path / "novarc"
    novarc.write_text(
        "HERE=$(pwd)\nexport KEY=\"$HERE/pk.pem\"\nexport ODD='a b\n=c'\necho noise\n"
    )
    found = read_novarc(novarc)
    assert found["KEY"] == f"{tmp_path}/pk.pem"
    assert found["ODD"] == "a b\n=c"


def test_a_broken_novarc_is_told(tmp_path: Path) -> None:
    """A novarc that the shell does not take is a sentence."""
    (tmp_path / "novarc").write_text("if\n")
    with pytest.raises(LocalError, match="can't be sourced"):
        read_novarc(tmp_path / "novarc")


def test_what_later_pythons_need_is_put_in_place() -> None:
    """As on Python 3.12, boto is imported with today's six, and no module imp is left behind."""
    program = (
        "import sys; sys.version_info = (3, 12, 0); had = 'imp' in sys.modules\n"
        "import nova_tx.local.clients, io, boto.pyami.config, boto.https_connection\n"
        "assert sys.modules['boto.vendored.six'].__name__ == 'six'\n"
        "assert ('imp' in sys.modules) == had\n"
        "assert boto.pyami.config.Config(fp=io.StringIO('[a]\\nb=1\\n')).get('a', 'b') == '1'\n"
        "assert boto.https_connection.ssl.wrap_socket.__self__.CERT_REQUIRED == 2\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
