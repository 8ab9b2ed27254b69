"""
Users' secrets are sealed in the database: AES-256-GCM, by a key that is in a file and not in it.

The file has a key a line. The first one seals; the others open what was sealed before it came,
here or in a backup. All hosts have the same file. What is done here may wait for the disk: it
runs where transactions run.                                                  [NIST SP 800-38D]
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nova_tx.disk import sync_directory
from nova_tx.errors import StartupError
from nova_tx.flags import SecretsFlags
from nova_tx.model.users import User
from nova_tx.ownership import give

#: What a sealed secret begins with; no secret has a blank in it.
_MARK = "sealed "
_KEY_BYTES, _NONCE_BYTES = 32, 12


def is_sealed(stored: str) -> bool:
    """Whether a secret is not as it was given."""
    return stored.startswith(_MARK)


class Seals:
    """Seals and opens with the keys of C{secrets_key_file}, which is read again when it changes."""

    def __init__(self, flags: SecretsFlags) -> None:
        """Reads nothing."""
        self._path = flags.secrets_key_file
        self._read: tuple[tuple[int, int, int], Mapping[str, AESGCM]] = ((0, 0, 0), {})

    def seal(self, user_id: str, secret: str, may_make: Callable[[], bool]) -> str:
        """
        A user's secret as the database has it; it opens for that user only.

        @param may_make: asked whether a key may be made, if there is none.
        @raise StartupError: the file can't be used, or is not there and may not be made.
        """
        if not os.path.exists(self._path):
            if not may_make():
                raise StartupError(f"{self._lacking} is not there: {_COPY}")
            self._make(b"", os.link)
        name, key = next(iter(self._keys().items()))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        text = base64.b64encode(nonce + key.encrypt(nonce, secret.encode(), user_id.encode()))
        return f"{_MARK}{name} {text.decode()}"

    def open(self, user_id: str, stored: str) -> str:
        """
        A user's secret as it was given, of what the database has.

        @raise StartupError: the key that sealed it is not in the file, or it is damaged.
        """
        if not is_sealed(stored):
            return stored
        name, _, text = stored.removeprefix(_MARK).partition(" ")
        key = self._read[1].get(name) or self._keys().get(name)
        if key is None:
            raise StartupError(f"{self._lacking} has not the key that sealed them: {_COPY}")
        try:
            content = base64.b64decode(text, validate=True)
            return key.decrypt(
                content[:_NONCE_BYTES], content[_NONCE_BYTES:], user_id.encode()
            ).decode()
        except (InvalidTag, ValueError):
            raise StartupError(f"the secret of user {user_id} is damaged in the database") from None

    def opened(self, user: User) -> User:
        """
        A user as it was made, of one as the database has it.

        @raise StartupError: as L{open}.
        """
        return replace(user, secret_key=self.open(user.id, user.secret_key))

    def add_key(self) -> None:
        """
        Have a new key seal from now on.

        @raise StartupError: the file can't be used.
        """
        before = b""
        if os.path.exists(self._path):
            self._keys()
            with open(self._path, "rb") as file:
                before = file.read()
        self._make(before, os.replace)

    # The file.

    @property
    def _lacking(self) -> str:
        return f"users' secrets in the database are sealed, and --secrets_key_file={self._path}"

    def _keys(self) -> Mapping[str, AESGCM]:
        """
        The keys by name, the first one first.

        @raise StartupError: the file can't be read, by others it can, or there is no key in it.
        """
        try:
            with open(self._path, "rb") as file:
                facts = os.fstat(file.fileno())
                as_of = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
                if self._read[0] == as_of:
                    return self._read[1]
                if facts.st_mode & 0o007:
                    raise StartupError(
                        f"--secrets_key_file={self._path} is open to everybody: chmod 600 it"
                    )
                lines = file.read().split()
        except FileNotFoundError:
            raise StartupError(f"{self._lacking} is not there: {_COPY}") from None
        except OSError as error:
            raise StartupError(
                f"--secrets_key_file={self._path} can't be read: {error.strerror}"
            ) from None
        try:
            found = [base64.b64decode(line, validate=True) for line in lines]
        except binascii.Error:
            found = []
        if not found or {len(key) for key in found} != {_KEY_BYTES}:
            raise StartupError(f"--secrets_key_file={self._path} holds no key, or other things")
        keys = {hashlib.sha256(key).hexdigest()[:16]: AESGCM(key) for key in found}
        self._read = (as_of, keys)
        return keys

    def _make(self, others: bytes, put: Callable[[str, str], None]) -> None:
        """
        Write the file whole, with a new key and the others; by a link, the first to come wins.

        It belongs to whom it did, who may read it as before; or else to who owns its directory.

        @raise StartupError: it can't be written.
        """
        directory = os.path.dirname(os.path.abspath(self._path))
        new = f"{self._path}.{secrets.token_hex(8)}"
        try:
            if not os.path.isdir(directory):
                os.makedirs(directory, mode=0o700, exist_ok=True)  # others may be making it
                give(directory, os.path.dirname(directory))
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                give(new, self._path if others else directory)
                if others:
                    os.fchmod(file.fileno(), os.stat(self._path).st_mode & 0o660)
                file.write(base64.b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n" + others)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                put(new, self._path)
            sync_directory(directory)
        except OSError as error:
            raise StartupError(
                f"--secrets_key_file={self._path} can't be written: {error.strerror}"
            ) from None
        finally:
            with contextlib.suppress(OSError):
                os.unlink(new)


_COPY = "copy it from the host that has it, or from the backup"
