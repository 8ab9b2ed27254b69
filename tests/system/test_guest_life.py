"""Stop, start, reboot, rescue, images: of real guests, seen from inside by ssh."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nova_tx.local import guest_image

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_life_of_a_guest() -> None:
    """A guest keeps what it should through each turn of its life, and nothing else."""
    guest_image.build(say=print)  # its packages can't be fetched from where the story is told
    directory = Path(tempfile.mkdtemp(prefix="nova-life-"))  # short: there is a socket in it
    directory.chmod(0o755)
    argv = [sys.executable, "-m", "nova_tx.testing.guest_life", str(directory / "cloud")]
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
