"""Actions on key pairs.                                                [spec/02 section 6]"""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.api.ec2.faults import InvalidCombination
from nova_tx.api.ec2.listing import Filtered, Noun
from nova_tx.api.ec2.tagging import Tagged, pairs
from nova_tx.context import RequestContext
from nova_tx.errors import InvalidInput, MissingParameter
from nova_tx.ids import key_pair_ec2_id, parse_key_pair_id
from nova_tx.model.access import KeyPair
from nova_tx.operations.public_keys import RSA, fingerprint_of_2011


def _id(pair: KeyPair) -> str:
    return key_pair_ec2_id(pair.id or 0)


KEY_PAIRS = Noun[KeyPair](
    key=lambda pair: pair.name,
    filters={
        "key-name": lambda pair: (pair.name,),
        "key-pair-id": lambda pair: (_id(pair),),
        # as any client sees it
        "fingerprint": lambda pair: (pair.fingerprint, fingerprint_of_2011(pair.public_key)),
    },
)


def check_format(value: str) -> str:
    """
    See that private keys are given out in that form.

    @raise InvalidInput: they are not.
    """
    if value != "pem":
        raise InvalidInput(f"Invalid value '{value[:32]}' for KeyFormat: private keys are pem")
    return value


class CreateKeyPair(Action):
    """Make a key pair; the answer is the only copy of its private key."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params(Tagged):
        name: str = schema.text("KeyName", required=True)
        key_type: str | None = schema.text("KeyType")
        key_format: str | None = schema.value("KeyFormat", of=check_format)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        kind = params.key_type or RSA
        tags = pairs(params.tag_specifications, "key-pair")
        pair, private = await self.operations.key_pairs.create(context, params.name, kind, tags)
        return {**dialect.key_pair(pair), **dialect.tags(dict(tags)), "keyMaterial": private}


class ImportKeyPair(Action):
    """Keep a public key that was made elsewhere: RSA or ED25519."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params(Tagged):
        name: str = schema.text("KeyName", required=True)
        material: str = schema.value("PublicKeyMaterial", of=str, required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        tags = pairs(params.tag_specifications, "key-pair")
        pair = await self.operations.key_pairs.take(context, params.name, params.material, tags)
        return {**dialect.key_pair(pair), **dialect.tags(dict(tags))}


class DescribeKeyPairs(Action):
    """List key pairs."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params(Filtered):
        names: tuple[str, ...] = schema.texts("KeyName")
        ids: tuple[int, ...] = schema.values("KeyPairId", of=parse_key_pair_id)
        with_public_key: bool | None = schema.boolean("IncludePublicKey")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        seen = await self.operations.key_pairs.listed(context, params.names, params.ids)
        tags = await self.operations.tags.of(context, "key-pair")
        found = KEY_PAIRS.tagged(tags, _id).passing(seen, params.filters)
        return {
            "keySet": [
                {
                    **dialect.key_pair(pair),
                    **dialect.key_pair_more(pair),
                    **dialect.tags(tags.get(_id(pair), {})),
                    **({"publicKey": pair.public_key} if params.with_public_key else {}),
                }
                for pair in found
            ]
        }


class DeleteKeyPair(Action):
    """Forget a key pair; none is nothing."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str | None = schema.text("KeyName")
        id: int | None = schema.value("KeyPairId", of=parse_key_pair_id)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        if params.name is None and params.id is None:
            raise MissingParameter("The request must contain the parameter KeyName or KeyPairId")
        if params.name is not None and params.id is not None:
            raise InvalidCombination("KeyName and KeyPairId can't both be given")
        gone = await self.operations.key_pairs.delete(context, params.name, params.id)
        return {"return": True, **dialect.key_pair_gone(gone)}
