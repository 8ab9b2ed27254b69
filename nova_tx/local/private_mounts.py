"""
Run a program that sees its own directories in place of the machine's.

C{unshare --mount --propagation private python -m nova_tx.local.private_mounts
OURS=/theirs ... -- PROGRAM ...}: binds each, then becomes the program.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence


def command(places: Sequence[tuple[str, str]], program: Sequence[str]) -> list[str]:
    """
    The command line that runs a program so.

    @param places: pairs of our directory and the one it stands in for.
    """
    return [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        sys.executable,
        "-m",
        "nova_tx.local.private_mounts",
        *(f"{ours}={theirs}" for ours, theirs in places),
        "--",
        *program,
    ]


def main(argv: Sequence[str]) -> None:
    """Bind, then become the program."""
    split = list(argv).index("--")
    for pair in argv[:split]:
        ours, _, theirs = pair.rpartition("=")
        os.makedirs(theirs, exist_ok=True)
        subprocess.run(["mount", "--bind", ours, theirs], check=True)
    program = list(argv[split + 1 :])
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
