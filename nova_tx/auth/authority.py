"""
The cloud's certificate authorities: the root, and with C{use_project_ca} one of each project.
                                                                       [spec/09 section 7]

All functions here block (disk, a lock, RSA): a daemon calls them in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from nova_tx.auth import certificates
from nova_tx.auth.authority_directory import AuthorityDirectory
from nova_tx.db.engine import now as utc_now
from nova_tx.errors import AuthorityError
from nova_tx.flags import CryptoFlags

_ROOT_SUBJECT = "/C=US/ST=California/L=Mountain View/O=NOVA ROOT"
_PROJECTS = "projects"


@dataclass(frozen=True)
class Issued:
    """
    A new key with its certificate, both PEM.

    @ivar file_name: where the authority keeps the certificate; it does not keep the key.
    @ivar authorities: whom to believe in this cloud, PEM: its own authority first.
    """

    key: bytes = field(repr=False)
    certificate: bytes
    file_name: str
    authorities: bytes


class Authority:
    """
    Signs users' certificates, with keys that are made on first use.

    Processes that use one directory take turns.
    """

    def __init__(self, flags: CryptoFlags, now: Callable[[], datetime] = utc_now) -> None:
        """
        @param now: the time, naive UTC.
        @raise AuthorityError: C{user_cert_subject} or C{project_cert_subject} is no subject.
        """
        self._flags = flags
        self._now = now
        self._root = AuthorityDirectory(
            flags.ca_path, flags, lambda: certificates.subject(_ROOT_SUBJECT), now
        )
        self._user_subject("project", "user")
        self._project_subject("project")

    def certificate(self, project_id: str | None = None) -> bytes:
        """
        Whom to believe, PEM: a project's own authority, if it has one, and the root.

        Images are encrypted for the first of them.

        @raise AuthorityError: a directory can't be used.
        """
        root = self._root.own()[1]
        if project_id is None or not self._flags.use_project_ca:
            return root
        return self._project(project_id).own()[1] + root

    def keys(self, project_id: str) -> tuple[rsa.RSAPrivateKey, ...]:
        """
        The keys that images of a project are decrypted with: its own, if there is one, the root's.

        A project's key is found also when C{use_project_ca} is set no longer.

        @raise AuthorityError: a directory can't be used.
        """
        project = self._project(project_id)
        found = (project, self._root) if project.exists else (self._root,)
        return tuple(each.own()[0] for each in found)

    def issue(self, user_id: str, project_id: str) -> Issued:
        """
        A new key and certificate for a user in a project.

        @raise AuthorityError: a directory can't be used.
        """
        authorities = self.certificate(project_id)
        directory = self._project(project_id) if self._flags.use_project_ca else self._root
        key = certificates.new_key()
        subject = self._user_subject(project_id, user_id)
        lifetime = timedelta(days=self._flags.cert_days)
        certificate, file_name = directory.sign(subject, key.public_key(), lifetime)
        return Issued(certificates.key_pem(key), certificate, file_name, authorities)

    def revoke(self, file_names: Iterable[str]) -> None:
        """
        Put certificates on the revocation lists of who issued them; again is nothing.

        @raise AuthorityError: a directory can't be used, or issued none of that name;
            those that can be are revoked all the same.
        """
        wanted: dict[str | None, list[str]] = {}
        for file_name in file_names:
            project_id, serial = _issuer(file_name)
            wanted.setdefault(project_id, []).append(serial)
        failed = []
        for project_id, serials in wanted.items():
            try:
                self._existing(project_id).revoke(serials)
            except AuthorityError as error:
                failed.append(str(error))
        if failed:
            raise AuthorityError("; ".join(failed))

    def refresh(self) -> None:
        """
        Write every revocation list anew, so that it is good for C{crl_days} from now on.

        @raise AuthorityError: a directory can't be used; there is no authority here.
        """
        self._existing(None).refresh()
        try:
            names = sorted(os.listdir(os.path.join(self._flags.ca_path, _PROJECTS)))
        except OSError as error:
            raise AuthorityError(f"can't read {error.filename}: {error.strerror}") from None
        for project in map(self._project, names):
            if project.exists:
                project.refresh()

    def _project(self, project_id: str) -> AuthorityDirectory:
        if "/" in project_id or project_id in ("", ".", ".."):
            raise AuthorityError(f"project {project_id!r} can't have a directory")
        return AuthorityDirectory(
            os.path.join(self._flags.ca_path, _PROJECTS, project_id),
            self._flags,
            lambda: self._project_subject(project_id),
            self._now,
        )

    def _existing(self, project_id: str | None) -> AuthorityDirectory:
        """
        The root, or a project's.

        @raise AuthorityError: it is not here; nothing is made.
        """
        found = self._root if project_id is None else self._project(project_id)
        if not found.exists:
            whose = "" if project_id is None else f" of project {project_id}"
            raise AuthorityError(
                f"there is no certificate authority{whose} in {self._flags.ca_path}"
            )
        return found

    def _user_subject(self, project_id: str, user_id: str) -> x509.Name:
        pattern = self._flags.user_cert_subject
        return certificates.subject(
            pattern, project_id, user_id, self._time(), flag="user_cert_subject"
        )

    def _project_subject(self, project_id: str) -> x509.Name:
        pattern = self._flags.project_cert_subject
        return certificates.subject(pattern, project_id, self._time(), flag="project_cert_subject")

    def _time(self) -> str:
        return f"{self._now():%Y-%m-%dT%H:%M:%SZ}"


def _issuer(file_name: str) -> tuple[str | None, str]:
    """
    The project whose authority keeps a certificate in a file, None for the root; its serial number.

    The directory may have been moved since, so what is above it does not matter.
    """
    parts = file_name.strip().split("/")  # Bexar's have a newline at the end
    serial = parts[-1].removesuffix(".pem").strip()
    if len(parts) > 3 and parts[-4] == _PROJECTS:
        return parts[-3], serial
    return None, serial
