"""Who may do what at a running objectstore: links, forms, grants, and pages of other origins."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from boto.s3.connection import OrdinaryCallingFormat, S3Connection, SubdomainCallingFormat
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

DOMAIN = "s3.example.test"
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
VERSIONS = ["s3", "s3v4"]


class Server:
    """The process, and clients of it."""

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("access")
    argv = [sys.executable, "-m", "nova_tx.testing.objectstore_server", str(directory), "0"]
    argv += [f"--s3_domain={DOMAIN}", "--lockout_attempts=0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Server(int(process.stdout.readline()))
        finally:
            process.kill()


@pytest.fixture
def bucket(server: Server, request: pytest.FixtureRequest) -> str:
    """A new bucket of joe's."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60]
    server.client().create_bucket(Bucket=name)
    return name


def _refused(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer: Any = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


# Links.


@pytest.mark.parametrize("version", VERSIONS)
def test_links(server: Server, bucket: str, version: str) -> None:
    """A link lets whoever has it do what was signed, and nothing else."""
    client = server.client(version=version)

    def link(call: str, **more: Any) -> str:
        wanted = {"Bucket": bucket, "Key": "a b/ü", **more}
        return str(client.generate_presigned_url(call, Params=wanted, ExpiresIn=600))

    assert server.ask("PUT", link("put_object"), b"content")[0] == 200
    status, _, content = server.ask("GET", link("get_object"))
    assert (status, content) == (200, b"content")
    named = link("get_object", ResponseContentDisposition='attachment; filename="x"')
    assert server.ask("GET", named)[1]["content-disposition"] == 'attachment; filename="x"'
    listing = client.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket})
    assert b"<Key>a%20b/%C3%BC</Key>" in server.ask("GET", listing)[2]
    wrong = (403, "SignatureDoesNotMatch")
    assert server.code("PUT", link("get_object"), b"other") == wrong
    assert server.code("GET", link("get_object").replace("%C3%BC", "other")) == wrong
    assert server.code("GET", link("get_object").replace("joe-access", "eve-access")) == wrong
    unknown = link("get_object").replace("joe-access", "nobody")
    assert server.code("GET", unknown) == (403, "InvalidAccessKeyId")
    assert server.ask("DELETE", link("delete_object"))[0] == 204
    assert server.code("GET", link("get_object")) == (404, "NoSuchKey")


@pytest.mark.parametrize("version", VERSIONS)
def test_links_with_headers(server: Server, bucket: str, version: str) -> None:
    """What a link says of headers holds, whether they are in it or have to be sent."""
    client = server.client(version=version)
    wanted = {
        "Bucket": bucket,
        "Key": "key",
        "ACL": "public-read",
        "ContentType": "text/x-test",
        "Metadata": {"colour": "blue"},
    }
    url = client.generate_presigned_url("put_object", Params=wanted)
    sent = {"content_type": "text/x-test"}
    if version == "s3v4":
        assert server.code("PUT", url, b"1", **sent)[0] == 403
        sent |= {"x_amz_acl": "public-read", "x_amz_meta_colour": "blue"}
        stranger = server.code("PUT", url, b"1", **sent, x_amz_tagging="a=b")
        assert stranger == (403, "AccessDenied")
    assert server.ask("PUT", url, b"1", **sent)[0] == 200
    found = server.client(None).get_object(Bucket=bucket, Key="key")
    assert (found["ContentType"], found["Metadata"]) == ("text/x-test", {"colour": "blue"})


def test_old_links(server: Server, bucket: str) -> None:
    """A link that is too old, too long or signed beside a header is refused as S3 does."""
    joe = {version: server.client(version=version) for version in VERSIONS}
    wanted = {"Bucket": bucket, "Key": "key"}

    def link(version: str, seconds: int) -> str:
        signer = joe[version]
        return str(signer.generate_presigned_url("get_object", Params=wanted, ExpiresIn=seconds))

    assert server.code("GET", link("s3", -10)) == (403, "AccessDenied")
    assert b"Request has expired" in server.ask("GET", link("s3", -10))[2]
    malformed = (400, "AuthorizationQueryParametersError")
    assert server.code("GET", link("s3v4", 604801)) == malformed
    assert server.code("GET", link("s3v4", 604800)) == (404, "NoSuchKey")
    cut = link("s3v4", 60).replace("X-Amz-Expires", "x")
    assert server.code("GET", cut) == malformed
    twice = server.code("GET", link("s3v4", 60), authorization="AWS joe-access:joe:x")
    assert twice == (400, "InvalidArgument")


