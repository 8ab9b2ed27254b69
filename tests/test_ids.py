"""Identifiers as clients see them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from nova_tx import ids
from nova_tx.errors import MalformedImageId, MalformedInstanceId


@pytest.mark.parametrize(
    ("number", "text"), [(1, "i-00000001"), (10, "i-0000000a"), (0x7FFFFFFF, "i-7fffffff")]
)
def test_instance(number: int, text: str) -> None:
    """An instance's id is its number in eight hexadecimal digits, and back."""
    assert ids.instance_ec2_id(number) == text
    assert ids.parse_instance_id(text) == number


@pytest.mark.parametrize(("text", "number"), [("i-a", 10), ("i-0000000A", 10)])
def test_lenient(text: str, number: int) -> None:
    """Fewer digits and capitals are understood."""
    assert ids.parse_instance_id(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "i-",
        "i-xyz",
        "i-000000001",
        "i-ffffffff",
        "i-80000000",
        "i--1",
        "i-1\n",
        "I-1",
        "ami-00000001",
        " i-1",
        "i-0x1",
        "i-\u0661",
    ],
)
def test_no_instance(text: str) -> None:
    """Anything else is malformed, also what no database number can be."""
    with pytest.raises(MalformedInstanceId, match="Invalid id"):
        ids.parse_instance_id(text)


def test_volume() -> None:
    """A volume's id is its number in eight hexadecimal digits."""
    assert ids.volume_ec2_id(11) == "vol-0000000b"


@pytest.mark.parametrize(
    "text", ["ami-12345678", "aki-a", "ari-a", "ami-ubuntu-lucid", "emi-a.b_c"]
)
def test_image(text: str) -> None:
    """Three letters, a dash and any name are an image's id."""
    assert ids.check_image_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ami-",
        "ami",
        "am-1",
        "amix-1",
        "AMI-1",
        "ami-a/b",
        "ami-..\x00",
        "ami-a b",
        "../ami-a",
        "ami-a\n",
        "ami-" + "a" * 65,
    ],
)
def test_no_image(text: str) -> None:
    """What is not of that form, or no safe name of a file, is malformed."""
    with pytest.raises(MalformedImageId, match="Invalid id"):
        ids.check_image_id(text)


@pytest.mark.parametrize(
    ("make", "form"),
    [
        (ids.new_reservation_id, r"r-[0-9a-z]{8}"),
        (ids.new_image_id, r"ami-[0-9a-z]{8}"),
        (ids.new_request_id, r"[A-Z0-9-]{20}"),
        (ids.new_mac, r"02:16:3e:[0-7][0-9a-f](:[0-9a-f]{2}){2}"),
    ],
)
def test_random(make: Callable[[], str], form: str) -> None:
    """Random identifiers have their form, and hardly ever come twice."""
    made = [make() for _ in range(200)]
    assert all(re.fullmatch(form, each) for each in made)
    assert len(set(made)) > 195


def test_new_image_is_valid() -> None:
    """A new image's id is one that is accepted."""
    assert ids.check_image_id(ids.new_image_id())
