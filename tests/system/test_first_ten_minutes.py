"""docs/first-ten-minutes.md, word for word: five daemons, RabbitMQ, real guests, boto3 and boto."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_tx.local import guest_image

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "first-ten-minutes.md"
BLOCK = re.compile(
    r"(?:<!-- file: (?P<name>[\w.-]+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.S
)


@pytest.fixture
def here() -> Iterator[Path]:
    """A directory whose path is short enough for the sockets of a cloud."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def test_the_page_does_what_it_says(here: Path) -> None:
    """Every command of the page works, in order, and leaves no process behind."""
    commands = ["ip link set lo up"]
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if block["kind"] == "sh":
            commands.append(block["text"])
        else:
            (here / block["name"]).write_text(block["text"], encoding="utf-8")
    assert len(commands) >= 6 and len(list(here.glob("*.py"))) == 2
    (here / "scripts").symlink_to(CHECKOUT / "scripts")
    guest_image.build(say=print)  # its packages can't be fetched from where the page is run
    # whatever fails, the cloud goes down; what went wrong is in its logs
    story = "\n".join(
        [
            "set -euo pipefail",
            "trap 'tail -n 20 my-cloud/log/*.log; scripts/cloud down --dir my-cloud' ERR",
            *commands,
        ]
    )
    # a network of its own: its bridge and rules never meet this machine's
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", story],
        cwd=here,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    for said in ("it has booted again", "the disk kept /root/was-here", "it is terminated"):
        assert done.stdout.count(said) == 2, done.stdout
    assert not left_over(here), done.stdout


def left_over(directory: Path) -> list[str]:
    """Command lines of processes that name a directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(directory) in line:
                found.append(line)
    return found
