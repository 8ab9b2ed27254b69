"""
The cloud's certificate authority: a directory of files.               [spec/09 section 7]

All functions here block (disk, a lock, RSA): a daemon calls them in a thread.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from nova_tx.auth import certificates
from nova_tx.db.engine import now as utc_now
from nova_tx.errors import AuthorityError
from nova_tx.flags import CryptoFlags

_ROOT_SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "California"),
        x509.NameAttribute(NameOID.LOCALITY_NAME, "Mountain View"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "NOVA ROOT"),
    ]
)
_FIRST_SERIAL = "10"


@dataclass(frozen=True)
class Issued:
    """
    A new key with its certificate, both PEM.

    @ivar file_name: where the authority keeps the certificate; it does not keep the key.
    """

    key: bytes = field(repr=False)
    certificate: bytes
    file_name: str


class Authority:
    """
    Signs users' certificates with the root's key, which is made on first use.

    Processes that use one directory take turns.
    """

    def __init__(self, flags: CryptoFlags, now: Callable[[], datetime] = utc_now) -> None:
        """
        @param now: the time, naive UTC.
        @raise AuthorityError: C{user_cert_subject} is no subject.
        """
        self._flags = flags
        self._now = now
        self._path = flags.ca_path
        self._certificate_file = os.path.join(flags.ca_path, flags.ca_file)
        self._key_file = os.path.join(flags.ca_path, flags.key_file)
        certificates.subject(flags.user_cert_subject, "project", "user", "time")

    def certificate(self) -> bytes:
        """
        The root's certificate, PEM: what images are encrypted for.

        @raise AuthorityError: the directory can't be used.
        """
        with self._turn():
            return self._root()[1]

    def key(self) -> rsa.RSAPrivateKey:
        """
        The root's key: what images are decrypted with.

        @raise AuthorityError: the directory can't be used.
        """
        with self._turn():
            return self._root()[0]

    def issue(self, user_id: str, project_id: str) -> Issued:
        """
        A new key and certificate for a user in a project.

        @raise AuthorityError: the directory can't be used.
        """
        key = certificates.new_key()
        now = self._now()
        subject = certificates.subject(
            self._flags.user_cert_subject, project_id, user_id, f"{now:%Y-%m-%dT%H:%M:%SZ}"
        )
        with self._turn():
            root_key, root_pem = self._root()
            root = x509.load_pem_x509_certificate(root_pem)
            serial = self._next_serial()
            until = min(
                now + timedelta(days=self._flags.cert_days),
                root.not_valid_after_utc.replace(tzinfo=None),
            )
            if until <= now:
                raise AuthorityError(f"the certificate {self._certificate_file} has expired")
            signed = certificates.user(
                subject, key.public_key(), int(serial, 16), (now, until), root, root_key
            )
            pem = signed.public_bytes(serialization.Encoding.PEM)
            file_name = os.path.join(self._path, "newcerts", f"{serial}.pem")
            self._write(file_name, pem, 0o644)
            self._append("index.txt", certificates.index_line(signed, serial))
        return Issued(certificates.key_pem(key), pem, file_name)

    # Files; all of it in turn.

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The directory is there, and this process's until the end; then it is the next one's."""
        try:
            for name in ("", "private", "newcerts", "projects", "reqs"):
                self._make_directory(os.path.join(self._path, name))
            with open(os.path.join(self._path, ".lock"), "ab") as lock:
                self._give(lock.fileno())
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise AuthorityError(
                f"the certificate authority can't use {error.filename or self._path}: "
                f"{error.strerror}"
            ) from None

    def _root(self) -> tuple[rsa.RSAPrivateKey, bytes]:
        if os.path.exists(self._key_file):
            key = self._load_key()
        elif os.path.exists(self._certificate_file):
            raise AuthorityError(f"{self._certificate_file} is there, but not {self._key_file}")
        else:
            key = certificates.new_key()
            self._write(self._key_file, certificates.key_pem(key), 0o600)
        if not os.path.exists(self._certificate_file):
            now = self._now()
            validity = (now, now + timedelta(days=self._flags.ca_days))
            root = certificates.root(_ROOT_SUBJECT, key, validity)
            self._write(
                self._certificate_file, root.public_bytes(serialization.Encoding.PEM), 0o644
            )
        with open(self._certificate_file, "rb") as file:
            return key, file.read()

    def _load_key(self) -> rsa.RSAPrivateKey:
        with open(self._key_file, "rb") as file:
            pem = file.read()
        try:
            key = serialization.load_pem_private_key(pem, None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise AuthorityError(f"{self._key_file} is no RSA key without a pass phrase")
        return key

    def _next_serial(self) -> str:
        """The serial number to use now, hexadecimal; the file names the one after it."""
        path = os.path.join(self._path, "serial")
        serial = _FIRST_SERIAL
        if os.path.exists(path):
            with open(path, encoding="ascii", errors="replace") as file:
                serial = file.read().strip()
        try:
            number = int(serial, 16)
        except ValueError:
            raise AuthorityError(f"{path} holds no hexadecimal number") from None
        self._write(path, (_hexadecimal(number + 1) + "\n").encode(), 0o644)
        return _hexadecimal(number)

    def _append(self, name: str, line: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(os.path.join(self._path, name), flags, 0o644)
        with open(descriptor, "wb") as file:
            self._give(descriptor)
            file.write(line.encode())
            file.flush()
            os.fsync(descriptor)

    def _write(self, path: str, content: bytes, mode: int) -> None:
        """Write a file whole or not at all."""
        new = path + ".new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            self._give(descriptor)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(new, path)

    def _make_directory(self, path: str) -> None:
        if not os.path.isdir(path):
            os.makedirs(path, mode=0o700, exist_ok=True)  # another may make it at this moment
            self._give(path)

    def _give(self, file: int | str) -> None:
        """To the owner of the state directory: root makes what daemons have to read."""
        if os.geteuid() == 0:
            parent = os.stat(os.path.dirname(os.path.abspath(self._path)))
            os.chown(file, parent.st_uid, parent.st_gid)


def _hexadecimal(number: int) -> str:
    """As openssl writes serial numbers: capitals, an even number of digits."""
    digits = f"{number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)
