"""Actions on key pairs.                                                [spec/02 section 6]"""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.api.ec2.listing import Filtered, Noun
from nova_tx.context import RequestContext
from nova_tx.model import KeyPair

KEY_PAIRS = Noun[KeyPair](
    key=lambda pair: pair.name,
    filters={
        "key-name": lambda pair: (pair.name,),
        "fingerprint": lambda pair: (pair.fingerprint,),
    },
)


class CreateKeyPair(Action):
    """Make a key pair; the answer is the only copy of its private key."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str = schema.text("KeyName", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        pair, private = await self.operations.key_pairs.create(context, params.name)
        return {**_pair(pair), "keyMaterial": private}


class DescribeKeyPairs(Action):
    """List key pairs."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params(Filtered):
        names: tuple[str, ...] = schema.texts("KeyName")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        pairs = await self.operations.key_pairs.listed(context, params.names)
        found = KEY_PAIRS.passing(pairs, params.filters)
        return {"keySet": [_pair(pair) for pair in found]}


class DeleteKeyPair(Action):
    """Forget a key pair; none is nothing."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str = schema.text("KeyName", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        await self.operations.key_pairs.delete(context, params.name)
        return {"return": True}


def _pair(pair: KeyPair) -> Content:
    return {"keyName": pair.name, "keyFingerprint": pair.fingerprint}
