"""nova-manage in a directory of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_tx.manage.main import main
from nova_tx.testing.manage import Manage, Told


@pytest.fixture
def bare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Manage:
    """nova-manage in an empty directory, with a database that has no tables."""
    monkeypatch.chdir(tmp_path)
    conf = tmp_path / "cloud.conf"
    conf.write_text(
        f"--state_path={tmp_path}\n--my_ip=10.1.1.1\n--flat_network_dns=8.8.4.4\n"
        "--rabbit_host=elsewhere\n"
    )

    def run(*words: str) -> Told:
        code = main(["nova-manage", f"--flagfile={conf}", *words])
        out, err = capsys.readouterr()
        return Told(code, out, err)

    return run


@pytest.fixture
def manage(bare: Manage) -> Manage:
    """nova-manage with a database that is ready."""
    assert bare("db", "sync") == Told(0, "", "")
    return bare


@pytest.fixture
def john(manage: Manage) -> Manage:
    """nova-manage of a cloud with john and his project, as the seed's slides have it."""
    manage("user", "create", "john", "my-access-key", "a-super-secret-key")
    assert manage("project", "create", "john_project", "john") == Told(0, "", "")
    return manage
