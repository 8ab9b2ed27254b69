"""What a user may do, once for every door."""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.operations.accounts import Accounts
from nova_tx.operations.attributes import Attributes
from nova_tx.operations.images import Images
from nova_tx.operations.instances import Instances
from nova_tx.operations.ipv6 import Ipv6
from nova_tx.operations.key_pairs import KeyPairs
from nova_tx.operations.power import PowerControl
from nova_tx.operations.quotas import Quotas
from nova_tx.operations.security_groups import SecurityGroups
from nova_tx.operations.tags import Tags
from nova_tx.operations.types import Types
from nova_tx.operations.zones import Zones


@dataclass(frozen=True)
class Operations:
    """Every operation, by the noun it is about."""

    instances: Instances
    power: PowerControl
    images: Images
    key_pairs: KeyPairs
    security_groups: SecurityGroups
    zones: Zones
    accounts: Accounts
    quotas: Quotas
    ipv6: Ipv6
    tags: Tags
    attributes: Attributes
    types: Types
