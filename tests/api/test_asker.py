"""Who asks, directly or through a proxy."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.web.test.requesthelper import DummyRequest

from nova_tx.api.web import asker
from nova_tx.db.engine import Database
from nova_tx.testing.ec2 import Door


@pytest.mark.parametrize(
    ("told", "forwarded", "found"),
    [
        ([], False, "192.0.2.1"),
        ([], True, "192.0.2.1"),
        (["10.0.0.3"], False, "192.0.2.1"),
        (["10.0.0.3"], True, "10.0.0.3"),
        # what a client makes up comes before what the proxy adds
        (["10.0.0.9, 10.0.0.3"], True, "10.0.0.3"),
        (["10.0.0.9", "10.0.0.3"], True, "10.0.0.3"),
    ],
)
def test_asker(told: list[str], forwarded: bool, found: str) -> None:
    """It is who is at the other end, or whom the proxy there says."""
    request = DummyRequest([b""])
    request.client = IPv4Address("TCP", "192.0.2.1", 1)
    request.requestHeaders.setRawHeaders("x-forwarded-for", told)
    assert asker(request, forwarded) == found  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flag", "status"), [("--use_forwarded_for", 200), ("--nouse_forwarded_for", 403)]
)
def test_metadata_tokens(database: Database, flag: str, status: int) -> None:
    """A token is got through a proxy if use_forwarded_for trusts it, and else not."""
    door = Door(database, flag)
    headers = {"X-aws-ec2-metadata-token-ttl-seconds": "60", "X-Forwarded-For": "10.0.0.3"}
    url = "http://169.254.169.254/latest/api/token"
    answered = door.send("PUT", url, headers, root=door.metadata_site.resource)
    assert answered.status == status, answered.body
    if status == 200:
        asking = {"X-aws-ec2-metadata-token": answered.body.decode()}
        for address, status in (("10.0.0.3", 200), ("10.0.0.4", 401)):
            asking["X-Forwarded-For"] = f"10.9.9.9, {address}"
            versions = door.send(
                "GET", "http://169.254.169.254/", asking, root=door.metadata_site.resource
            )
            assert versions.status == status
