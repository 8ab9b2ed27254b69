"""
Facts of what lets users and traffic in: key pairs, security groups.

Facts are what rooms hand to each other: frozen, without behaviour.  Times are naive UTC
C{datetime}s; sizes say their unit in the name; an address or a network is text
(C{10.0.0.3}, C{10.0.0.0/24}).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class KeyPair:
    """A key pair of a user, without id before it has a row. The private key is never kept."""

    user_id: str
    name: str
    fingerprint: str
    public_key: str
    key_type: str = "rsa"
    id: int | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class SecurityGroupRule:
    """
    What a security group lets in: from a network, or from another group.

    @ivar from_port: first port, or icmp type; -1 is any.
    @ivar to_port: last port, or icmp code; -1 is any.
    """

    protocol: str | None
    from_port: int | None
    to_port: int | None
    cidr: str | None
    group_name: str | None
    group_project: str | None


@dataclass(frozen=True)
class SecurityGroup:
    """A security group with its rules."""

    id: int
    project_id: str
    user_id: str
    name: str
    description: str
    rules: tuple[SecurityGroupRule, ...]
