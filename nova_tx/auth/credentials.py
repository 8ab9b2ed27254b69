"""
What a user takes home: the novarc that clients read, and the zip around it.
                                                                       [spec/09 section 6]

Facts in, text and bytes out; it blocks, for it reads files.
"""

from __future__ import annotations

import io
import os
import stat
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from nova_tx.auth import templates
from nova_tx.auth.authority import Issued
from nova_tx.errors import AuthorityError, InvalidInput
from nova_tx.flags import AuthFlags, Ec2Flags, S3Flags
from nova_tx.model.users import Membership

#: The region of a cloud that has no list of them.
REGION = "nova"

#: Name in the zip of what https is verified with.
_TRUSTED = "ssl-ca.pem"
# botocore's; requests', as in euca2ools 3
_TRUST = """
# What https is verified with.
export AWS_CA_BUNDLE="{trusted}"
export REQUESTS_CA_BUNDLE="${{AWS_CA_BUNDLE}}"
"""


@dataclass(frozen=True)
class Endpoints:
    """Where the services of a region are."""

    region: str
    ec2: str
    s3: str
    openstack: str


@dataclass(frozen=True)
class FileNames:
    """
    What lies beside the novarc.

    @ivar trusted: what https is verified with, also elsewhere, by a whole path; None: what
        clients have themselves.
    """

    key: str
    certificate: str
    authority: str
    trusted: str | None = None


def inside(ec2: Ec2Flags, s3: S3Flags, auth: AuthFlags) -> Endpoints:
    """The endpoints as this cloud's own network reaches them."""
    return _endpoints(REGION, ec2.ec2_dmz_host, s3.s3_dmz, auth.osapi_host, ec2, s3, auth)


def outside(ec2: Ec2Flags, s3: S3Flags, auth: AuthFlags) -> tuple[Endpoints, ...]:
    """
    The endpoints of each region as the world reaches them.

    @raise InvalidInput: C{region_list} is not of C{name=fqdn}.
    """
    if not ec2.region_list:
        return (_endpoints(REGION, ec2.ec2_host, ec2.ec2_host, auth.osapi_host, ec2, s3, auth),)
    found = []
    for entry in ec2.region_list:
        name, equals, host = (part.strip() for part in entry.partition("="))
        if not (name and equals and host) or "/" in name:
            raise InvalidInput(f"--region_list: {entry!r} is not name=fqdn")
        found.append(_endpoints(name, host, host, host, ec2, s3, auth, in_list=True))
    return tuple(found)


def _endpoints(
    region: str,
    ec2_host: str,
    s3_host: str,
    osapi_host: str,
    ec2: Ec2Flags,
    s3: S3Flags,
    auth: AuthFlags,
    in_list: bool = False,
) -> Endpoints:
    ec2_url = f"{ec2.ec2_scheme}://{ec2_host}:{ec2.ec2_port}{ec2.ec2_path}"
    return Endpoints(
        region,
        ec2.ec2_url if ec2.ec2_url and not in_list else ec2_url,
        f"{s3.s3_scheme}://{s3_host}:{s3.s3_port}",
        f"{auth.osapi_scheme}://{osapi_host}:{auth.osapi_port}{auth.osapi_path}",
    )


def rc_text(who: Membership, endpoints: Endpoints, auth: AuthFlags, files: FileNames) -> str:
    """
    The novarc, of flag C{credentials_template}: sourced by bash, zsh or another POSIX shell.

    Both generations of names hold C{access:project}; every client signs with
    it as one word, and without the project a request would be for the project
    named as the user.

    @raise InvalidInput: the template is no good.
    """
    values = {
        "access": who.user.access_key,
        "project": who.project.id,
        "secret": who.user.secret_key,
        "ec2": endpoints.ec2,
        "s3": endpoints.s3,
        "os": endpoints.openstack,
        "user": who.user.id,
        "nova": files.authority,
        "cert": files.certificate,
        "key": files.key,
        "region": endpoints.region,
    }
    quoted = {name: templates.for_shell(value) for name, value in values.items()}
    quoted["trust"] = _trust(files)
    return templates.fill(auth.credentials_template, "credentials_template", quoted)


def _trust(files: FileNames) -> str:
    if files.trusted is None:
        return ""
    beside = "" if os.path.isabs(files.trusted) else "${NOVA_KEY_DIR}/"
    return _TRUST.format(trusted=beside + templates.for_shell(files.trusted))


def vpn_text(address: str, port: int, auth: AuthFlags, files: FileNames) -> str:
    """
    The configuration of OpenVPN, of flag C{vpn_client_template}.

    @raise InvalidInput: the template is no good.
    """
    values = {
        "ip": address,
        "port": str(port),
        "certfile": files.certificate,
        "keyfile": files.key,
        "cafile": files.authority,
    }
    quoted = {name: templates.for_openvpn(value) for name, value in values.items()}
    return templates.fill(auth.vpn_client_template, "vpn_client_template", quoted)


def take_home(
    who: Membership,
    places: tuple[Ec2Flags, S3Flags, AuthFlags],
    authority_file: str,
    vpn: tuple[str, int] | None,
) -> Callable[[Issued], bytes]:
    """
    The zip: an rc file for each region, the user's key and certificate, whom to believe.

    What can fail has not when this returns: only then is a certificate to be issued.

    @return: what makes the zip of a key and its certificate.
    @param authority_file: where the root's certificate is kept: its name is the last part.
    @param vpn: address and port of the project's VPN, if it has one.
    @raise InvalidInput: C{region_list} is not of C{name=fqdn}; a template is no good.
    @raise AuthorityError: what https is to be verified with can't be read.
    """
    auth = places[2]
    trust = _trusted(auth)
    names = replace(file_names(auth, authority_file), trusted=None if trust is None else _TRUSTED)
    regions = outside(*places)
    members = {
        auth.credential_rc_file.replace("%s", each.region): rc_text(who, each, auth, names).encode()
        for each in regions
    }
    if len(members) < len(regions):
        raise InvalidInput("--credential_rc_file gives two regions of --region_list one name")
    network = {auth.credential_vpn_file: vpn_text(*vpn, auth, names).encode()} if vpn else {}
    trusted = {} if trust is None else {_TRUSTED: trust}

    def packed(issued: Issued) -> bytes:
        own = {names.key: issued.key, names.certificate: issued.certificate}
        return archive(
            {**members, **own, **network, names.authority: issued.authorities, **trusted}
        )

    return packed


def _trusted(auth: AuthFlags) -> bytes | None:
    """
    What users' clients verify https with, PEM; None: they have it themselves.

    @raise AuthorityError: it can't be read.
    """
    if not auth.credential_ssl_ca:
        return None
    try:
        with open(auth.credential_ssl_ca, "rb") as file:
            return file.read()
    except OSError as error:
        path = auth.credential_ssl_ca
        raise AuthorityError(f"can't read {path} (--credential_ssl_ca): {error.strerror}") from None


def file_names(auth: AuthFlags, authority_file: str) -> FileNames:
    """The names that the flags give to what lies beside the novarc, or where this host has it."""
    return FileNames(
        auth.credential_key_file,
        auth.credential_cert_file,
        os.path.basename(authority_file),
        os.path.abspath(auth.credential_ssl_ca) if auth.credential_ssl_ca else None,
    )


def archive(members: Mapping[str, bytes]) -> bytes:
    """A zip of files, in their order, that only their owner can read when unpacked."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, time.localtime()[:6])
            member.create_system = 3  # Unix: the mode counts
            member.external_attr = (stat.S_IFREG | 0o600) << 16
            file.writestr(member, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
