"""Who may do what at a running objectstore: links and grants."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boto.s3.connection import OrdinaryCallingFormat, S3Connection

from nova_tx.testing.s3_clients import Clients, bucket_for, refused, serving

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
VERSIONS = ["s3", "s3v4"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    with serving(tmp_path_factory.mktemp("access")) as found:
        yield found


@pytest.fixture
def bucket(server: Clients, request: pytest.FixtureRequest) -> str:
    """A new bucket of joe's."""
    return bucket_for(server, request.node.name)


# Links.


@pytest.mark.parametrize("version", VERSIONS)
def test_links(server: Clients, bucket: str, version: str) -> None:
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
def test_links_with_headers(server: Clients, bucket: str, version: str) -> None:
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


def test_old_links(server: Clients, bucket: str) -> None:
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


def test_boto_link(server: Clients, bucket: str) -> None:
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


def test_skew(server: Clients) -> None:
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


def test_canned(server: Clients, bucket: str) -> None:
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
                denied = refused(client.get_object, Bucket=bucket, Key=name)
                assert denied == (403, "AccessDenied")
            # to write over it needs WRITE on the bucket, whatever is granted on the object
            if client is not joe:
                denied = refused(client.put_object, Bucket=bucket, Key=name, Body=b"2")
                assert denied == (403, "AccessDenied")


def test_buckets(server: Clients, bucket: str) -> None:
    """READ on a bucket lets others list it, WRITE put and remove; nothing lets them remove it."""
    joe, eve, anybody = (server.client(user) for user in ("joe", "eve", None))
    joe.put_object(Bucket=bucket, Key="key", Body=b"1")
    denied, hidden = (403, "AccessDenied"), (403, "403")
    for client in (eve, anybody):
        assert refused(client.list_objects_v2, Bucket=bucket) == denied
        assert refused(client.head_bucket, Bucket=bucket) == hidden
        # who may not list is not told what is not there
        assert refused(client.get_object, Bucket=bucket, Key="nothing") == denied
        assert refused(client.head_object, Bucket=bucket, Key="nothing") == hidden
        assert refused(client.get_object, Bucket=f"{bucket}-none", Key="key")[1] == "NoSuchBucket"
    joe.put_bucket_acl(Bucket=bucket, ACL="public-read")
    for client in (eve, anybody):
        assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
        client.head_bucket(Bucket=bucket)
        assert refused(client.get_object, Bucket=bucket, Key="nothing") == (404, "NoSuchKey")
        assert refused(client.get_object, Bucket=bucket, Key="key") == denied
        assert refused(client.delete_object, Bucket=bucket, Key="key") == denied
    joe.put_bucket_acl(Bucket=bucket, GrantWrite='id="eve"')
    assert refused(eve.list_objects_v2, Bucket=bucket) == denied
    eve.put_object(Bucket=bucket, Key="hers", Body=b"2")
    assert refused(joe.get_object, Bucket=bucket, Key="hers") == denied  # it is eve's
    eve.put_object(Bucket=bucket, Key="hers", Body=b"3", ACL="bucket-owner-read")
    assert joe.get_object(Bucket=bucket, Key="hers")["Body"].read() == b"3"
    assert refused(anybody.put_object, Bucket=bucket, Key="x", Body=b"") == denied
    for call in (eve.delete_bucket, eve.get_bucket_location, eve.get_bucket_acl):
        assert refused(call, Bucket=bucket) == denied
    joe.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    anybody.put_object(Bucket=bucket, Key="x", Body=b"4")
    assert joe.get_object(Bucket=bucket, Key="x")["Body"].read() == b"4"  # nobody's is joe's
    anybody.put_object(Bucket=bucket, Key="x", Body=b"5", Tagging="a=b")
    joe.copy_object(Bucket=bucket, Key="y", CopySource=f"{bucket}/x")
    assert joe.get_object_tagging(Bucket=bucket, Key="y")["TagSet"] == [{"Key": "a", "Value": "b"}]
    anybody.delete_object(Bucket=bucket, Key="x")
    joe.delete_object(Bucket=bucket, Key="hers")
    assert refused(anybody.list_buckets) == denied
    assert refused(anybody.create_bucket, Bucket="anybodys") == denied
    assert server.client("admin").get_object(Bucket=bucket, Key="key")["Body"].read() == b"1"


def test_made_with_grants(server: Clients, bucket: str) -> None:
    """A bucket is made with the grants that its maker asks for, and made again with others."""
    joe, anybody = server.client(), server.client(None)
    joe.create_bucket(Bucket=bucket, ACL="public-read")
    assert anybody.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    joe.create_bucket(Bucket=bucket)
    assert anybody.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    joe.create_bucket(Bucket=bucket, ACL="private")
    assert refused(anybody.list_objects_v2, Bucket=bucket) == (403, "AccessDenied")


def test_acl_documents(server: Clients, bucket: str) -> None:
    """Grants are told and taken as XML; who may read or write them is granted, too."""
    joe, eve = server.client(), server.client("eve")
    joe.put_object(Bucket=bucket, Key="key", Body=b"1")
    names = {"Bucket": bucket, "Key": "key"}
    assert refused(eve.get_object_acl, **names) == (403, "AccessDenied")
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
    assert refused(server.client(None).get_object, **names) == (403, "AccessDenied")
    joe.put_object_acl(**names, ACL="aws-exec-read")
    policy = joe.get_object_acl(**names)
    del policy["ResponseMetadata"]
    joe.put_object_acl(**names, AccessControlPolicy=policy)
    assert joe.get_object_acl(**names)["Grants"] == policy["Grants"]
    joe.put_bucket_acl(Bucket=bucket, AccessControlPolicy=policy)
    assert joe.get_bucket_acl(Bucket=bucket)["Grants"] == policy["Grants"]
    missing = {**names, "Key": "nothing", "ACL": "private"}
    assert refused(joe.put_object_acl, **missing) == (404, "NoSuchKey")
    assert refused(eve.put_object_acl, **missing) == (403, "AccessDenied")


def test_acl_refusals(server: Clients, bucket: str) -> None:
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
        assert refused(joe.put_bucket_acl, Bucket=bucket, **arguments) == expected
    assert len(joe.get_bucket_acl(Bucket=bucket)["Grants"]) == 1
    with_acl = {"Bucket": bucket, "ACL": "private"}
    other = joe.generate_presigned_url("put_bucket_acl", Params=with_acl)
    both = server.code("PUT", other, policy(eve).encode(), x_amz_acl="private")
    assert both == (400, "UnexpectedContent")
    assert put(policy(eve)) == (200, "")


# What else is seen of it.


def test_head(server: Clients, bucket: str) -> None:
    """A refusal of HEAD has a status and no body; the connection goes on."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for _ in range(2):
        connection.request("HEAD", f"/{bucket}/key")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (403, b"")
        assert answer.headers["x-amz-request-id"]
    connection.close()


def test_unsigned_stream(server: Clients, bucket: str, tmp_path: Path) -> None:
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
    assert found["Metadata"] == {}
