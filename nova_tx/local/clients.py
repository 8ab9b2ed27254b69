"""
boto's connections to a cloud, from what a novarc put into the environment.
"""

from __future__ import annotations

import os
import re
import ssl
import subprocess
from collections.abc import Mapping
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from nova_tx.local.boto_shim import (
    BotoClientError,
    BotoServerError,
    EC2Connection,
    OrdinaryCallingFormat,
    RegionInfo,
    S3Connection,
)
from nova_tx.local.terminal import LocalError

#: What boto's calls raise when the cloud refuses, or can't be reached, or boto itself refuses.
REFUSED = (BotoServerError, BotoClientError, OSError)


def read_novarc(path: Path) -> dict[str, str]:
    """
    The environment that a shell has after sourcing a novarc.

    @raise LocalError: the shell could not source it.
    """
    done = subprocess.run(
        ["sh", "-c", 'cd "$(dirname "$1")" && . "$1" >&2 && env -0', "sh", str(path.absolute())],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise LocalError(f"{path} can't be sourced: {done.stderr.strip()}")
    pairs = (entry.partition("=") for entry in done.stdout.split("\0") if entry)
    return {name: value for name, _, value in pairs}


def connect(environment: Mapping[str, str] = os.environ) -> tuple[EC2Connection, S3Connection]:
    """
    Connections to the EC2 API and the objectstore; nothing is sent yet.

    @raise LocalError: the environment says not where and as whom.
    """
    wanted = ("EC2_URL", "S3_URL", "EC2_ACCESS_KEY", "EC2_SECRET_KEY")
    missing = [name for name in wanted if not environment.get(name)]
    if missing:
        raise LocalError(f"{', '.join(missing)} not set: source the novarc of a cloud first.")
    keys = (environment["EC2_ACCESS_KEY"], environment["EC2_SECRET_KEY"])
    ec2, s3 = urlsplit(environment["EC2_URL"]), urlsplit(environment["S3_URL"])
    ca = environment.get("AWS_CA_BUNDLE")
    found = (
        EC2Connection(
            *keys,
            is_secure=ec2.scheme == "https",
            region=RegionInfo(name="nova", endpoint=ec2.hostname),
            port=ec2.port,
            path=ec2.path,
            https_connection_factory=verifying(ec2, ca),
        ),
        S3Connection(
            *keys,
            is_secure=s3.scheme == "https",
            host=s3.hostname,
            port=s3.port,
            calling_format=OrdinaryCallingFormat(),
            https_connection_factory=verifying(s3, ca),
        ),
    )
    for connection in found:
        # a refusal is for the person to read, not to be tried again for a minute
        connection.num_retries = 1
    return found


def verifying(url: SplitResult, ca: str | None) -> Any:
    """
    What boto is to connect with by https: its own way has CAs of its own, and knows no addresses.

    @param ca: path of the file with the CA that certificates must come from; None: this host's.
    @raise LocalError: it can't be read.
    """
    if url.scheme != "https":
        return None
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except OSError as error:  # an SSLError, too
        raise LocalError(f"AWS_CA_BUNDLE: can't use {ca}: {error.strerror}") from None
    return (lambda host: HTTPSConnection(host, url.port, context=context)), ()


def sentence(reason: Exception) -> str:
    """Why a call failed, for a person."""
    if isinstance(reason, BotoServerError):
        code: Any = reason.error_code or reason.status
        return f"{code}: {reason.message or reason.reason}"
    if isinstance(reason, BotoClientError):
        return str(reason.reason)
    return re.sub(r"^\[Errno \d+\] ", "", str(reason)) or type(reason).__name__
