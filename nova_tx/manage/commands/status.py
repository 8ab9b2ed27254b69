"""The whole cloud on one screen."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from nova_tx.db import counts, services
from nova_tx.db.counts import Counts
from nova_tx.errors import Unavailable
from nova_tx.flags import NodeFlags
from nova_tx.manage.parts import Parts
from nova_tx.model.hosts import Service

#: Seconds between two looks.
_PAUSE = 2.0
#: To the upper left corner, and nothing below.
_CLEAR = "\x1b[H\x1b[J"


async def status(parts: Parts, *, watch: bool = False) -> None:
    """Print who lives, what runs and how much room there is; --watch: again and again, until ^C."""
    while watch:
        try:
            screen = await _screen(parts)
        except Unavailable as error:  # it may come back, and then this shows it
            screen = str(error)
        print(f"{_CLEAR}{time.strftime('%H:%M:%S')}  {screen}", flush=True)
        time.sleep(_PAUSE)
    print(await _screen(parts))


async def _screen(parts: Parts) -> str:
    down_time = parts.section(NodeFlags).service_down_time
    workers = await parts.database.read(services.listed)
    found = await parts.database.read(counts.count)
    where = parts.database.engine.url.render_as_string(hide_password=True)
    return "\n".join((where, "", *_workers(workers, down_time, found), *_numbers(found)))


def _workers(found: tuple[Service, ...], down_time: int, numbers: Counts) -> Iterator[str]:
    """A line for each host: its workers, and its instances."""
    hosts: dict[str, list[str]] = {}
    for each in found:
        face = ":-)" if each.age < down_time else f"XXX for {_span(each.age)}"
        able = ", disabled" if each.disabled else ""
        hosts.setdefault(each.host, []).append(f"{each.binary} {face}{able}")
    width = max(map(len, hosts), default=0)
    for host, workers in sorted(hosts.items()):
        load = f"   {_many(numbers.loads.get(host, 0), 'instance')}" if _computes(workers) else ""
        yield f"{host:<{width}}  {'   '.join(workers)}{load}"
    yield "" if hosts else "no worker has ever reported\n"


def _computes(workers: list[str]) -> bool:
    return any(each.startswith("nova-compute") for each in workers)


def _numbers(found: Counts) -> Iterator[str]:
    yield f"instances  {_by_state(found.instances)}"
    yield f"images     {_by_state(found.images)}"
    yield f"networks   {found.networks}, {found.fixed[1]} of {found.fixed[0]} addresses in use"
    yield f"floating   {found.floating[1]} of {found.floating[0]} addresses in use"
    yield f"users      {found.users} in {_many(found.projects, 'project')}"


def _by_state(states: Mapping[str, int]) -> str:
    return ", ".join(f"{many} {state}" for state, many in states.items()) or "none"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _span(seconds: float) -> str:
    """57 s, 12 min, 3 h, 4 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
