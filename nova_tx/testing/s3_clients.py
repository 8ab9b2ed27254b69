"""Clients of an objectstore in a process of its own: that sign, in each way, and that do not."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore import UNSIGNED  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import ClientError  # type: ignore[import-untyped]


class Clients:
    """Clients of an objectstore, by the port that it listens on."""

    def __init__(self, port: int) -> None:
        self.port = port

    def client(self, user: str | None = "joe", version: Any = "s3v4", **options: Any) -> Any:
        """A client of a user; None: of nobody."""
        options = {"style": "path", "host": "127.0.0.1", **options}
        return boto3.client(
            "s3",
            endpoint_url=f"http://{options['host']}:{self.port}",
            aws_access_key_id=f"{user}-access:{user}",
            aws_secret_access_key=options.get("secret", f"{user}-secret"),
            region_name="nova",
            config=Config(
                signature_version=version if user else UNSIGNED,
                s3={"addressing_style": options["style"]},
                retries={"max_attempts": 0},
            ),
        )

    def ask(
        self, method: str, url: str, body: bytes | Any = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """What a client that signs nothing is answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        path = url.partition(f":{self.port}")[2] if "://" in url else url
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body or None, sent)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        content = answer.read()
        connection.close()
        return answer.status, found, content

    def code(self, method: str, url: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
        """The status and S3's code."""
        status, _, content = self.ask(method, url, body, **headers)
        found = re.search(rb"<Code>(\w+)</Code>", content)
        return status, found[1].decode() if found else ""


@contextmanager
def serving(directory: Path, *flags: str) -> Iterator[Clients]:
    """An objectstore that locks no keys, until this is over."""
    argv = [sys.executable, "-m", "nova_tx.testing.objectstore_server", str(directory), "0"]
    argv += ["--lockout_attempts=0", *flags]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Clients(int(process.stdout.readline()))
        finally:
            process.kill()


def refused(call: Any, **arguments: Any) -> tuple[int, str]:
    """The status and the code with which a call of boto3 is refused."""
    try:
        call(**arguments)
    except ClientError as error:
        answer: Any = error.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]
    raise AssertionError("it was not refused")


def bucket_for(clients: Clients, name: str) -> str:
    """A new bucket of joe's, called as a test."""
    bucket = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    clients.client().create_bucket(Bucket=bucket)
    return bucket
