"""One command line for twistd and for a daemon."""

from __future__ import annotations

import pytest

from nova_tx.taps.launch import split


@pytest.mark.parametrize(
    ("words", "twistd", "daemon"),
    [
        (["-n"], ["--nodaemon"], []),
        (
            ["--nodaemon", "--flagfile=/etc/nova/nova.conf"],
            ["--nodaemon"],
            ["--flagfile=/etc/nova/nova.conf"],
        ),
        (
            ["--pidfile", "p", "--logfile=l", "--verbose"],
            ["--pidfile=p", "--logfile=l"],
            ["--verbose"],
        ),
        (["-l", "log", "--host", "HostB"], ["--logfile=log"], ["--host", "HostB"]),
        (["--help"], [], ["--help"]),
        (["-?"], [], ["-?"]),
        (["--flagfile", "n"], [], ["--flagfile", "n"]),
    ],
)
def test_words_go_to_whom_they_belong(
    words: list[str], twistd: list[str], daemon: list[str]
) -> None:
    """What twistd knows is twistd's, all else is the daemon's."""
    assert split(words) == (twistd, daemon)


def test_a_missing_value_is_said() -> None:
    """--logfile at the end is a mistake, not the daemon's flag."""
    with pytest.raises(SystemExit, match="--logfile needs a value"):
        split(["--logfile"])
