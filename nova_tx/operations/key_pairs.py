"""Key pairs: made here, the private half handed out once and kept nowhere, or imported."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThread

from nova_tx.context import RequestContext
from nova_tx.db import key_pairs
from nova_tx.db.engine import Database
from nova_tx.errors import DuplicateKeyPair, InvalidInput, KeyPairNotFound
from nova_tx.model.access import KeyPair
from nova_tx.operations import public_keys
from nova_tx.operations.clock import moment
from nova_tx.operations.public_keys import KINDS, RSA, NewKey, PublicKey
from nova_tx.operations.tags import check_tags

_NAME = re.compile(r"(?! )[ -~]{1,255}(?<! )\Z")


class KeyPairs:
    """What a user may do with key pairs; they are the user's in every project."""

    def __init__(
        self,
        database: Database,
        clock: IReactorTime,
        in_thread: Callable[..., Awaitable[NewKey]] = deferToThread,
    ) -> None:
        """
        @param in_thread: where keys are made.
        """
        self._database = database
        self._clock = clock
        self._in_thread = in_thread

    async def create(
        self,
        context: RequestContext,
        name: str,
        kind: str = RSA,
        tags: Sequence[tuple[str, str]] = (),
    ) -> tuple[KeyPair, str]:
        """
        Make a key pair; returns it and the private key as PEM.

        @param kind: C{rsa} or C{ed25519}.
        @param tags: of the key pair, see L{check_tags}.
        @raise InvalidInput: the name is none, or there are no such keys or tags.
        @raise DuplicateKeyPair: the user has one of that name.
        @raise TooSoon, Replayed: as L{nova_tx.db.replays.claim}.
        """
        check_name(name)
        if kind not in KINDS:
            raise InvalidInput(f"Invalid value '{kind}' for KeyType: {' or '.join(KINDS)}")
        try:
            await self._database.read(key_pairs.get, context.user or "", name)
        except KeyPairNotFound:
            pass
        else:
            raise DuplicateKeyPair(f"The keypair '{name}' already exists.")
        checked = check_tags(tags)
        made = await self._in_thread(public_keys.generate, kind)
        return await self._keep(context, name, made.public, checked), made.private

    async def take(
        self,
        context: RequestContext,
        name: str,
        material: str,
        tags: Sequence[tuple[str, str]] = (),
    ) -> KeyPair:
        """
        Keep a public key that the user brought along.

        @param material: base64, see L{public_keys.imported}.
        @param tags: of the key pair, see L{check_tags}.
        @raise InvalidInput: the name is none, or there are no such tags.
        @raise MalformedKey: the material is none.
        @raise DuplicateKeyPair: the user has one of that name.
        """
        check_name(name)
        return await self._keep(context, name, public_keys.imported(material), check_tags(tags))

    async def _keep(
        self, context: RequestContext, name: str, key: PublicKey, tags: Mapping[str, str]
    ) -> KeyPair:
        pair = KeyPair(
            context.user or "", name, key.fingerprint, f"{key.line} {name}", key_type=key.kind
        )
        now = moment(self._clock)
        return await self._database.run(key_pairs.create, pair, now, context, tags)

    async def listed(
        self, context: RequestContext, names: Sequence[str] = (), ids: Sequence[int] = ()
    ) -> tuple[KeyPair, ...]:
        """
        The caller's key pairs; of these names and ids only, if any are given.

        @raise KeyPairNotFound: there is none of one of the names or ids.
        """
        return await self._database.read(key_pairs.listed, context.user or "", names, ids)

    async def delete(
        self, context: RequestContext, name: str | None = None, key_pair_id: int | None = None
    ) -> int | None:
        """Forget the key pair of that name or id; returns the id it had. None is nothing."""
        return await self._database.run(key_pairs.remove, context.user or "", name, key_pair_id)


def check_name(name: str) -> None:
    """
    See that a key pair may have that name.

    @raise InvalidInput: it is not 1 to 255 characters of ASCII, or begins or ends with a blank.
    """
    if _NAME.match(name) is None:
        raise InvalidInput(
            f"Invalid value '{name}' for KeyName: 1 to 255 characters of ASCII, "
            "none of them a blank at its beginning or end"
        )
