"""
Certificates, their subjects and revocation, without files. Signing takes milliseconds, a key more.

SHA-256 and 2048 bits, where Bexar had MD5 and 1024.                         [spec/15 A33]
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from nova_tx.errors import AuthorityError

_BITS = 2048
#: How far clocks of clients may be behind ours.
_LEEWAY = timedelta(minutes=5)

#: Fields of a subject: their kind, and how long X.509 lets them be.
_FIELDS = {
    "C": (NameOID.COUNTRY_NAME, 2),
    "ST": (NameOID.STATE_OR_PROVINCE_NAME, 128),
    "L": (NameOID.LOCALITY_NAME, 128),
    "O": (NameOID.ORGANIZATION_NAME, 64),
    "OU": (NameOID.ORGANIZATIONAL_UNIT_NAME, 64),
    "CN": (NameOID.COMMON_NAME, 64),
}
_LETTERS = {kind: letters for letters, (kind, _) in _FIELDS.items()}


def new_key() -> rsa.RSAPrivateKey:
    """A new RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=_BITS)


def key_pem(key: rsa.RSAPrivateKey) -> bytes:
    """A key as the tools of the time read it: C{BEGIN RSA PRIVATE KEY}."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def load_key(pem: bytes) -> rsa.RSAPrivateKey | None:
    """A key from its PEM; None if it is no RSA key, or has a pass phrase."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        return None
    return key if isinstance(key, rsa.RSAPrivateKey) else None


def is_certificate(pem: bytes) -> bool:
    """Whether it is the PEM of a certificate."""
    try:
        x509.load_pem_x509_certificate(pem)
    except ValueError:
        return False
    return True


def subject(pattern: str, *values: str, flag: str = "user_cert_subject") -> x509.Name:
    """
    A subject from a pattern C{/C=US/O=…/CN=%s-%s-%s}.

    Each C{%s} is the next value; a value can't add fields, and is cut where
    X.509 ends the field.

    @param flag: where the pattern comes from, for the error's text.
    @raise AuthorityError: the pattern is not of that form.
    """
    left = list(values)
    fields = []
    for part in pattern.strip("/").split("/"):
        letters, equals, text = part.partition("=")
        if not equals or letters not in _FIELDS or text.count("%s") > len(left):
            raise AuthorityError(f"--{flag}: {pattern!r} is no subject of a certificate")
        kind, longest = _FIELDS[letters]
        filled = re.sub("%s", lambda _: left.pop(0), text)
        try:
            fields.append(x509.NameAttribute(kind, filled[:longest]))
        except ValueError as error:
            raise AuthorityError(f"--{flag}: {letters}: {error}") from None
    return x509.Name(fields)


def subject_text(name: x509.Name) -> str:
    """A subject as L{subject} takes it, and openssl shows it."""
    return "".join(
        f"/{_LETTERS.get(each.oid, each.oid.dotted_string)}={_plain(each)}" for each in name
    )


def _plain(attribute: x509.NameAttribute[str | bytes]) -> str:
    """Its value, without what would end a line or a field."""
    return re.sub(r"[\t\r\n]", " ", str(attribute.value))


def root(
    name: x509.Name, key: rsa.RSAPrivateKey, validity: tuple[datetime, datetime]
) -> x509.Certificate:
    """A certificate that signs itself and others; images are encrypted for it."""
    return (
        _builder(name, name, key.public_key(), x509.random_serial_number(), validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def user(
    name: x509.Name,
    key: rsa.RSAPublicKey,
    serial: int,
    validity: tuple[datetime, datetime],
    issuer: x509.Certificate,
    issuer_key: rsa.RSAPrivateKey,
) -> x509.Certificate:
    """A user's certificate: signs bundles, and proves who a client is."""
    return (
        _builder(name, issuer.subject, key, serial, validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )


def revocation_list(
    issuer: x509.Certificate,
    issuer_key: rsa.RSAPrivateKey,
    number: int,
    validity: tuple[datetime, datetime],
    revoked: Iterable[tuple[int, datetime]],
) -> x509.CertificateRevocationList:
    """
    What an authority has revoked.                                     [RFC 5280 section 5]

    @param number: one more than that of the list before.
    @param revoked: serial numbers, and since when.
    """
    since, until = (each.replace(tzinfo=UTC) for each in validity)
    building = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(since - _LEEWAY)
        .next_update(until)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    for serial, when in revoked:
        building = building.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(when.replace(tzinfo=UTC))
            .build()
        )
    return building.sign(issuer_key, hashes.SHA256())


def _builder(
    name: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPublicKey,
    serial: int,
    validity: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    since, until = validity
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(since.replace(tzinfo=UTC) - _LEEWAY)
        .not_valid_after(until.replace(tzinfo=UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
