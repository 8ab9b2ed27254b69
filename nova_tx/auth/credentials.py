"""
What a user takes home: the novarc that clients read, and the zip around it.
                                                                       [spec/09 section 6]

Pure: facts in, text and bytes out.
"""

from __future__ import annotations

import io
import os
import shlex
import stat
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from nova_tx.auth.authority import Issued
from nova_tx.errors import InvalidInput
from nova_tx.flags import AuthFlags, Ec2Flags, S3Flags
from nova_tx.model.users import Membership, Project, User

#: The region of a cloud that has no list of them.
REGION = "nova"

# bash and zsh say which file they read; other shells can't: there it has to be
# the current directory's.
_KEY_DIR = """\
if [ -n "${BASH_SOURCE:-}" ]; then
    NOVA_KEY_DIR=$BASH_SOURCE
elif [ -n "${ZSH_VERSION:-}" ]; then
    eval 'NOVA_KEY_DIR=${(%):-%x}'
else
    NOVA_KEY_DIR=./novarc
fi
NOVA_KEY_DIR=$(CDPATH= cd -- "$(dirname -- "$NOVA_KEY_DIR")" && pwd)
export NOVA_KEY_DIR
"""

_FILES = """\
export EC2_USER_ID=42
export EC2_PRIVATE_KEY="${{NOVA_KEY_DIR}}/"{key}
export EC2_CERT="${{NOVA_KEY_DIR}}/"{certificate}
export NOVA_CERT="${{NOVA_KEY_DIR}}/"{authority}
export EUCALYPTUS_CERT="${{NOVA_CERT}}"
"""

_ALIASES = """\
alias ec2-bundle-image='ec2-bundle-image --cert "${EC2_CERT}" --privatekey "${EC2_PRIVATE_KEY}" \
--user 42 --ec2cert "${NOVA_CERT}"'
alias ec2-upload-bundle='ec2-upload-bundle -a "${EC2_ACCESS_KEY}" -s "${EC2_SECRET_KEY}" \
--url "${S3_URL}" --ec2cert "${NOVA_CERT}"'
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
    """What lies beside the novarc."""

    key: str
    certificate: str
    authority: str


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
        f"http://{s3_host}:{s3.s3_port}",
        f"{auth.osapi_scheme}://{osapi_host}:{auth.osapi_port}{auth.osapi_path}",
    )


def rc_text(user: User, project: Project, endpoints: Endpoints, files: FileNames) -> str:
    """
    The novarc: sourced by bash, zsh or another POSIX shell.

    Both generations of names hold C{access:project}; every client signs with
    it as one word, and without the project a request would be for the project
    named as the user.
    """
    access = f"{user.access_key}:{project.id}"
    return "".join(
        (
            _KEY_DIR,
            _exports(
                {
                    "EC2_ACCESS_KEY": access,
                    "EC2_SECRET_KEY": user.secret_key,
                    "EC2_URL": endpoints.ec2,
                    "S3_URL": endpoints.s3,
                }
            ),
            _FILES.format(
                key=shlex.quote(files.key),
                certificate=shlex.quote(files.certificate),
                authority=shlex.quote(files.authority),
            ),
            _ALIASES,
            _exports(
                {
                    "CLOUD_SERVERS_API_KEY": user.access_key,
                    "CLOUD_SERVERS_USERNAME": user.id,
                    "CLOUD_SERVERS_URL": endpoints.openstack,
                    "AWS_ACCESS_KEY_ID": access,
                    "AWS_SECRET_ACCESS_KEY": user.secret_key,
                    "AWS_ENDPOINT_URL_EC2": endpoints.ec2,
                    "AWS_ENDPOINT_URL_S3": endpoints.s3,
                    "AWS_DEFAULT_REGION": endpoints.region,
                }
            ),
        )
    )


def _exports(values: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def take_home(
    who: Membership,
    places: tuple[Ec2Flags, S3Flags, AuthFlags],
    authority_file: str,
    issued: Issued,
    authority_certificate: bytes,
) -> bytes:
    """
    The zip: an rc file for each region, the user's key and certificate, the root's certificate.

    @param authority_file: where the root's certificate is kept: its name is the last part.
    @raise InvalidInput: C{region_list} is not of C{name=fqdn}.
    """
    auth = places[2]
    names = file_names(auth, authority_file)
    members = {
        auth.credential_rc_file.replace("%s", each.region): rc_text(
            who.user, who.project, each, names
        ).encode()
        for each in outside(*places)
    }
    members[names.key] = issued.key
    members[names.certificate] = issued.certificate
    members[names.authority] = authority_certificate
    return archive(members)


def file_names(auth: AuthFlags, authority_file: str) -> FileNames:
    """The names that the flags give to what lies beside the novarc."""
    return FileNames(
        auth.credential_key_file, auth.credential_cert_file, os.path.basename(authority_file)
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