def test_boto_link(server: Server, bucket: str) -> None:
    """A link of boto 2.49 opens the object."""
    connection = S3Connection(
        "joe-access:joe",
        "joe-secret",
        is_secure=False,
        host="127.0.0.1",
        port=server.port,
        calling_format=OrdinaryCallingFormat(),
    )
    server.client().put_object(Bucket=bucket, Key="a b", Body=b"1")
    url = connection.generate_url(60, "GET", bucket, "a b")
    assert server.ask("GET", url)[2] == b"1"


def test_skew(server: Server) -> None:
    """Headers that are malformed, or of another time, have S3's codes."""
    for expected, headers in (
        ((400, "AuthorizationHeaderMalformed"), {"authorization": "AWS4-HMAC-SHA256 Credential=a"}),
        ((400, "InvalidArgument"), {"authorization": "AWS joe-access"}),
        ((400, "InvalidArgument"), {"authorization": "Bearer joe"}),
        ((403, "AccessDenied"), {"authorization": "AWS joe-access:joe:x"}),
        (
            (403, "RequestTimeTooSkewed"),
            {"authorization": "AWS joe-access:joe:x", "date": "Tue, 27 Mar 2007 19:36:42 GMT"},
        ),
        (
            (400, "InvalidRequest"),
            {
                "authorization": "AWS4-HMAC-SHA256 Credential=a/20070327/b/s3/aws4_request,"
                "SignedHeaders=host,Signature=x",
                "x_amz_date": "20070327T193642Z",
            },
        ),
    ):
        assert server.code("GET", "/", **headers) == expected


# Grants.


def test_canned(server: Server, bucket: str) -> None:
    """Each canned ACL lets those read whom S3's documentation names, and nobody else."""
    joe, eve, anybody = (server.client(user) for user in ("joe", "eve", None))
    for name, known, unknown in (
        ("private", False, False),
        ("public-read", True, True),
        ("public-read-write", True, True),
        ("authenticated-read", True, False),
        ("aws-exec-read", False, False),
        ("bucket-owner-read", False, False),
        ("bucket-owner-full-control", False, False),
    ):
        joe.put_object(Bucket=bucket, Key=name, Body=b"1", ACL=name)
        for client, may in ((joe, True), (eve, known), (anybody, unknown)):
            if may:
                assert client.get_object(Bucket=bucket, Key=name)["Body"].read() == b"1"
                assert client.head_object(Bucket=bucket, Key=name)["ContentLength"] == 1
            else:
                denied = _refused(client.get_object, Bucket=bucket, Key=name)
                assert denied == (403, "AccessDenied")
            # to write over it needs WRITE on the bucket, whatever is granted on the object
            if client is not joe:
                denied = _refused(client.put_object, Bucket=bucket, Key=name, Body=b"2")
                assert denied == (403, "AccessDenied")


def test_buckets(server: Server, bucket: str) -> None:
    """READ on a bucket lets others list it, WRITE put and remove; nothing lets them remove it."""
    joe, eve, anybody = (server.client(user) for user in ("joe", "eve", None))
    joe.put_object(Bucket=bucket, Key="key", Body=b"1")
    denied, hidden = (403, "AccessDenied"), (403, "403")
    for client in (eve, anybody):
        assert _refused(client.list_objects_v2, Bucket=bucket) == denied
        assert _refused(client.head_bucket, Bucket=bucket) == hidden
        # who may not list is not told what is not there
        assert _refused(client.get_object, Bucket=bucket, Key="nothing") == denied
        assert _refused(client.head_object, Bucket=bucket, Key="nothing") == hidden
        assert _refused(client.get_object, Bucket=f"{bucket}-none", Key="key")[1] == "NoSuchBucket"
    joe.put_bucket_acl(Bucket=bucket, ACL="public-read")
    for client in (eve, anybody):
        assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
        client.head_bucket(Bucket=bucket)
        assert _refused(client.get_object, Bucket=bucket, Key="nothing") == (404, "NoSuchKey")
        assert _refused(client.get_object, Bucket=bucket, Key="key") == denied
        assert _refused(client.delete_object, Bucket=bucket, Key="key") == denied
    joe.put_bucket_acl(Bucket=bucket, GrantWrite='id="eve"')
    assert _refused(eve.list_objects_v2, Bucket=bucket) == denied
    eve.put_object(Bucket=bucket, Key="hers", Body=b"2")
    assert _refused(joe.get_object, Bucket=bucket, Key="hers") == denied  # it is eve's
    eve.put_object(Bucket=bucket, Key="hers", Body=b"3", ACL="bucket-owner-read")
    assert joe.get_object(Bucket=bucket, Key="hers")["Body"].read() == b"3"
    assert _refused(anybody.put_object, Bucket=bucket, Key="x", Body=b"") == denied
    for call in (eve.delete_bucket, eve.get_bucket_location, eve.get_bucket_acl):
        assert _refused(call, Bucket=bucket) == denied
    joe.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    anybody.put_object(Bucket=bucket, Key="x", Body=b"4")
    assert joe.get_object(Bucket=bucket, Key="x")["Body"].read() == b"4"  # nobody's is joe's
    anybody.put_object(Bucket=bucket, Key="x", Body=b"5", Tagging="a=b")
    joe.copy_object(Bucket=bucket, Key="y", CopySource=f"{bucket}/x")
    assert joe.get_object_tagging(Bucket=bucket, Key="y")["TagSet"] == [{"Key": "a", "Value": "b"}]
    anybody.delete_object(Bucket=bucket, Key="x")
    joe.delete_object(Bucket=bucket, Key="hers")
    assert _refused(anybody.list_buckets) == denied
    assert _refused(anybody.create_bucket, Bucket="anybodys") == denied
    assert server.client("admin").get_object(Bucket=bucket, Key="key")["Body"].read() == b"1"


