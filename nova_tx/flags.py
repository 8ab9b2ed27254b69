"""
Every flag: its name, type, default and meaning.

A section is a frozen dataclass; a field is a flag.  Sections are in L{nova_tx.sections}; a
component receives those it uses, never L{Flags}.  The syntax is L{nova_tx.flagfile}'s.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

from nova_tx import unbuilt
from nova_tx.errors import StartupError
from nova_tx.flagfile import Reader
from nova_tx.registry import registered
from nova_tx.sections import daemons, doors, hosts, users
from nova_tx.sections.daemons import (
    BusFlags,
    DaemonFlags,
    LogFlags,
    MetricsFlags,
    NodeFlags,
    SqlFlags,
)
from nova_tx.sections.doors import (
    BackendFlags,
    Ec2Flags,
    GlanceFlags,
    ImageFlags,
    QuotaFlags,
    S3Flags,
)
from nova_tx.sections.hosts import ComputeFlags, LibvirtFlags, NetworkFlags, SchedulerFlags
from nova_tx.sections.users import AuthFlags, CryptoFlags, LdapFlags, SecretsFlags

__all__ = [
    "AuthFlags",
    "BackendFlags",
    "BusFlags",
    "ComputeFlags",
    "CryptoFlags",
    "DaemonFlags",
    "Ec2Flags",
    "Flags",
    "GlanceFlags",
    "ImageFlags",
    "LdapFlags",
    "LibvirtFlags",
    "LogFlags",
    "MetricsFlags",
    "NetworkFlags",
    "NodeFlags",
    "QuotaFlags",
    "S3Flags",
    "SchedulerFlags",
    "SecretsFlags",
    "SqlFlags",
    "registered_sections",
    "sections",
]


def sections() -> tuple[type[Any], ...]:
    """Every section, in order of definition."""
    return tuple(
        value
        for module in (daemons, doors, users, hosts)
        for value in vars(module).values()
        if isinstance(value, type) and dataclasses.is_dataclass(value)
    )


def registered_sections() -> tuple[type[Any], ...]:
    """
    Sections of other distributions' drivers, in every program's flags.

    @raise StartupError: one can't be loaded, or is no frozen dataclass.
    """
    found = registered("nova_tx.flags")
    for name, value in found.items():
        if not (isinstance(value, type) and dataclasses.is_dataclass(value)):
            raise StartupError(f"{name}, an entry point of nova_tx.flags, is no dataclass of flags")
    return tuple(cast(type[Any], each) for each in found.values())


class Flags(Reader):
    """The flags of this house, as a command line and the flag files it names set them."""

    @classmethod
    def load(
        cls,
        argv: Sequence[str],
        wanted: Sequence[type[Any]],
        fallback: str | None = None,
        **defaults: object,
    ) -> Flags:
        """
        Read a command line.

        Flags of sections that are not wanted are known, and passed over in a
        flag file that daemons share; on the command line they are an error.

        @param argv: without the program's name.
        @param wanted: the sections to read, of this house or a driver's own.
        @param fallback: the flag file, if the command line names none.
        @param defaults: values that this program has where nothing is said.
        @raise StartupError: a flag is unknown (on the command line), or has a
            value of the wrong type, or C{$name} in a value names no flag.
        @raise HelpAsked: the command line asks for help.
        """
        known = (*sections(), *registered_sections())
        flags = cls(wanted, known, unbuilt.unread(), unbuilt.SPELLINGS)
        flags.read(argv, fallback, **defaults)
        return flags
