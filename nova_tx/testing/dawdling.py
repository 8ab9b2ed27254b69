"""
A daemon that dawdles each time it has given a file its name: what may be seen too early is seen,
and a death has the time to come just then.  C{python -m … NAME [words]}, as L{launch}.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from nova_tx.taps import launch
from nova_tx.taps.crew import Program

#: Seconds.
_WHILE = 0.003


def _dawdling(name: Callable[..., None]) -> Callable[..., None]:
    def named(*args: Any, **kwargs: Any) -> None:
        name(*args, **kwargs)
        time.sleep(_WHILE)

    return named


def main() -> None:
    """As L{launch.main}; so do the others of a crew."""
    vars(os).update(rename=_dawdling(os.rename), replace=_dawdling(os.replace))
    argv = Program.argv

    def dawdling(self: Program) -> list[str]:
        return [__spec__.name if word == launch.__name__ else word for word in argv(self)]

    setattr(Program, "argv", dawdling)  # noqa: B010
    launch.main(sys.argv[1:])


if __name__ == "__main__":
    main()
