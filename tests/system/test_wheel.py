"""The wheel on each Python: with no checkout near, a cloud comes up and boots a guest."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nova_tx.local import guest_image
from nova_tx.local.places import cache_directory

CHECKOUT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.11", "3.12", "3.13")
DAEMONS = ("all", "api", "compute", "network", "objectstore", "scheduler")


def run(*argv: str | Path, cwd: Path, **environment: str) -> str:
    """What a program prints; it knows nothing of this checkout."""
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root"), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def python(version: str, directory: Path) -> str:
    """A Python of a version: this one, one on the PATH, pyenv's, or one that uv fetches."""
    if sys.version_info[:2] == tuple(int(part) for part in version.split(".")):
        return sys.executable
    for found in (
        shutil.which(f"python{version}"),
        *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), reverse=True),
    ):
        if found and not subprocess.run([found, "-c", "import venv, ensurepip"]).returncode:
            return str(found)
    run(sys.executable, "-m", "uv", "python", "install", version, cwd=directory)
    return run(sys.executable, "-m", "uv", "python", "find", version, cwd=directory).strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what the checkout has, with nothing of what it made."""
    place = tmp_path_factory.mktemp("wheel")
    made = shutil.ignore_patterns(".git", ".*", "*.egg-info", "__pycache__", "build")
    shutil.copytree(CHECKOUT, place / "source", ignore=made)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "./source", cwd=place)
    shutil.rmtree(place / "source")
    [built] = place.glob("nova_tx-*.whl")
    return built


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cloud_from_the_wheel(version: str, wheel: Path, tmp_path: Path) -> None:
    """pip, twistd and the demonstration need nothing but the wheel."""
    guest_image.build(say=print)  # its packages can't be fetched from where the cloud is run
    run(python(version, tmp_path), "-m", "venv", tmp_path / "env", cwd=tmp_path)
    programs = tmp_path / "env" / "bin"
    run(programs / "pip", "install", "-q", f"{wheel}[clients,libvirt]", cwd=tmp_path)

    say = "import nova_tx, sys; print(sys.version_info[:2], nova_tx.__file__)"
    said = run(programs / "python", "-c", say, cwd=tmp_path)
    assert said.startswith(f"({version.replace('.', ', ')}) {tmp_path}/env/lib/")
    plugins = run(programs / "twistd", "--help", cwd=tmp_path)
    assert all(f"nova-{daemon}" in plugins for daemon in DAEMONS)

    # a network of its own: its bridge and rules never meet this machine's
    demonstration = f"ip link set lo up && exec {programs}/nova-demo"
    (tmp_path / "nova_tx").symlink_to(cache_directory())
    shown = run(
        *("unshare", "--net", "sh", "-c", demonstration), cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path)
    )
    assert "demo: ok" in shown, shown
