"""Who comes through the EC2 door, and who does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nova_tx.auth.signatures import v2_signature
from nova_tx.model.users import User
from nova_tx.testing.ec2 import HOST, PATH, URL, Answered, Door, inline

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def signed(door: Door, user: User, host: str = HOST, path: str = PATH, **changes: str) -> str:
    """A version 2 query; changes are made before signing, None takes a parameter away."""
    moment = datetime.fromtimestamp(door.clock.seconds(), UTC)
    given = {
        "AWSAccessKeyId": user.access_key,
        "Action": "DescribeRegions",
        "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2",
        "Timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Version": "2009-11-30",
        **changes,
    }
    given = {name: value for name, value in given.items() if value is not None}
    method = given.get("SignatureMethod", "HmacSHA256")
    if method in ("HmacSHA1", "HmacSHA256"):
        given["Signature"] = v2_signature(user.secret_key, method, "GET", host, path, given)
    else:
        given["Signature"] = "none"
    return urlencode(given)


def v4(
    user: User,
    method: str = "POST",
    region: str = "us-east-1",
    body: str = "",
    service: str = "ec2",
) -> AWSRequest:
    """A request signed by botocore in a header."""
    body = body or "Action=DescribeRegions&Version=2016-11-15"
    request = AWSRequest(method, URL, data=body, headers=FORM)
    SigV4Auth(Credentials(user.access_key, user.secret_key), service, region).add_auth(request)
    return request


def sent(door: Door, request: AWSRequest, body: str | None = None) -> Answered:
    """What the door says to it."""
    data = (request.data if body is None else body).encode()
    return door.send(request.method, request.url, dict(request.headers.items()), data)


@pytest.mark.parametrize("algorithm", ["HmacSHA1", "HmacSHA256"])
@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
@pytest.mark.parametrize("path", [PATH, PATH + "/"])
def test_v2(door: Door, joe: User, algorithm: str, host: str, path: str) -> None:
    """Version 2 works with both digests, with the port signed or not, with a slash or not."""
    query = signed(door, joe, host, path, SignatureMethod=algorithm)
    answer = door.send("GET", f"http://{HOST}{path}?{query}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/xml"


def test_v2_with_aws_authorization_header(door: Door, joe: User) -> None:
    """boto 1.9's header beside the parameters is ignored."""
    query = signed(door, joe)
    assert door.send("GET", f"{URL}?{query}", {"Authorization": "AWS joe:xyz"}).status == 200


def test_v2_split_over_query_and_form(door: Door, joe: User) -> None:
    """Query and form are merged."""
    given = door.ask(joe, "DescribeRegions", method="POST")
    assert given.status == 200


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"AWSAccessKeyId": "nobody"}, 403, "AuthFailure"),
        ({"AWSAccessKeyId": "joe:nowhere"}, 403, "AuthFailure"),
        ({"AWSAccessKeyId": "joe:eve"}, 403, "AuthFailure"),
        ({"SignatureMethod": "HmacMD5"}, 403, "AuthFailure"),
        ({"SignatureVersion": "1"}, 400, "InvalidParameterValue"),
        ({"SignatureVersion": None}, 400, "MissingParameter"),
        ({"SignatureMethod": None}, 400, "MissingParameter"),
        ({"AWSAccessKeyId": None}, 400, "MissingParameter"),
        ({"Timestamp": None}, 400, "MissingParameter"),
        ({"Action": None}, 400, "MissingParameter"),
        ({"Version": None}, 400, "MissingParameter"),
        ({"Version": '"/><x>'}, 400, "InvalidParameterValue"),
        ({"Timestamp": "yesterday"}, 400, "InvalidParameterValue"),
        ({"Timestamp": "2011-02-31T00:00:00Z"}, 400, "InvalidParameterValue"),
        ({"Timestamp": "2001-01-01T00:00:00Z"}, 400, "RequestExpired"),
        ({"Timestamp": "2199-01-01T00:00:00"}, 400, "RequestExpired"),
        ({"Expires": "2199-01-01T00:00:00Z"}, 400, "InvalidParameterCombination"),
        ({"Expires": "2001-01-01T00:00:00Z", "Timestamp": None}, 400, "RequestExpired"),
        ({"Expires": "2199-01-01T00:00:00Z", "Timestamp": None}, 400, "RequestExpired"),
        ({"Timestamp": "0001-01-01T00:00:00Z"}, 400, "InvalidParameterValue"),
        ({"Timestamp": "9999-12-31T23:59:59Z"}, 400, "InvalidParameterValue"),
        ({"Expires": "0001-01-01T00:00:00Z", "Timestamp": None}, 400, "InvalidParameterValue"),
    ],
)
def test_v2_refused(
    door: Door, joe: User, eve: User, change: dict[str, str], status: int, code: str
) -> None:
    """What is wrong with a version 2 request has its AWS code, in XML."""
    answer = door.send("GET", f"{URL}?{signed(door, joe, **change)}")
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["content-type"] == "text/xml"
    assert answer.xml.findtext("RequestID")


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.123Z"])
def test_timestamp_forms(door: Door, joe: User, form: str) -> None:
    """A time without zone is UTC, as boto 1.9 means it; fractions are allowed."""
    now = datetime.fromtimestamp(door.clock.seconds(), UTC)
    assert (
        door.send("GET", f"{URL}?{signed(door, joe, Timestamp=now.strftime(form))}").status == 200
    )
    there = now.astimezone(tz=None) + timedelta(hours=2)
    text = there.strftime("%Y-%m-%dT%H:%M:%S+02:00")
    assert door.send("GET", f"{URL}?{signed(door, joe, Timestamp=text)}").status == 200


