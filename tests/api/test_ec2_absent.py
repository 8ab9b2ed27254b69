"""Actions on what this cloud does not have: well-formed, and empty."""

from __future__ import annotations

import pytest
from botocore import xform_name  # type: ignore[import-untyped]

from nova_tx.api.ec2.actions.absent import ABSENT
from nova_tx.model.users import User
from nova_tx.testing.ec2 import Door

NAMED = [(action, name) for action, absent in ABSENT.items() for name in absent.named]


def test_none(door: Door, joe: User) -> None:
    """botocore finds an empty list in each answer, whatever is filtered by."""
    client = door.client(joe)
    for action in ABSENT:
        ask = getattr(client, xform_name(action))
        wire = "Filter" if action == "DescribeNatGateways" else "Filters"
        given = {wire: [{"Name": "state", "Values": ["available", "*"]}]}
        for answer in (ask(), ask(**given)):
            answer.pop("ResponseMetadata")
            assert list(answer.values()) == [[]]


@pytest.mark.parametrize(("action", "name"), NAMED)
def test_none_of_that_name(door: Door, joe: User, action: str, name: str) -> None:
    """Who names one is told with AWS's code that it is not there."""
    answer = door.ask(joe, action, {f"{name}.1": "x-0123"})
    assert (answer.status, answer.code) == (400, ABSENT[action].named[name])
    assert "x-0123" in (answer.xml.findtext(".//Message") or "")


@pytest.mark.parametrize(
    ("action", "parameters", "code"),
    [
        ("DescribeVpcs", {"MaxResults": "1"}, "InvalidParameterValue"),
        ("DescribeVpcs", {"NextToken": "x"}, "InvalidNextToken"),
        ("DescribeVpcs", {"Colour": "red"}, "UnknownParameter"),
        ("DescribeVpcs", {"Filter.1.Name": "state"}, "MissingParameter"),
        ("DescribeVpcs", {"DryRun": "true"}, "DryRunOperation"),
        ("DescribeVpcs", {"VpcId.1": "vpc-1"}, "InvalidVpcID.NotFound"),
        ("DescribeSubnets", {"SubnetId.1": "subnet-1"}, "InvalidSubnetID.NotFound"),
        (
            "DescribeNetworkInterfaces",
            {"NetworkInterfaceId.1": "eni-1"},
            "InvalidNetworkInterfaceID.NotFound",
        ),
        ("DescribeNetworkAcls", {"NetworkAclId.1": "acl-1"}, "InvalidNetworkAclID.NotFound"),
        ("DescribeBundleTasks", {"MaxResults": "5"}, "UnknownParameter"),
        ("DescribeVpcAttribute", {"VpcId": "vpc-1"}, "MissingParameter"),
        (
            "DescribeVpcAttribute",
            {"VpcId": "vpc-1", "Attribute": "enableDnsSupport"},
            "InvalidVpcID.NotFound",
        ),
        (
            "DescribeVpcAttribute",
            {"VpcId": "vpc-1", "Attribute": "colour"},
            "InvalidParameterValue",
        ),
        (
            "DescribeInstanceCreditSpecifications",
            {"InstanceId.1": "i-0fffffff"},
            "InvalidInstanceID.NotFound",
        ),
        (
            "DescribeInstanceCreditSpecifications",
            {"InstanceId.1": "i-00000001"},
            "UnsupportedOperation",
        ),
    ],
)
def test_refused(door: Door, joe: User, action: str, parameters: dict[str, str], code: str) -> None:
    """What is asked wrongly is refused, as where there is something."""
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny"})
    answer = door.ask(joe, action, parameters)
    assert (answer.status, answer.code) == (412 if code == "DryRunOperation" else 400, code)


def test_no_credits(door: Door, joe: User) -> None:
    """No instance has credits."""
    answer = door.client(joe).describe_instance_credit_specifications()
    assert answer["InstanceCreditSpecifications"] == []
