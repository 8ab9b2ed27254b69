"""Clients that nobody here wrote, with what the novarc gave them."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped]
from john import novarc, sourced

from nova_tx.auth import s3_signatures, signatures
from nova_tx.local.clients import connect


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("client")
    return sourced("sh", novarc(), place, place)


def boto3_request(environment: dict[str, str], service: str, action: str, **words: Any) -> Any:
    """What boto3 sends."""
    sent: list[Any] = []

    def send(request: Any, **_: object) -> Any:
        sent.append(request)
        return AWSResponse(request.url, 200, {}, io.BytesIO(b"<x/>"))

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        client = boto3.session.Session().client(service)
        client.meta.events.register("before-send", send)
        try:
            getattr(client, action)(**words)
        except AttributeError:
            pass  # the answer is none
    return sent[0]


def s3_request(method: str, url: str, headers: Any) -> s3_signatures.S3Request:
    parts = urlsplit(url)
    query = tuple((name, value) for name, [value] in parse_qs(parts.query, True).items())
    given = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in headers.items()
    }
    return s3_signatures.S3Request(
        method, parts.path or "/", query, {"host": parts.netloc, **given}
    )


def test_boto3_ec2(environment: dict[str, str]) -> None:
    """boto3 goes to EC2_URL and signs with key and project as one word."""
    request = boto3_request(environment, "ec2", "describe_instances")
    assert request.url == environment["EC2_URL"]
    header = request.headers["Authorization"].decode()
    said = signatures.parse_v4_authorization(header)
    assert said.access_key == "my-access-key:john_project"
    assert said.scope.split("/")[1:] == ["nova", "ec2", "aws4_request"]


def test_boto3_s3(environment: dict[str, str]) -> None:
    """The objectstore reads key and project out of what boto3 signs, and finds it genuine."""
    request = boto3_request(environment, "s3", "list_objects_v2", Bucket="bucket")
    claim = s3_signatures.claim(
        s3_request(request.method, request.url, request.headers), datetime.now(UTC)
    )
    assert (claim.access_key, claim.project_id) == ("my-access-key", "john_project")
    claim.verify("a-super-secret-key")


def test_boto(environment: dict[str, str]) -> None:
    """boto 2.49 takes the same words for EC2 and S3, and both read them back."""
    ec2, s3 = connect(environment)
    asked = ec2.build_base_http_request("POST", "/", None, {"Action": "DescribeInstances"})
    asked.authorize(connection=ec2)
    assert asked.path == "/services/Cloud/"
    said = signatures.parse_v4_authorization(asked.headers["Authorization"])
    assert said.access_key == "my-access-key:john_project"
    got = s3.build_base_http_request("GET", "/bucket/", "/bucket/")
    got.authorize(connection=s3)
    claim = s3_signatures.claim(
        s3_request("GET", "http://10.1.1.1:3333/bucket/", got.headers), datetime.now(UTC)
    )
    assert (claim.access_key, claim.project_id) == ("my-access-key", "john_project")
    claim.verify("a-super-secret-key")