def test_made_with_grants(server: Server, bucket: str) -> None:
    """A bucket is made with the grants that its maker asks for, and made again with others."""
    joe, anybody = server.client(), server.client(None)
    joe.create_bucket(Bucket=bucket, ACL="public-read")
    assert anybody.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    joe.create_bucket(Bucket=bucket)
    assert anybody.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    joe.create_bucket(Bucket=bucket, ACL="private")
    assert _refused(anybody.list_objects_v2, Bucket=bucket) == (403, "AccessDenied")


def test_acl_documents(server: Server, bucket: str) -> None:
    """Grants are told and taken as XML; who may read or write them is granted, too."""
    joe, eve = server.client(), server.client("eve")
    joe.put_object(Bucket=bucket, Key="key", Body=b"1")
    names = {"Bucket": bucket, "Key": "key"}
    assert _refused(eve.get_object_acl, **names) == (403, "AccessDenied")
    joe.put_object_acl(
        **names, GrantReadACP='id="eve"', GrantWriteACP="id=eve", GrantRead=f'uri="{ALL_USERS}"'
    )
    found = eve.get_object_acl(**names)
    assert found["Owner"]["ID"] == "joe"
    told = [
        (each["Grantee"].get("ID") or each["Grantee"]["URI"], each["Permission"])
        for each in found["Grants"]
    ]
    assert told == [
        ("joe", "FULL_CONTROL"),
        (ALL_USERS, "READ"),
        ("eve", "READ_ACP"),
        ("eve", "WRITE_ACP"),
    ]
    policy = {"Owner": found["Owner"], "Grants": found["Grants"][:1] + found["Grants"][2:]}
    eve.put_object_acl(**names, AccessControlPolicy=policy)
    assert len(eve.get_object_acl(**names)["Grants"]) == 3
    assert _refused(server.client(None).get_object, **names) == (403, "AccessDenied")
    joe.put_object_acl(**names, ACL="aws-exec-read")
    policy = joe.get_object_acl(**names)
    del policy["ResponseMetadata"]
    joe.put_object_acl(**names, AccessControlPolicy=policy)
    assert joe.get_object_acl(**names)["Grants"] == policy["Grants"]
    joe.put_bucket_acl(Bucket=bucket, AccessControlPolicy=policy)
    assert joe.get_bucket_acl(Bucket=bucket)["Grants"] == policy["Grants"]
    missing = {**names, "Key": "nothing", "ACL": "private"}
    assert _refused(joe.put_object_acl, **missing) == (404, "NoSuchKey")
    assert _refused(eve.put_object_acl, **missing) == (403, "AccessDenied")


