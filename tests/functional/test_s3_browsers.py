"""What browsers ask of a running objectstore: forms, pages of other origins, buckets as hosts."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from boto.s3.connection import S3Connection, SubdomainCallingFormat

from nova_tx.testing.s3_clients import Clients, bucket_for, refused, serving

DOMAIN = "s3.example.test"
VERSIONS = ["s3", "s3v4"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    with serving(tmp_path_factory.mktemp("browsers"), f"--s3_domain={DOMAIN}") as found:
        yield found


@pytest.fixture
def bucket(server: Clients, request: pytest.FixtureRequest) -> str:
    """A new bucket of joe's."""
    return bucket_for(server, request.node.name)


# Forms.


def _form(fields: dict[str, str], content: bytes, filename: str = "x", last: bytes = b"") -> bytes:
    parts = [
        f'--limit\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    parts.append(
        f'--limit\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return "".join(parts).encode() + content + b"\r\n" + last + b"--limit--\r\n"


FORM = {"content_type": "multipart/form-data; boundary=limit"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("size", [0, 1000, 20 * 2**20 + 1])
def test_forms(server: Clients, bucket: str, version: str, size: int) -> None:
    """A browser's form becomes an object of any size, as the policy has it and nothing more."""
    content = os.urandom(size)
    conditions: list[Any] = [
        {"acl": "public-read"},
        ["starts-with", "$Content-Type", "text/"],
        ["eq", "$x-amz-meta-colour", "blue"],
        ["content-length-range", 0, 2**25],
        {"success_action_status": "201"},
    ]
    fields = {
        "acl": "public-read",
        "Content-Type": "text/x-test",
        "x-amz-meta-colour": "blue",
        "success_action_status": "201",
    }
    post = server.client(version=version).generate_presigned_post(
        bucket, "up/${filename}", Fields=fields, Conditions=conditions
    )
    after = b'--limit\r\nContent-Disposition: form-data; name="late"\r\n\r\nx\r\n'
    body = _form(post["fields"], content, "C:\\dir\\a b.txt", after)
    status, headers, answer = server.ask("POST", f"/{bucket}", body, **FORM)
    assert status == 201, answer
    location = f"http://127.0.0.1:{server.port}/{bucket}/up/a%20b.txt"
    assert headers["location"] == location
    assert f"<Location>{location}</Location><Bucket>{bucket}</Bucket>".encode() in answer
    found = server.client(None).get_object(Bucket=bucket, Key="up/a b.txt")
    assert found["Body"].read() == content
    assert (found["ContentType"], found["Metadata"]) == ("text/x-test", {"colour": "blue"})
    for change in ({"acl": "private"}, {"x-amz-meta-other": "1"}, {"key": "other"}):
        body = _form({**post["fields"], **change}, b"1")
        assert server.code("POST", f"/{bucket}", body, **FORM) == (403, "AccessDenied")


def test_form_answers(server: Clients, bucket: str) -> None:
    """A form is answered as it asks: with a status, or by sending the browser on."""
    client = server.client()

    def post(**fields: str) -> tuple[int, dict[str, str], bytes]:
        conditions = [{name: value} for name, value in fields.items()]
        made = client.generate_presigned_post(bucket, "key", fields, conditions)
        return server.ask("POST", f"/{bucket}", _form(made["fields"], b"1"), **FORM)

    assert post()[0] == 204
    assert post(success_action_status="200")[0] == 200
    assert post(success_action_status="404")[0] == 204
    etag = "%22c4ca4238a0b923820dcc509a6f75849b%22"
    status, headers, _ = post(success_action_redirect="http://page.test/done?a=b")
    assert status == 303
    told = f"http://page.test/done?a=b&bucket={bucket}&key=key&etag={etag}"
    assert headers["location"] == told
    assert post(success_action_redirect="javascript:alert(1)")[0] == 204


def test_form_refusals(server: Clients, bucket: str) -> None:
    """A form that can't be is refused with S3's code, and leaves nothing."""
    client = server.client()
    bounds = [["content-length-range", 2, 10]]
    post = client.generate_presigned_post(bucket, "key", Conditions=bounds)["fields"]

    def code(body: bytes, path: str = f"/{bucket}", **headers: str) -> tuple[int, str]:
        return server.code("POST", path, body, **{**FORM, **headers})

    def without(name: str) -> dict[str, str]:
        return {each: value for each, value in post.items() if each != name}

    whole = _form(post, b"12345")
    other = f"{bucket}-other"
    client.create_bucket(Bucket=other)
    assert code(_form(post, b"1")) == (400, "EntityTooSmall")
    assert code(_form(post, b"12345678901")) == (400, "EntityTooLarge")
    assert code(_form(post, os.urandom(200_000))) == (400, "EntityTooLarge")
    assert code(whole, f"/{other}") == (403, "AccessDenied")
    assert code(whole.replace(b"--limit--", b"")) == (400, "MalformedPOSTRequest")
    assert code(b"x" + whole) == (400, "MalformedPOSTRequest")
    assert code(whole, content_type="multipart/form-data") == (400, "MalformedPOSTRequest")
    assert code(whole, content_type="text/plain") == (412, "PreconditionFailed")
    assert code(_form({**post, "x": "1" * 30_000}, b"12")) == (
        400,
        "MaxPostPreDataLengthExceededError",
    )
    assert code(whole.replace(b'"file"', b'"document"')) == (400, "InvalidArgument")
    assert code(_form(without("key"), b"12")) == (403, "AccessDenied")
    assert code(_form(without("policy"), b"12")) == (400, "InvalidArgument")
    assert code(_form(without("x-amz-date"), b"12")) == (400, "InvalidArgument")
    wrong = {**post, "x-amz-signature": "0" * 64}
    assert code(_form(wrong, b"12")) == (403, "SignatureDoesNotMatch")
    assert code(_form({"key": "key"}, b"12")) == (403, "AccessDenied")
    old = client.generate_presigned_post(bucket, "key", ExpiresIn=-1)["fields"]
    assert code(_form(old, b"12")) == (403, "AccessDenied")
    bad = client.generate_presigned_post(bucket, "key", Conditions=[{"a": "b", "c": "d"}])["fields"]
    assert code(_form(bad, b"12")) == (400, "InvalidPolicyDocument")
    # who signs a form wants nothing else done
    for path in (f"/{bucket}?delete", "/_images?image_id=ami-00000000&operation=add"):
        assert code(whole, path)[1] in ("AccessDenied", "NotImplemented")
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)
    assert code(whole) == (204, "")


def test_form_for_anybody(server: Clients, bucket: str) -> None:
    """Where everybody may write a form needs no policy."""
    client = server.client()
    client.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    body = _form({"key": "key"}, b"1")
    assert server.ask("POST", f"/{bucket}", body, **FORM)[0] == 204
    assert client.get_object(Bucket=bucket, Key="key")["Body"].read() == b"1"
    assert server.code("POST", f"/{bucket}", _form({}, b"1"), **FORM) == (400, "InvalidArgument")
    broken = _form({"key": "key", "x-amz-meta-a": "1\r\nb: c"}, b"1")
    assert server.code("POST", f"/{bucket}", broken, **FORM) == (400, "InvalidArgument")


# Pages of other origins.


def test_cors(server: Clients, bucket: str) -> None:
    """Rules are kept as they were given; browsers are told what they allow, and nothing else."""
    joe = server.client()
    page = "http://page.test"
    asks = {"origin": page, "access_control_request_method": "PUT"}
    assert refused(joe.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
    assert server.code("OPTIONS", f"/{bucket}/key", **asks) == (403, "AccessForbidden")
    rules = [
        {
            "ID": "one",
            "AllowedOrigins": ["http://*.test"],
            "AllowedMethods": ["PUT", "GET"],
            "AllowedHeaders": ["x-amz-*"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 600,
        },
        {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]},
    ]
    joe.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert joe.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    status, headers, body = server.ask(
        "OPTIONS",
        f"/{bucket}/key?X-Amz-Signature=x",
        **asks,
        access_control_request_headers="X-Amz-Acl",
    )
    assert (status, body) == (200, b"")
    assert headers["access-control-allow-origin"] == page
    assert headers["access-control-allow-methods"] == "PUT, GET"
    assert headers["access-control-allow-headers"] == "x-amz-acl"
    assert headers["access-control-max-age"] == "600"
    assert headers["access-control-allow-credentials"] == "true"
    for change in (
        {"origin": "http://elsewhere.example"},
        {"access_control_request_method": "DELETE"},
        {"access_control_request_headers": "x-amz-acl, authorization"},
    ):
        assert server.code("OPTIONS", f"/{bucket}", **{**asks, **change}) == (
            403,
            "AccessForbidden",
        )
    for bad in ({"origin": page}, {**asks, "access_control_request_method": "LOOK"}):
        assert server.code("OPTIONS", f"/{bucket}", **bad) == (400, "BadRequest")
    assert server.code("OPTIONS", f"/{bucket}") == (400, "BadRequest")
    assert server.code("OPTIONS", "/no-such-bucket/key", **asks) == (404, "NoSuchBucket")
    joe.put_object(Bucket=bucket, Key="key", Body=b"1" * 100_000, ACL="public-read")
    status, headers, body = server.ask("GET", f"/{bucket}/key", origin=page)
    assert (status, len(body)) == (200, 100_000)
    assert headers["access-control-allow-origin"] == page
    assert headers["access-control-expose-headers"] == "ETag"
    assert "Origin" in headers["vary"]
    # a refusal is seen by the page, too
    status, headers, _ = server.ask("GET", f"/{bucket}/other", origin=page)
    assert (status, headers["access-control-allow-origin"]) == (403, page)
    other = server.ask("GET", f"/{bucket}/key", origin="http://elsewhere.example")[1]
    assert other["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in other
    silent = server.ask("PUT", f"/{bucket}/key", b"", origin="http://elsewhere.example")[1]
    assert "access-control-allow-origin" not in silent
    assert "access-control-allow-origin" not in server.ask("GET", f"/{bucket}/key")[1]
    eve = server.client("eve")
    for call in (eve.get_bucket_cors, eve.delete_bucket_cors):
        assert refused(call, Bucket=bucket) == (403, "AccessDenied")
    joe.delete_bucket_cors(Bucket=bucket)
    joe.delete_bucket_cors(Bucket=bucket)
    assert refused(joe.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")


def test_cors_refusals(server: Clients, bucket: str) -> None:
    """Rules that can't be are refused with S3's code."""
    joe = server.client()
    nothing = {"CORSRules": []}
    malformed = refused(joe.put_bucket_cors, Bucket=bucket, CORSConfiguration=nothing)
    assert malformed == (400, "MalformedXML")
    whole = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
    for change in (
        {"AllowedMethods": ["OPTIONS"]},
        {"AllowedOrigins": ["http://*.*"]},
        {"AllowedHeaders": ["*-*"]},
        {"ExposeHeaders": ["x-*"]},
        {"ID": "x" * 256},
    ):
        rules = {"CORSRules": [{**whole, **change}]}
        expected = (400, "InvalidRequest")
        assert refused(joe.put_bucket_cors, Bucket=bucket, CORSConfiguration=rules) == expected


# Buckets as hosts.


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """All hosts of the domain are here."""
    resolve = socket.getaddrinfo

    def here(host: Any, *rest: Any, **more: Any) -> Any:
        if host == DOMAIN or str(host).endswith(f".{DOMAIN}"):
            host = "127.0.0.1"
        return resolve(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", here)


@pytest.mark.parametrize("version", VERSIONS)
def test_hosts(server: Clients, bucket: str, names: None, version: str) -> None:
    """A bucket is a host to clients that sign with either version, and paths stay."""
    client = server.client(version=version, style="virtual", host=DOMAIN)
    for key in ("a b//c", f"{bucket}/key", "ü"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    listed = [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == ["a b//c", f"{bucket}/key", "ü"]
    client.get_bucket_acl(Bucket=bucket)
    wanted = {"Bucket": bucket, "Key": "ü"}
    url = client.generate_presigned_url("get_object", Params=wanted)
    host = urlsplit(url).netloc
    assert host == f"{bucket}.{DOMAIN}:{server.port}"
    assert server.ask("GET", url, host=host)[2] == "ü".encode()
    path = server.client(version=version, host=DOMAIN)
    assert path.get_object(**wanted)["Body"].read() == "ü".encode()
    post = client.generate_presigned_post(bucket, "form")
    body = _form(post["fields"], b"1")
    status, headers, _ = server.ask("POST", "/", body, **FORM, host=host)
    assert (status, headers["location"]) == (204, f"http://{host}/form")
    upload = {"Bucket": bucket, "Key": "parts"}
    upload["UploadId"] = client.create_multipart_upload(**upload)["UploadId"]
    part = {"ETag": client.upload_part(**upload, PartNumber=1, Body=b"1")["ETag"], "PartNumber": 1}
    made = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    assert made["Location"] == f"http://{host}/parts"
    fresh = f"{bucket}-fresh"
    client.create_bucket(Bucket=fresh)
    client.delete_bucket(Bucket=fresh)


def test_boto_hosts(server: Clients, bucket: str, names: None) -> None:
    """boto 2.49 with its default way of calling stores and gets."""
    connection = S3Connection(
        "joe-access:joe",
        "joe-secret",
        is_secure=False,
        host=DOMAIN,
        port=server.port,
        calling_format=SubdomainCallingFormat(),
    )
    there = connection.get_bucket(bucket)
    there.new_key("a b").set_contents_from_string("1")
    assert there.get_key("a b").get_contents_as_string() == b"1"
    assert [each.name for each in there.list()] == ["a b"]