def test_window(door: Door, joe: User) -> None:
    """A request is good for as long as the flag says, and no longer.  [A1]"""
    query = signed(door, joe)
    door.clock.advance(899)
    assert door.send("GET", f"{URL}?{query}").status == 200
    door.clock.advance(3)
    assert door.send("GET", f"{URL}?{query}").code == "RequestExpired"


def test_expires(door: Door, joe: User) -> None:
    """Expires is honoured."""
    ends = datetime.fromtimestamp(door.clock.seconds() + 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    query = signed(door, joe, Expires=ends, Timestamp=None)
    assert door.send("GET", f"{URL}?{query}").status == 200
    door.clock.advance(62)
    assert door.send("GET", f"{URL}?{query}").code == "RequestExpired"


def test_wrong_secret(door: Door, joe: User) -> None:
    """A signature by another secret is refused, and the answer has no secret in it."""
    impostor = User("joe", "joe", "guessed", False)
    for answer in (
        door.send("GET", f"{URL}?{signed(door, impostor)}"),
        sent(door, v4(impostor)),
    ):
        assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
        assert joe.secret_key.encode() not in answer.body


def test_changed_after_signing(door: Door, joe: User) -> None:
    """Every parameter is under the signature."""
    query = signed(door, joe, Action="DescribeImages")
    changed = query.replace("DescribeImages", "DescribeRegions")
    assert door.send("GET", f"{URL}?{changed}").code == "SignatureDoesNotMatch"
    assert door.send("GET", f"{URL}?{query}&Extra=1").code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("region", "service"), [("us-east-1", "ec2"), ("nova", "ec2"), ("0", "127"), ("", "ec2")]
)
def test_v4(door: Door, joe: User, region: str, service: str) -> None:
    """Version 4 works whatever region and service, in the header, within the window."""
    request = v4(joe, region=region, service=service)
    assert sent(door, request).status == 200
    door.clock.advance(902)
    assert sent(door, request).code == "RequestExpired"


def test_v4_body_is_signed(door: Door, joe: User) -> None:
    """A body that was changed is refused."""
    answer = sent(door, v4(joe), body="Action=DescribeImages&Version=2016-11-15")
    assert answer.code == "SignatureDoesNotMatch"


def test_v4_query(door: Door, joe: User) -> None:
    """A version 4 URL works as long as it says, and not after."""
    request = AWSRequest("GET", URL, params={"Action": "DescribeRegions", "Version": "2016-11-15"})
    credentials = Credentials(joe.access_key, joe.secret_key)
    SigV4QueryAuth(credentials, "ec2", "nova", expires=60).add_auth(request)
    assert door.send("GET", request.url).status == 200
    assert door.send("GET", request.url + "&Filter=x").code == "SignatureDoesNotMatch"
    forever = request.url.replace("X-Amz-Expires=60", "X-Amz-Expires=9999999")
    assert door.send("GET", forever).code == "InvalidParameterValue"
    door.clock.advance(62)
    assert door.send("GET", request.url).code == "RequestExpired"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("X-Amz-Date", "now", "AuthFailure"),
        ("X-Amz-Date", "20010101T000000Z", "AuthFailure"),
        ("X-Amz-Date", "00010101T000000Z", "AuthFailure"),
        ("X-Amz-Date", "20010231T000000Z", "AuthFailure"),
        ("X-Amz-Date", "2001-01-01T00:00Z", "AuthFailure"),
        ("Authorization", "AWS4-HMAC-SHA256 nonsense", "AuthFailure"),
        ("Authorization", "Bearer token", "AuthFailure"),
    ],
)
def test_v4_refused(door: Door, joe: User, name: str, value: str, code: str) -> None:
    """A version 4 request with parts that make no sense is an AuthFailure."""
    request = v4(joe)
    request.headers.replace_header(name, value)
    answer = sent(door, request)
    assert (answer.status, answer.code) == (403, code)


def test_unsigned(door: Door) -> None:
    """Without a signature there is nothing to be had."""
    answer = door.send("GET", f"{URL}?Action=DescribeRegions&Version=2009-11-30")
    assert (answer.status, answer.code) == (403, "AuthFailure")
    assert door.send("POST", URL, FORM, b"").code == "AuthFailure"


@pytest.mark.parametrize("body", [b"Action=%ff", b"a=%C3%28&b"])
def test_not_utf8(door: Door, body: bytes) -> None:
    """Parameters that are not UTF-8 are refused, not a failure of ours."""
    answer = door.send("POST", URL, FORM, body)
    assert (answer.status, answer.code) == (400, "InvalidParameterValue")


def test_project_in_the_key(door: Door, joe: User, eve: User, admin: User) -> None:
    """key:project works for members and administrators."""
    assert door.ask(joe, "DescribeInstances", project="eve").code == "AuthFailure"
    inline(door.users.add_member("joe", "eve"))
    assert door.ask(joe, "DescribeInstances", project="eve").status == 200
    assert door.ask(admin, "DescribeInstances", project="eve").status == 200


def test_roles(door: Door, joe: User) -> None:
    """A member without a role may look; sysadmins of the project and its manager may run."""
    for name, roles, status in (("dev", (), 403), ("sys", ("sysadmin",), 200)):
        user = door.add_user(name, roles=roles)
        inline(door.users.add_member(name, "joe"))
        inline(door.users.add_role(name, "developer", "joe"))
        for role in roles:
            inline(door.users.add_role(name, role, "joe"))
        assert door.ask(user, "DescribeInstances", project="joe").status == 200
        run = door.ask(user, "RunInstances", {"ImageId": "ami-tiny"}, project="joe")
        assert run.status == status
        if status == 403:
            assert run.code == "UnauthorizedOperation"
    assert door.ask(joe, "RunInstances", {"ImageId": "ami-tiny"}).status == 200