def test_acl_refusals(server: Server, bucket: str) -> None:
    """Grants that can't be are refused with S3's code, and change nothing."""
    joe = server.client()
    url = joe.generate_presigned_url("put_bucket_acl", Params={"Bucket": bucket}, HttpMethod="PUT")

    def put(body: str) -> tuple[int, str]:
        return server.code("PUT", url, body.encode())

    def policy(grantee: str, owner: str = "joe", permission: str = "READ") -> str:
        xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        return (
            f"<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList><Grant>"
            f"<Grantee {xsi} {grantee}</Grantee><Permission>{permission}</Permission>"
            "</Grant></AccessControlList></AccessControlPolicy>"
        )

    eve = 'xsi:type="CanonicalUser"><ID>eve</ID>'
    malformed = (400, "MalformedACLError")
    assert put("") == (400, "MissingSecurityHeader")
    assert put("<AccessControlPolicy>") == malformed
    assert put("<!DOCTYPE x><AccessControlPolicy/>") == malformed
    assert put("<Delete/>") == malformed
    assert put(policy("><ID>eve</ID>")) == malformed
    assert put(policy('xsi:type="Person"><ID>eve</ID>')) == malformed
    assert put(policy(eve, permission="ALL")) == malformed
    assert put(policy(eve, "eve")) == (403, "AccessDenied")
    assert put(policy('xsi:type="CanonicalUser"><ID>nobody</ID>')) == (400, "InvalidArgument")
    assert put(policy('xsi:type="Group"><URI>http://x</URI>')) == (400, "InvalidArgument")
    email = 'xsi:type="AmazonCustomerByEmail"><EmailAddress>a@b</EmailAddress>'
    assert put(policy(email)) == (400, "UnresolvableGrantByEmailAddress")
    assert put("<" + "x" * 2**17) == (400, "MaxMessageLengthExceeded")
    for expected, arguments in (
        ((400, "InvalidArgument"), {"ACL": "public"}),
        ((501, "NotImplemented"), {"ACL": "log-delivery-write"}),
        ((400, "InvalidRequest"), {"ACL": "private", "GrantRead": "id=eve"}),
        ((400, "InvalidArgument"), {"GrantRead": "id=nobody"}),
    ):
        assert _refused(joe.put_bucket_acl, Bucket=bucket, **arguments) == expected
    assert len(joe.get_bucket_acl(Bucket=bucket)["Grants"]) == 1
    with_acl = {"Bucket": bucket, "ACL": "private"}
    other = joe.generate_presigned_url("put_bucket_acl", Params=with_acl)
    both = server.code("PUT", other, policy(eve).encode(), x_amz_acl="private")
    assert both == (400, "UnexpectedContent")
    assert put(policy(eve)) == (200, "")


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
def test_forms(server: Server, bucket: str, version: str, size: int) -> None:
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


def test_form_answers(server: Server, bucket: str) -> None:
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


def test_form_refusals(server: Server, bucket: str) -> None:
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


def test_form_for_anybody(server: Server, bucket: str) -> None:
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


def test_cors(server: Server, bucket: str) -> None:
    """Rules are kept as they were given; browsers are told what they allow, and nothing else."""
    joe = server.client()
    page = "http://page.test"
    asks = {"origin": page, "access_control_request_method": "PUT"}
    assert _refused(joe.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
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
        assert _refused(call, Bucket=bucket) == (403, "AccessDenied")
    joe.delete_bucket_cors(Bucket=bucket)
    joe.delete_bucket_cors(Bucket=bucket)
    assert _refused(joe.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")


def test_cors_refusals(server: Server, bucket: str) -> None:
    """Rules that can't be are refused with S3's code."""
    joe = server.client()
    nothing = {"CORSRules": []}
    refused = _refused(joe.put_bucket_cors, Bucket=bucket, CORSConfiguration=nothing)
    assert refused == (400, "MalformedXML")
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
        assert _refused(joe.put_bucket_cors, Bucket=bucket, CORSConfiguration=rules) == expected


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
def test_hosts(server: Server, bucket: str, names: None, version: str) -> None:
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
    fresh = f"{bucket}-fresh"
    client.create_bucket(Bucket=fresh)
    client.delete_bucket(Bucket=fresh)


def test_boto_hosts(server: Server, bucket: str, names: None) -> None:
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


# What browsers and other clients see of refusals.


def test_head(server: Server, bucket: str) -> None:
    """A refusal of HEAD has a status and no body; the connection goes on."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for _ in range(2):
        connection.request("HEAD", f"/{bucket}/key")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (403, b"")
        assert answer.headers["x-amz-request-id"]
    connection.close()


def test_unsigned_stream(server: Server, bucket: str, tmp_path: Path) -> None:
    """What anybody may store is stored as it is, however the client codes it on its way."""
    server.client().put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    content = os.urandom(300_000)
    path = tmp_path / "content"
    path.write_bytes(content)
    with path.open("rb") as file:
        server.client(None).put_object(Bucket=bucket, Key="key", Body=file)
    found = server.client().get_object(Bucket=bucket, Key="key")
    assert found["Body"].read() == content
    assert "aws-chunked" not in found.get("ContentEncoding", "")
    assert json.dumps(found["Metadata"]) == "{}"
