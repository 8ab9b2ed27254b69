"""nova-manage as a program: in shells, before pipes, with a reactor of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nova_tx import installed

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CALL = "import sys; from nova_tx.manage.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with nova-manage, flags and a database with john in it."""
    script = tmp_path / "nova-manage"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{CALL}" "$0" "$@"\n')
    script.chmod(0o755)
    (tmp_path / "nova.conf").write_text(f"--state_path={tmp_path}\n--connection_type=fake\n")
    for words in (["db", "sync"], ["user", "create", "john"]):
        assert run(tmp_path, script, *words).returncode == 0
    return tmp_path


def run(directory: Path, *argv: object) -> subprocess.CompletedProcess[str]:
    """A program that finds nova-manage."""
    environment = {
        **os.environ,
        "PYTHONPATH": installed.base(),
        "PATH": f"{directory}:{os.environ['PATH']}",
    }
    return subprocess.run(
        [str(each) for each in argv],
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


_BASH = """
. <(nova-manage completion bash)
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nova_manage; echo "${COMPREPLY[*]}"; }
complete -p nova-manage
"""
_ZSH = """
autoload -U compinit && compinit -D
. <(nova-manage completion zsh)
compadd() { shift; print -r -- "$*"; }
_files() { print files; }
try() { words=("$@"); CURRENT=$#words; _nova_manage; }
print ${_comps[nova-manage]}
"""
_TRIED = {
    "try nova-manage role ''": "add has remove",
    "try nova-manage status -": "--watch",
    "try nova-manage user list -": "--json",
    "try nova-manage role add ''": "john",
    "try nova-manage user delete ''": "john",
}


@pytest.mark.parametrize(
    ("shell", "script"), [(["bash", "--norc"], _BASH), (["zsh", "-f"], _ZSH)], ids=["bash", "zsh"]
)
def test_completion(directory: Path, shell: list[str], script: str) -> None:
    """Real shells complete actions, options, and names of users that are there."""
    assert shutil.which(shell[0]), f"{shell[0]} is not installed"
    done = run(directory, *shell, "-c", script + "\n".join(_TRIED))
    assert done.stderr == ""
    first, *lines = done.stdout.splitlines()
    assert "_nova_manage" in first
    assert lines == list(_TRIED.values())


def test_completion_of_flags(directory: Path) -> None:
    """bash, which takes = for a word, completes what follows a flag with a value."""
    flagfile = f"--flagfile = {directory}/nova.conf"
    tried = _BASH + f"try nova-manage {flagfile} user delete ''\ntry nova-manage --sql_con"
    assert run(directory, "bash", "--norc", "-c", tried).stdout.splitlines()[1:] == [
        "john",
        "--sql_connection",
    ]


def test_config_check(directory: Path) -> None:
    """What is wrong is named with what to do, status 1; what is well, too; or as JSON."""
    with open(directory / "nova.conf", "a", encoding="utf-8") as file:
        file.write("--rabbit_port=many\n--my_ip=127.0.0.1\n--rabbit_host=127.0.0.1\n")
    done = run(directory, "nova-manage", "config", "check")
    assert done.returncode == 1 and done.stderr.endswith("wrong\n"), done
    assert "nova.conf:3: --rabbit_port must be an integer" in done.stdout
    for subject in ("database", "broker", "libvirt", "disk", "clock", "address", "ports"):
        assert f" {subject:<8} " in done.stdout, done.stdout
    found = json.loads(run(directory, "nova-manage", "config", "check", "--json").stdout)
    assert {"verdict", "subject", "text", "advice"} == found[0].keys()
    with open(directory / "nova.conf", "a", encoding="utf-8") as file:
        file.write("--fake_rabbit\n")
    text = (directory / "nova.conf").read_text().replace("--rabbit_port=many\n", "")
    (directory / "nova.conf").write_text(text)
    ports = [f"--{name}=0" for name in ("ec2_listen_port", "metadata_port", "s3_port")]
    done = run(directory, "nova-manage", f"--flagfile={directory}/nova.conf", *ports, "conf", "ch")
    assert (done.returncode, done.stderr) == (0, ""), done


def test_who_reads_has_seen_enough(directory: Path) -> None:
    """A list into a pipe that is closed ends without a word."""
    assert run(directory, "nova-manage", "network", "create", "10.0.0.0/16", "1", "65536")
    done = run(directory, "bash", "-c", "set -o pipefail; nova-manage fixed list | head -n 1")
    assert (done.stderr, done.stdout.split()[0]) == ("", "network")


def test_no_reactor_without_need(directory: Path) -> None:
    """A command that asks the database alone neither imports a reactor nor Alembic."""
    told = (
        "import sys; from nova_tx.manage.main import main; main(sys.argv[1:]);"
        "print(sorted({'twisted.internet.reactor', 'alembic', 'libvirt'} & sys.modules.keys()))"
    )
    done = run(directory, sys.executable, "-c", told, "nova-manage", "user", "list")
    assert done.stdout == "john\n[]\n", done
