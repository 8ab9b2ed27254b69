"""Key pairs: made here, the private half handed out once and kept nowhere."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Awaitable, Callable

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThread

from nova_tx.context import RequestContext
from nova_tx.db import key_pairs
from nova_tx.db.engine import Database
from nova_tx.errors import DuplicateKeyPair, KeyPairNotFound
from nova_tx.model import KeyPair
from nova_tx.operations.clock import moment

KEY_BITS = 2048


class KeyPairs:
    """What a user may do with key pairs; they are the user's in every project."""

    def __init__(
        self,
        database: Database,
        clock: IReactorTime,
        in_thread: Callable[..., Awaitable[tuple[str, str, str]]] = deferToThread,
    ) -> None:
        """
        @param in_thread: where keys are made.
        """
        self._database = database
        self._clock = clock
        self._in_thread = in_thread

    async def create(self, context: RequestContext, name: str) -> tuple[KeyPair, str]:
        """
        Make a key pair; returns it and the private key as PEM.

        @raise DuplicateKeyPair: the user has one of that name.
        """
        user_id = context.user or ""
        try:
            await self._database.read(key_pairs.get, user_id, name)
        except KeyPairNotFound:
            pass
        else:
            raise DuplicateKeyPair(f"The keypair '{name}' already exists.")
        private, public, fingerprint = await self._in_thread(generate)
        pair = KeyPair(user_id, name, fingerprint, f"{public} {name}")
        await self._database.run(key_pairs.create, pair, moment(self._clock))
        return pair, private

    async def listed(
        self, context: RequestContext, names: tuple[str, ...] = ()
    ) -> tuple[KeyPair, ...]:
        """
        The caller's key pairs; of these names only, if any are given.

        @raise KeyPairNotFound: there is none of one of the names.
        """
        return await self._database.read(key_pairs.listed, context.user or "", names)

    async def delete(self, context: RequestContext, name: str) -> None:
        """Forget a key pair; none is nothing."""
        await self._database.run(key_pairs.remove, context.user or "", name)


def generate() -> tuple[str, str, str]:
    """
    An RSA key: private (traditional PEM), public (a line of OpenSSH, without
    comment), and its fingerprint (MD5 of the public key, with colons), as
    clients of the time expect them.    [spec/09 section 8]
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode()
    )
    digest = hashlib.md5(b64decode(public.split()[1]), usedforsecurity=False).hexdigest()
    fingerprint = ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
    return private, public, fingerprint
