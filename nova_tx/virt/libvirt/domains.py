"""
Domains, seen and changed: functions that run in libvirt's thread.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from nova_tx.states import Power
from nova_tx.virt.libvirt.events import library

_log = Logger()


def guests(conn: Any) -> dict[str, Power]:
    """Every domain, by name."""
    found = {}
    for each in conn.listAllDomains():
        state = _state(each)
        if state is not None:
            found[each.name()] = state
    return found


def _lookup(conn: Any, name: str) -> Any:
    libvirt = library()
    try:
        return conn.lookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _state(found: Any) -> Power | None:
    libvirt = library()
    try:
        return Power(found.state()[0])
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def power(conn: Any, name: str) -> Power | None:
    """How a domain is; None: there is none."""
    found = _lookup(conn, name)
    return None if found is None else _state(found)


def create(conn: Any, xml: str) -> None:
    """Start a transient domain."""
    _log.info("{name} is started", name=conn.createXML(xml, 0).name())


def shutdown(conn: Any, name: str) -> None:
    """Press the power button; a guest that is paused could not hear of it."""
    resume(conn, name)
    found = _lookup(conn, name)
    try:
        if found is not None:
            found.shutdown()
    except library().libvirtError as error:
        _log.info("{name} can't be asked to shut down: {error}", name=name, error=error)


def destroy(conn: Any, name: str) -> None:
    """Ask for the end of a domain; whether it came is seen by its state."""
    libvirt = library()
    found = _lookup(conn, name)
    if found is None:
        return
    _log.info("{name} is ended", name=name)
    gone = (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID)
    for step in (found.destroy, found.undefine) if found.isPersistent() else (found.destroy,):
        try:
            step()
        except libvirt.libvirtError as error:
            if not conn.isAlive():
                raise
            if error.get_error_code() not in gone:
                _log.warn("can't end {name}: {error}", name=name, error=error)


def suspend(conn: Any, name: str) -> None:
    """Pause a guest that runs; what it wrote to its disks is in their files then."""
    found = _lookup(conn, name)
    if found is not None and _state(found) == Power.RUNNING:
        found.suspend()


def resume(conn: Any, name: str) -> None:
    """Let a guest that is paused go on."""
    found = _lookup(conn, name)
    if found is not None and _state(found) == Power.PAUSED:
        found.resume()
