"""
One certificate authority: a directory with its key, what it issued and what it revoked.

All of it blocks (disk, a lock, RSA).  The directory is as C{openssl ca} has it, and so it can
work there, too.                                                      [spec/09 section 7]
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from nova_tx.auth import authority_index, certificates
from nova_tx.auth.authority_files import AuthorityFiles
from nova_tx.auth.authority_index import Entry
from nova_tx.errors import AuthorityError
from nova_tx.flags import CryptoFlags

_INDEX = "index.txt"
_FIRST_SERIAL = "10"


class AuthorityDirectory:
    """Signs certificates with a key that is made on first use, and tells which it took back."""

    def __init__(
        self,
        path: str,
        flags: CryptoFlags,
        name: Callable[[], x509.Name],
        now: Callable[[], datetime],
    ) -> None:
        """
        @param name: what it is to be called, asked when it is made.
        @param now: the time, naive UTC.
        """
        self._files = AuthorityFiles(path, _lock(path, flags))
        self._flags = flags
        self._name = name
        self._now = now

    @property
    def exists(self) -> bool:
        """Whether it has been made."""
        return self._files.has(self._flags.key_file) or self._files.has(self._flags.ca_file)

    def own(self) -> tuple[rsa.RSAPrivateKey, bytes]:
        """
        Its key and its certificate, PEM.

        @raise AuthorityError: the directory can't be used.
        """
        with self._files.turn():
            return self._own()

    def sign(
        self, subject: x509.Name, key: rsa.RSAPublicKey, lifetime: timedelta
    ) -> tuple[bytes, str]:
        """
        A certificate, PEM, and where it is kept. Its serial number is never used again.

        @raise AuthorityError: the directory can't be used; its certificate has expired.
        """
        with self._files.turn():
            own_key, own_pem = self._own()
            own = x509.load_pem_x509_certificate(own_pem)
            now = self._now()
            until = min(now + lifetime, own.not_valid_after_utc.replace(tzinfo=None))
            if until <= now:
                where = self._files.at(self._flags.ca_file)
                raise AuthorityError(f"the certificate {where} has expired")
            index = self._index()
            serial = self._next_serial(index)
            signed = certificates.user(subject, key, int(serial, 16), (now, until), own, own_key)
            pem = signed.public_bytes(Encoding.PEM)
            self._files.write(_certificate(serial), pem)
            index[serial] = authority_index.entry(signed, serial)
            self._write_index(index)
        return pem, self._files.at(_certificate(serial))

    def revoke(self, serials: Iterable[str]) -> None:
        """
        Take certificates back, and tell everybody; again is nothing.

        @raise AuthorityError: the directory can't be used; it did not issue one of
            them (the others are revoked).
        """
        unknown = []
        with self._files.turn():
            key, pem = self._own()
            index = self._index()
            for serial in serials:
                found = index.get(serial) or self._forgotten(serial)
                if found is None:
                    unknown.append(serial)
                else:
                    index[serial] = found.revoked(self._now())
            self._write_index(index)
            self._tell(key, pem, index)
        if unknown:
            raise AuthorityError(
                f"{self._files.path} has not issued certificate {', '.join(unknown)}"
            )

    def refresh(self) -> None:
        """
        Write the list of what was revoked anew: it is good for C{crl_days} from now on.

        @raise AuthorityError: the directory can't be used.
        """
        with self._files.turn():
            self._tell(*self._own(), self._index())

    # All of this in turn.

    def _own(self) -> tuple[rsa.RSAPrivateKey, bytes]:
        files, key_file, ca_file = self._files, self._flags.key_file, self._flags.ca_file
        if files.has(key_file):
            key = self._load_key()
        elif files.has(ca_file):
            raise AuthorityError(f"{files.at(ca_file)} is there, but not {files.at(key_file)}")
        else:
            key = certificates.new_key()
            files.write(key_file, certificates.key_pem(key))
        if not files.has(ca_file):
            now = self._now()
            validity = (now, now + timedelta(days=self._flags.ca_days))
            root = certificates.root(self._name(), key, validity)
            files.write(ca_file, root.public_bytes(Encoding.PEM))
        pem = files.read(ca_file)
        if not certificates.is_certificate(pem):
            raise AuthorityError(f"{files.at(ca_file)} is no certificate")
        if not files.has(self._flags.crl_file):
            self._tell(key, pem, self._index())
        return key, pem

    def _load_key(self) -> rsa.RSAPrivateKey:
        key = certificates.load_key(self._files.read(self._flags.key_file))
        if key is None:
            where = self._files.at(self._flags.key_file)
            raise AuthorityError(f"{where} is no RSA key without a pass phrase")
        return key

    def _index(self) -> dict[str, Entry]:
        if not self._files.has(_INDEX):
            # two zips of one second have the same subject; openssl is to read them all the same
            self._files.write(f"{_INDEX}.attr", b"unique_subject = no\n")
            return {}
        try:
            return authority_index.parse(self._files.read(_INDEX).decode())
        except ValueError as error:
            raise AuthorityError(f"{self._files.at(_INDEX)}: {error}") from None

    def _write_index(self, index: dict[str, Entry]) -> None:
        self._files.write(_INDEX, authority_index.write(index.values()).encode())

    def _next_serial(self, index: dict[str, Entry]) -> str:
        """A serial number that nothing has, even if the counter was lost."""
        first = f"{max(int(serial, 16) for serial in index) + 1:X}" if index else _FIRST_SERIAL
        while True:
            serial = self._files.count("serial", first)
            if serial not in index and not self._files.has(_certificate(serial)):
                return serial

    def _forgotten(self, serial: str) -> Entry | None:
        """The entry of a certificate that is kept, but not in the index."""
        if not self._files.has(_certificate(serial)):
            return None
        pem = self._files.read(_certificate(serial))
        return authority_index.entry(x509.load_pem_x509_certificate(pem), serial)

    def _tell(self, key: rsa.RSAPrivateKey, pem: bytes, index: dict[str, Entry]) -> None:
        now = self._now()
        revoked = [
            (int(each.serial, 16), each.revoked_at)
            for each in index.values()
            if each.revoked_at is not None
        ]
        signed = certificates.revocation_list(
            x509.load_pem_x509_certificate(pem),
            key,
            int(self._files.count("crlnumber", "01"), 16),
            (now, now + timedelta(days=self._flags.crl_days)),
            revoked,
        )
        self._files.write(self._flags.crl_file, signed.public_bytes(Encoding.PEM))


def _certificate(serial: str) -> str:
    return os.path.join("newcerts", f"{serial}.pem")


def _lock(path: str, flags: CryptoFlags) -> str:
    """The file of a directory's lock: in it, or in C{lock_path} under the project's name."""
    if not flags.lock_path:
        return os.path.join(path, ".lock")
    name = "nova-ca" if path == flags.ca_path else f"nova-ca-{os.path.basename(path)}"
    return os.path.join(flags.lock_path, f"{name}.lock")
