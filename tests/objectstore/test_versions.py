"""The one version of an object, and those that there are not."""

from __future__ import annotations

import base64

import pytest

from nova_tx.testing.asking import Asker, md5_of

TAGS = b"<Tagging><TagSet/></Tagging>"
#: Requests about an object, with the words of the query before; none changes it.
ABOUT = [
    ("GET", "", None, {}),
    ("HEAD", "", None, {}),
    ("GET", "tagging&", None, {}),
    ("PUT", "tagging&", TAGS, {}),
    ("DELETE", "tagging&", None, {}),
    ("GET", "acl&", None, {}),
    ("PUT", "acl&", b"", {"x_amz_acl": "private"}),
    ("GET", "attributes&", None, {"x_amz_object_attributes": "ETag"}),
]


def digest(body: bytes) -> str:
    """Content-MD5 of a body."""
    return base64.b64encode(bytes.fromhex(md5_of(body))).decode()


@pytest.mark.parametrize(("method", "query", "body", "headers"), ABOUT)
async def test_named(
    door: Asker, method: str, query: str, body: bytes | None, headers: dict[str, str]
) -> None:
    """Version null of an object is the object; any other is no version, and nothing is done."""
    await door.ask("PUT", "/bucket/key", b"1")
    plain = await door.ask(method, f"/bucket/key?{query}", body, **headers)
    named = await door.ask(method, f"/bucket/key?{query}versionId=null", body, **headers)
    assert plain.status < 300
    assert (named.status, named.body) == (plain.status, plain.body)
    for version in ("", "7", "NULL", "3sL4kqtJlcpXroDTDmJrmSpXd3dIbrHY"):
        wrong = await door.ask(method, f"/bucket/key?{query}versionId={version}", body, **headers)
        assert wrong.status == 400
        if method != "HEAD":
            told = wrong.members
            assert (told["Code"], told["ArgumentName"]) == ("InvalidArgument", "versionId")
            assert told.get("ArgumentValue", "") == version


async def test_removed(door: Asker) -> None:
    """Version null is removed as the object is; another one's removal leaves it."""
    await door.ask("PUT", "/bucket/key", b"1")
    assert (await door.ask("DELETE", "/bucket/key?versionId=7")).code == (400, "InvalidArgument")
    assert (await door.ask("GET", "/bucket/key")).body == b"1"
    assert (await door.ask("DELETE", "/bucket/key?versionId=null")).status == 204
    assert (await door.ask("GET", "/bucket/key?versionId=null")).code == (404, "NoSuchKey")


async def test_removed_among_others(door: Asker) -> None:
    """Of many, version null is removed, and another is said to be none."""
    for key in "ab":
        await door.ask("PUT", f"/bucket/{key}", b"1")
    objects = "".join(
        f"<Object><Key>{key}</Key><VersionId>{version}</VersionId></Object>"
        for key, version in (("a", "null"), ("b", "7"))
    )
    body = f"<Delete>{objects}</Delete>".encode()
    told = await door.ask("POST", "/bucket?delete", body, content_md5=digest(body))
    assert told.texts("Deleted/Key") == ["a"]
    assert (told.texts("Error/Key"), told.texts("Error/Code")) == (["b"], ["InvalidArgument"])
    assert (await door.ask("GET", "/bucket/b")).body == b"1"


async def test_copied(door: Asker) -> None:
    """Version null is copied as the object is; there is no other to copy."""
    await door.ask("PUT", "/bucket/key", b"1")
    source = "bucket/key?versionId="
    for version in ("", "7"):
        told = await door.ask("PUT", "/bucket/copy", b"", x_amz_copy_source=source + version)
        assert told.code == (400, "InvalidArgument")
    told = await door.ask("PUT", "/bucket/copy", b"", x_amz_copy_source=f"{source}null")
    assert told.status == 200
    assert (await door.ask("GET", "/bucket/copy")).body == b"1"


async def test_preflight(door: Asker) -> None:
    """What a browser asks first is not about a version: the request that it is for will be told."""
    rule = "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>"
    body = f"<CORSConfiguration>{rule}</CORSConfiguration>".encode()
    assert (await door.ask("PUT", "/bucket?cors", body, content_md5=digest(body))).status == 200
    asked = {"origin": "https://a.example", "access_control_request_method": "GET"}
    assert (await door.ask("OPTIONS", "/bucket/key?versionId=7", **asked)).status == 200
