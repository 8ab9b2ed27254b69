"""What a look at one thing came to."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, WRONG = "ok", "warning", "WRONG"


@dataclass(frozen=True)
class Finding:
    """
    @ivar verdict: L{OK}, L{WARNING}, or L{WRONG}: it can't work so.
    @ivar subject: what was looked at.
    @ivar text: how it is.
    @ivar advice: what to do, empty if nothing.
    """

    verdict: str
    subject: str
    text: str
    advice: str = ""
