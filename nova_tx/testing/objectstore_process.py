"""An objectstore in a process of its own, and clients of it, for tests. Blocking."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3  # type: ignore[import-untyped]
from boto.s3.connection import OrdinaryCallingFormat, S3Connection
from botocore.config import Config  # type: ignore[import-untyped]

from nova_tx.auth.s3_signatures import S3Request, v2_signature
from nova_tx.local.clients import verifying
from nova_tx.testing.certificates import Authority
from nova_tx.testing.endpoint import Endpoint

#: joe's.
ACCESS, SECRET = "joe-access:joe", "joe-secret"


class Server:
    """The process; its files stay when it ends."""

    def __init__(self, directory: Path, *flags: str, authority: Authority | None = None) -> None:
        """
        @param authority: it is reached by TLS, with a certificate of this one's.
        """
        self.directory = directory
        self._flags = flags
        self._authority = authority
        if authority is not None:
            issued = authority.issue("objectstore", ["127.0.0.1"])
            self._flags += (f"--s3_ssl_cert={issued.certificate}", f"--s3_ssl_key={issued.key}")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "nova_tx.testing.objectstore_server"),
                *(str(self.directory), "0", *self._flags),
            ],
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.endpoint = Endpoint(int(self.process.stdout.readline()), self._authority)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def memory(self, field: str) -> int:
        """Bytes that /proc tells of it."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        [line] = [line for line in lines if line.startswith(field + ":")]
        return int(line.split()[1]) * 1024

    def open_files(self) -> list[str]:
        """What its descriptors stand for."""
        found = []
        for each in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found.append(os.readlink(each))
        return found

    def boto(self, access: str = ACCESS, secret: str = SECRET) -> S3Connection:
        return S3Connection(
            access,
            secret,
            is_secure=self._authority is not None,
            host="127.0.0.1",
            port=self.endpoint.port,
            calling_format=OrdinaryCallingFormat(),
            https_connection_factory=verifying(urlsplit(self.endpoint.url), self.endpoint.verify),
        )

    def boto3(self, access: str = ACCESS, secret: str = SECRET, **config: Any) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint.url,
            verify=self.endpoint.verify,
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            region_name="nova",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, **config),
        )

    def sign(self, method: str, path: str) -> dict[str, str]:
        """Headers with a version 2 signature; the path may have a query."""
        fields = {"date": formatdate(usegmt=True)}
        path, _, query = path.partition("?")
        request = S3Request(method, path, tuple(parse_qsl(query)), fields)
        signature = v2_signature(SECRET, request)
        return {**fields, "authorization": f"AWS {ACCESS}:{signature}"}

    def begin_put(self, path: str, length: int, **headers: str) -> socket.socket:
        """A connection over which the headers of a PUT have gone."""
        connection = self.endpoint.connect()
        fields = {"content-length": str(length), "host": "127.0.0.1"}
        fields.update(self.sign("PUT", path))
        fields.update(headers)
        lines = [f"PUT {path} HTTP/1.1", *(f"{name}: {each}" for name, each in fields.items())]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection
