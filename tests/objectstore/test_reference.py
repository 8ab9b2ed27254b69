"""docs/s3.md says which of S3's calls there are, and botocore which there can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from twisted.web.http_headers import Headers

from nova_tx.auth.interfaces import IUsers
from nova_tx.objectstore import reference
from nova_tx.objectstore.action import Actions
from nova_tx.objectstore.calls import read_call
from nova_tx.objectstore.faults import NotImplementedHere
from nova_tx.objectstore.interfaces import IStore

PAGE = Path(__file__).parents[2] / "docs" / "s3.md"
#: Calls that go to other hosts than S3's.
ELSEWHERE = ("ListDirectoryBuckets", "WriteGetObjectResponse")


def test_the_page_is_current() -> None:
    """docs/s3.md is what C{python -m nova_tx.objectstore.reference} writes."""
    assert PAGE.read_text(encoding="utf-8") == reference.page()


@pytest.fixture(scope="module")
def model() -> Any:
    """What botocore knows of S3."""
    # a session of its own: calls of others change what theirs knows
    client: Any = boto3.session.Session().client(
        "s3", region_name="x", aws_access_key_id="x", aws_secret_access_key="x"
    )
    return client.meta.service_model


def test_each_call(model: Any) -> None:
    """A call of S3's is done by the class of its name, or is not implemented; none is done as
    another."""
    actions = Actions(cast(IStore, None), cast(IUsers, None))
    called = {other: name for name, others in reference.ALSO.items() for other in others}
    for name in set(model.operation_names) - set(ELSEWHERE):
        operation = model.operation_model(name)
        uri = operation.http["requestUri"].replace("{Bucket}", "bucket").replace("{Key+}", "key")
        headers = Headers()
        shape = operation.input_shape
        for member in shape.required_members if shape else ():
            said = shape.members[member].serialization
            if said.get("location") == "querystring":
                uri += f"{'&' if '?' in uri else '?'}{said['name']}=1"
            elif said.get("location") == "header":
                headers.addRawHeader(said["name"], "bucket/key")
        call = read_call(operation.http["method"].encode(), uri.encode(), headers)
        if name in reference.ABSENT:
            with pytest.raises(NotImplementedHere):
                actions.find(call)
        else:
            assert type(actions.find(call)).__name__ == called.get(name, name)
