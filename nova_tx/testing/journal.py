"""
What the clients of a soak asked for, what they were told, and what was wrong.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    HTTPClientError,
    ParamValidationError,
)

#: Seconds after a death in which what needs the dead may be refused.
GRACE = 20.0
#: What a part that needs another one may say while that is away; nothing else is excused.
_LATER = frozenset({"Unavailable", "ServiceUnavailable", "SlowDown", "RequestLimitExceeded"})


class Journal:
    """
    Kept by all threads of a soak.

    @ivar faults: what must not be, a sentence each.
    @ivar deaths: of daemons, by name.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.deaths: Counter[str] = Counter()
        self._began = time.monotonic()
        self._dead: list[float] = []
        self._took: dict[str, list[float]] = {}
        self._refused: dict[str, Counter[str]] = {}
        self._lock = threading.Lock()

    def ask(self, what: str, call: Callable[..., Any], *allowed: str, **parameters: Any) -> Any:
        """
        The answer to a request; None if it was refused, or never came.

        That is a fault, unless a daemon died shortly before.

        @param allowed: codes that may be the answer at any time.
        """
        began = time.monotonic()
        try:
            answer = call(**parameters)
        except ParamValidationError:
            raise
        except ClientError as error:
            code = str(error.response["Error"]["Code"])
            later, text = code in _LATER, str(error)
        except (BotoCoreError, HTTPClientError, OSError) as error:
            code, later, text = type(error).__name__, True, str(error)
        else:
            with self._lock:
                self._took.setdefault(what, []).append(time.monotonic() - began)
            return answer
        with self._lock:
            self._refused.setdefault(what, Counter())[code] += 1
        if code not in allowed and not (later and self.excused(began)):
            self.fault(f"{what}: {text}")
        return None

    def died(self, name: str) -> None:
        """A daemon is killed now."""
        self.deaths[name] += 1
        self._dead.append(time.monotonic())

    def excused(self, began: float) -> bool:
        """Whether a daemon died since shortly before C{began}."""
        return bool(self._dead) and self._dead[-1] > began - GRACE

    def explained(self, wall: float) -> bool:
        """Whether a daemon died shortly before C{wall}, seconds since 1970."""
        at = wall - time.time() + time.monotonic()
        return any(dead - 1.0 < at < dead + GRACE for dead in self._dead)

    def fault(self, sentence: str) -> None:
        """Something must not be."""
        self.faults.append(f"after {time.monotonic() - self._began:.0f} s: {sentence}")

    @property
    def requests(self) -> int:
        """How many were answered as asked."""
        with self._lock:
            return sum(map(len, self._took.values()))

    @property
    def refusals(self) -> int:
        """How many were not."""
        with self._lock:
            return sum(each.total() for each in self._refused.values())

    def table(self) -> Iterator[str]:
        """A line for each kind of request."""
        yield f"{'request':<22}{'done':>7}{'refused':>9}{'median':>11}{'longest':>11}"
        for what in sorted({*self._took, *self._refused}):
            took = self._took.get(what, [])
            refused = self._refused.get(what, Counter())
            line = f"{what:<22}{len(took):>7}{refused.total():>9}"
            if took:
                line += f"{statistics.median(took) * 1000:>8.0f} ms{max(took) * 1000:>8.0f} ms"
            codes = ", ".join(f"{count} {code}" for code, count in sorted(refused.items()))
            yield f"{line}  {codes}".rstrip()
