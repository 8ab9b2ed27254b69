"""File descriptors: those that a daemon's connections need, and what the host lets it have."""

from __future__ import annotations

import resource

#: What a daemon wants to have at least: its log, database and bus, and files for some time.
_LEAST = 4096
#: Those of it that connections do not get.
OWN = 256


def make_room(wanted: int) -> list[str]:
    """
    Have as many file descriptors as wanted, if the host lets us.

    @return: what is to be said if it does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    aim = max(_LEAST, wanted)
    most = aim if hard == resource.RLIM_INFINITY else min(aim, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    there = max(soft, most) if soft != resource.RLIM_INFINITY else aim
    if there >= wanted:
        return []
    return [
        f"{there} files can be open at once, and connections may need {wanted}: raise the hard "
        "limit (LimitNOFILE= of the unit, ulimit -Hn), or lower the connections' flags"
    ]
