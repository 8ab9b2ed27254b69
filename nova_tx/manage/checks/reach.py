"""What must be reached: the database, the broker, libvirt."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from twisted.internet.threads import deferToThread

from nova_tx.auth.interfaces import IUsers
from nova_tx.db import networks, upgrade
from nova_tx.db.clock import utc_now
from nova_tx.db.dialects import absent
from nova_tx.db.engine import Database, now
from nova_tx.errors import NovaError, StartupError, UserNotFound
from nova_tx.flags import BusFlags, ComputeFlags, LibvirtFlags, SqlFlags
from nova_tx.manage.checks.finding import OK, WARNING, WRONG, Finding

#: Seconds by which a clock may be off before hosts seem dead, and signatures old.
SKEW = 5.0


async def database(sql: SqlFlags, reactor: Any) -> AsyncIterator[Finding]:
    """Whether the database answers, is of this version, and what its clock says."""
    subject = "database"
    try:
        door = Database(replace(sql, sql_max_retries=1), reactor)
    except StartupError as error:
        yield Finding(WRONG, subject, str(error), "correct --sql_connection")
        return
    where = door.engine.url.render_as_string(hide_password=True)
    if absent(door.engine.url):  # whoever looks makes none
        yield Finding(WRONG, subject, f"{where} is not there yet", "run nova-manage db sync")
        return
    try:
        await door.open()
    except StartupError as error:
        advice = "start the database, or correct --sql_connection"
        yield Finding(WRONG, subject, str(error), advice)
        return
    try:
        before = now()
        theirs: datetime = await door.read(_clock)
        off = max((before - theirs).total_seconds(), (theirs - now()).total_seconds())
        version, needed = await door.read(upgrade.stored), upgrade.head()
        if version != needed:
            text = f"{where} is at version {version}, this program needs {needed}"
            advice = "run nova-manage db sync" if version < needed else "install the newer nova_tx"
            yield Finding(WRONG, subject, text, advice)
        else:
            yield Finding(OK, subject, f"{where} is at version {version}")
            if not await door.read(networks.listed):
                advice = "run nova-manage network create"
                yield Finding(WARNING, "network", "there is no network yet", advice)
        if off > SKEW:
            text = f"this host's clock and the database's differ by {off:.0f} s"
            yield Finding(WRONG, "clock", text, "have chrony or ntpd on every host")
    except NovaError as error:
        yield Finding(WRONG, subject, str(error), "see the database's own log")
    finally:
        await door.close()


def _clock(txn: Connection) -> datetime:
    found: datetime = txn.execute(select(utc_now())).scalar_one()
    return found


async def users(made: Callable[[], IUsers]) -> AsyncIterator[Finding]:
    """Whether users and their secrets can be read, by what is made as the flags say."""
    try:
        keeper = made()
        await keeper.open()
        with contextlib.suppress(UserNotFound):
            await keeper.user("-")  # nobody's name: no more than an answer is wanted
        yield Finding(OK, "users", "users can be read")
    except (NovaError, StartupError) as error:
        yield Finding(WRONG, "users", str(error), "mend it: daemons can't tell who asks")


async def broker(bus: BusFlags, reactor: Any) -> AsyncIterator[Finding]:
    """Whether RabbitMQ takes us."""
    if bus.fake_rabbit:
        text = "--fake_rabbit: messages stay in a process, so only nova-all can work"
        yield Finding(OK, "broker", text)
        return
    from nova_tx.rpc.amqp import AmqpRPC

    rpc = AmqpRPC(replace(bus, rabbit_max_retries=1), reactor)
    where = f"{bus.rabbit_host}:{bus.rabbit_port}"
    try:
        await rpc.open()
    except StartupError as error:
        advice = (
            f"see that RabbitMQ runs at {where}, and that --rabbit_userid, --rabbit_password and"
            " --rabbit_virtual_host are an account of it"
        )
        yield Finding(WRONG, "broker", str(error), advice)
        return
    await rpc.close()
    yield Finding(OK, "broker", f"RabbitMQ at {where} takes {bus.rabbit_userid}")


async def hypervisor(compute: ComputeFlags, libvirt: LibvirtFlags) -> AsyncIterator[Finding]:
    """Whether guests can be run here."""
    from nova_tx.virt.libvirt import reached

    if compute.connection_type != "libvirt":
        text = f"--connection_type={compute.connection_type}: libvirt is not asked"
        yield Finding(OK, "libvirt", text)
        return
    uri = libvirt.libvirt_uri or reached.URIS.get(libvirt.libvirt_type, "qemu:///system")
    try:
        version = await deferToThread(reached.version, uri)
    except StartupError as error:
        advice = "install libvirt if this is a compute host; other hosts need none"
        yield Finding(WARNING, "libvirt", str(error), advice)
        return
    except NovaError as error:
        advice = "start libvirtd, and let this user use it, if this is a compute host"
        yield Finding(WRONG, "libvirt", str(error), advice)
        return
    yield Finding(OK, "libvirt", f"{uri} answers, {version}")
    if libvirt.libvirt_type == "kvm" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        text = "--libvirt_type=kvm, but /dev/kvm is not there for this user"
        yield Finding(WARNING, "libvirt", text, "switch VT-x or AMD-V on, or --libvirt_type=qemu")
