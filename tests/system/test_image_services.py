"""What uec-publish-tarball published boots under libvirt, whatever keeps it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nova_tx.local import guest_image
from nova_tx.testing.image_services import SERVICES

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("service", SERVICES)
def test_a_guest_of_each(service: str) -> None:
    """A published image and a copy of its guest are available and boot, and leave nothing."""
    guest_image.build(say=print)  # its packages can't be fetched from where the story is told
    directory = Path(tempfile.mkdtemp(prefix="nova-images-"))  # short: there is a socket in it
    directory.chmod(0o755)
    argv = [
        *(sys.executable, "-m", "nova_tx.testing.image_services"),
        *(str(directory / "cloud"), service),
    ]
    # a network of its own: its bridge and rules never meet this machine's
    story = f"ip link set lo up && exec {subprocess.list2cmdline(argv)}"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", story],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    shutil.rmtree(directory)
