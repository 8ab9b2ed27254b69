"""
What an authority has issued and revoked: openssl's C{index.txt}, without the file.

A line is status, end, revocation, serial number, C{unknown}, subject.   [openssl-ca(1)]
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from nova_tx.auth.certificates import subject_text

_REVOKED = "R"


@dataclass(frozen=True)
class Entry:
    """
    A certificate.

    @ivar status: V, R or E: valid, revoked, expired.
    @ivar end: when it expires, as C{index.txt} has times.
    @ivar revocation: when it was revoked; a comma and a reason may follow.
    @ivar serial: hexadecimal, as it names the certificate's file.
    """

    status: str
    end: str
    revocation: str
    serial: str
    subject: str

    @property
    def revoked_at(self) -> datetime | None:
        """When it was revoked; None: it was not."""
        if self.status != _REVOKED:
            return None
        text = self.revocation.partition(",")[0]
        return datetime.strptime(text, "%y%m%d%H%M%SZ" if len(text) == 13 else "%Y%m%d%H%M%SZ")

    def revoked(self, now: datetime) -> Entry:
        """The same, revoked; what was revoked before was then."""
        if self.status == _REVOKED:
            return self
        return Entry(_REVOKED, self.end, _time(now), self.serial, self.subject)


def entry(signed: x509.Certificate, serial: str) -> Entry:
    """The entry of a certificate that is valid."""
    end = signed.not_valid_after_utc.astimezone(UTC)
    return Entry("V", _time(end), "", serial, subject_text(signed.subject))


def parse(text: str) -> dict[str, Entry]:
    """
    The entries by serial number.

    @raise ValueError: a line is none of openssl's.
    """
    found = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
        fields = line.split("\t")
        if len(fields) != 6:
            raise ValueError(f"line {number} does not have six fields")
        status, end, revocation, serial, _, subject = fields
        each = Entry(status, end, revocation, serial, subject)
        if each.revoked_at is None and status not in ("V", "E"):
            raise ValueError(f"line {number} has status {status!r}")
        found[serial] = each
    return found


def write(entries: Iterable[Entry]) -> str:
    """The file of entries."""
    return "".join(
        f"{each.status}\t{each.end}\t{each.revocation}\t{each.serial}\tunknown\t{each.subject}\n"
        for each in entries
    )


def _time(when: datetime) -> str:
    """Of two digits the year is one before 2050.                     [RFC 5280 4.1.2.5]"""
    return f"{when:%y%m%d%H%M%SZ}" if when.year < 2050 else f"{when:%Y%m%d%H%M%SZ}"
