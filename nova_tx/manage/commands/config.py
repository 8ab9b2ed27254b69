"""The flags, and whether what they name is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from nova_tx.flagfile import default_flagfile
from nova_tx.flags import (
    BusFlags,
    ComputeFlags,
    CryptoFlags,
    Ec2Flags,
    Flags,
    ImageFlags,
    LibvirtFlags,
    NetworkFlags,
    NodeFlags,
    S3Flags,
    SqlFlags,
)
from nova_tx.manage.catalogue import PATIENCE
from nova_tx.manage.checks import host, reach
from nova_tx.manage.checks.finding import OK, WRONG, Finding
from nova_tx.manage.checks.flag_files import FlagFiles
from nova_tx.manage.listing import Listing
from nova_tx.manage.parts import Parts

#: Whether the database can be reached is what is asked.
DATABASE = "none"
REACTOR = True


async def check(parts: Parts) -> Listing[Finding]:
    """
    Read the flag files and try all that they name, and say what to do: status 1 if it can't work.

    Tried are the database, users, the broker, libvirt, disks, the clock, addresses and ports.
    """
    from twisted.internet import reactor

    program, *words = parts.argv
    files = FlagFiles(words, default_flagfile(program))
    flags = files.flags()
    found = list(files.findings)
    if flags is not None:
        found += [each async for each in _tried(flags, reactor)]
    wrong = len([each for each in found if each.verdict == WRONG])
    return Listing(
        found,
        _line,
        failure=f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong" if wrong else None,
    )


async def _tried(flags: Flags, reactor: Any) -> AsyncIterator[Finding]:
    tables = False
    async for each in reach.database(flags.section(SqlFlags), reactor):
        tables = tables or (each.subject, each.verdict) == ("database", OK)
        yield each
    if tables:
        others = Parts(flags, PATIENCE)
        async for each in reach.users(lambda: others.users):
            yield each
        await others.close()
    async for each in reach.broker(flags.section(BusFlags), reactor):
        yield each
    compute = flags.section(ComputeFlags)
    async for each in reach.hypervisor(compute, flags.section(LibvirtFlags)):
        yield each
    node, s3, ec2 = flags.section(NodeFlags), flags.section(S3Flags), flags.section(Ec2Flags)
    for each in host.disks(
        (
            *(node.state_path, s3.buckets_path, flags.section(ImageFlags).images_path),
            *(compute.instances_path, flags.section(NetworkFlags).networks_path),
            flags.section(CryptoFlags).ca_path,
        )
    ):
        yield each
    yield host.clock()
    yield host.address(node.my_ip)
    yield host.port("ec2_listen_port", ec2.ec2_listen, ec2.ec2_listen_port)
    yield host.port("metadata_port", ec2.metadata_listen, ec2.metadata_port)
    yield host.port("s3_port", s3.s3_listen_host, s3.s3_port)


def _line(each: Finding) -> str:
    advice = f"\n{'':>18}→ {each.advice}" if each.advice else ""
    return f"{each.verdict:<8} {each.subject:<8} {each.text}{advice}"
