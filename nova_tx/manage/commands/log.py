"""Daemons' logs.                                                      [spec/10 section 11]"""

from __future__ import annotations

from nova_tx.manage.logs import story
from nova_tx.manage.parts import Parts

#: Nothing is asked of the database.
DATABASE = "none"


def request(parts: Parts, request_id: str, *file: str) -> None:
    """
    Print what was logged of a request, by default in /var/log/nova.log.

    FILE may be a directory: all logs in it. Lines of several files are in the order of their time.
    """
    for line in story(request_id, file or ("/var/log/nova.log",)):
        print(line)
