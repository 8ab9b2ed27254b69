"""
AWS's own model of EC2, as botocore has it, and what of ours does not agree with it.

L{nova_tx.testing.ec2.Door} holds every answer to it, tests of the actions
their parameters.  What we say and AWS does not is listed here, with its reason.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree.ElementTree import Element, ParseError, fromstring

from botocore.session import Session  # type: ignore[import-untyped]

from nova_tx.api.ec2 import dialect
from nova_tx.api.ec2.action import Action
from nova_tx.api.ec2.schema import Parameter, Structures

VERSION = "2016-11-15"

#: Elements that AWS does not have: where (a shape of the model), its name, and why it is said.
ELEMENTS = {
    ("Instance", "displayName"): "Nova's name of an instance",
    ("Instance", "displayDescription"): "Nova's description of an instance",
    ("Instance", "dnsNameV6"): "Nova's, of DescribeInstancesV6",
    ("DeregisterImageResult", "imageId"): "Eucalyptus and Nova say what was deregistered",
    ("Image", "displayName"): "Nova's name of an image",
    ("DescribeInstanceTypesResult", "instanceTypeDetails"): "Eucalyptus', before AWS had any",
}
#: Values that AWS's lists of them do not have: the list's shape, and ours.
VALUES = {
    "HypervisorType": "kvm",
    "InstanceType": r"[a-z]\w*\.\w+",  # AWS has no m1.tiny, an operator any type
    "AvailabilityZoneState": "(not available|(en|dis)abled .*)?",  # Nova's, of hosts too
    "AccountAttributeName": ".*",  # AWS names more than its model
}
#: Parameters that AWS does not have, and whose they are.
PARAMETERS = {
    ("DeregisterImage", "Name"): "euca2ools",
    ("DescribeImages", "User.N"): "Nova 2011.1, for ExecutableBy",
    ("ModifyImageAttribute", "Description"): "Eucalyptus and Nova, for Description.Value",
    ("ModifyImageAttribute", "Group.N"): "AWS's form of 2009, for UserGroup",
    ("RunInstances", "AddressingType"): "euca2ools 1.x",
    ("RunInstances", "DisplayName"): "Nova 2011.1",
    ("RunInstances", "DisplayDescription"): "Nova 2011.1",
}

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_TEXTS = {
    "boolean": re.compile("true|false"),
    "integer": re.compile(r"-?\d+"),
    "long": re.compile(r"-?\d+"),
    "float": re.compile(r"-?\d+(\.\d+)?"),
    "double": re.compile(r"-?\d+(\.\d+)?"),
    "timestamp": _TIME,
}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@cache
def model() -> Any:
    """botocore's service model."""
    return Session().get_service_model("ec2", VERSION)


def known(action: str) -> bool:
    """Whether AWS has such an action."""
    return action in model().operation_names


def hold(url: str, body: bytes | None, answer: bytes) -> None:
    """
    Hold a successful answer to the model, if its request was a new client's.

    @raise AssertionError: it is not as AWS would say it.
    """
    parts = urlsplit(url)
    text = (body or b"").decode("utf-8", "replace")
    asked = dict((*parse_qsl(parts.query), *parse_qsl(text)))
    action, version = asked.get("Action", ""), asked.get("Version", "")
    new = _DATE.fullmatch(version) and isinstance(dialect.of(version), dialect.New)
    if parts.path.rstrip("/").endswith("/Cloud") and new:
        found = faults(action, answer)
        assert not found, f"{action}'s answer is not EC2's:\n" + "\n".join(found)


def faults(action: str, answer: bytes) -> list[str]:
    """What is wrong with a successful answer to an action; of one AWS has not, with its form."""
    try:
        root = fromstring(answer)
    except ParseError as error:
        return [f"it does not parse: {error}"]
    if _name(root) != f"{action}Response":
        return [f"it is called {_name(root)}"]
    requests = [each for each in root if _name(each) == "requestId"]
    found = [] if len(requests) == 1 and requests[0].text else ["it has no requestId"]
    content = [each for each in root if _name(each) != "requestId"]
    if not known(action):
        return found
    shape = model().operation_model(action).output_shape
    if shape is not None:
        return [*found, *_structure(content, shape, action)]
    told = [(_name(each), each.text) for each in content]
    return found if told in ([], [("return", "true")]) else [*found, f"it says {told}"]


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _structure(content: list[Element], shape: Any, where: str) -> Iterator[str]:
    members = {
        member.serialization.get("name", name): (name, member)
        for name, member in shape.members.items()
    }
    names = [_name(each) for each in content]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{where}.{name} is there {names.count(name)} times"
    for element, name in zip(content, names, strict=True):
        if name in members:
            yield from _value(element, members[name][1], f"{where}.{name}")
        elif (shape.name, name) not in ELEMENTS:
            yield f"{where}.{name} is nothing that {shape.name} has"
    for wire, (name, _) in members.items():
        if name in shape.required_members and wire not in names:
            yield f"{where}.{wire} is missing"


def _value(element: Element, shape: Any, where: str) -> Iterator[str]:
    if shape.type_name == "structure":
        if element.text and element.text.strip():
            yield f"{where} has a text: {element.text!r}"
        yield from _structure(list(element), shape, where)
    elif shape.type_name == "list":
        for each in element:
            if _name(each) != "item":
                yield f"{where} has a {_name(each)} in its list"
            yield from _value(each, shape.member, f"{where}[]")
    elif len(element):
        yield f"{where} has elements in it, and is a {shape.type_name}"
    else:
        yield from _text(element.text or "", shape, where)


def _text(text: str, shape: Any, where: str) -> Iterator[str]:
    pattern = _TEXTS.get(shape.type_name)
    if pattern and not pattern.fullmatch(text):
        yield f"{where} is {text!r}, and no {shape.type_name}"
    values = getattr(shape, "enum", ())
    if values and text not in values and not re.fullmatch(VALUES.get(shape.name, "(?!)"), text):
        yield f"{where} is {text!r}, and no {shape.name}"


def strange_parameters(action: type[Action]) -> list[str]:
    """Parameters that an action declares, or ignores, and AWS's does not take as such."""
    name = action.__name__
    taken = dict(aws_parameters(name))
    tops = {each.partition(".")[0] for each in taken}
    declared = [
        f"{wire} is declared as {kind}, and is {taken.get(wire, 'nothing')}"
        for wire, kind in declared_parameters(action.Params)
        if (name, wire) not in PARAMETERS
        # what is a list to us may be one to AWS's clients: both forms are taken
        and not any(_agree(kind, taken.get(each)) for each in (wire, wire.removesuffix(".N")))
    ]
    return declared + [
        f"{each} is ignored, and is nothing"
        for each in action.ignored
        if each not in tops and (name, each) not in PARAMETERS
    ]


def aws_parameters(action: str) -> Iterator[tuple[str, str]]:
    """Names that AWS's action takes, lists as C{Foo.N}, and their types."""
    shape = model().operation_model(action).input_shape
    return _taken(shape, "") if shape is not None else iter(())


def _taken(shape: Any, start: str, above: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    if shape.name in above:
        return
    for name, member in shape.members.items():
        wire = member.serialization.get("queryName") or member.serialization.get("name", name)
        wire = start + wire[0].upper() + wire[1:]
        if member.type_name == "list":
            member, wire = member.member, f"{wire}.N"
        if member.type_name == "structure":
            yield from _taken(member, f"{wire}.", (*above, shape.name))
        else:
            yield wire, member.type_name


def declared_parameters(params: type[Any], start: str = "") -> Iterator[tuple[str, str]]:
    """Names that an action's C{Params} takes, as L{aws_parameters} has them, and kinds."""
    for field in dataclasses.fields(params):
        parameter: Parameter | Structures = field.metadata["parameter"]
        for name in parameter.names:
            if isinstance(parameter, Structures):
                yield from declared_parameters(parameter.of, f"{start}{name}.N.")
            else:
                yield start + name + (".N" if parameter.many else ""), parameter.kind


def _agree(ours: str, theirs: str | None) -> bool:
    """Whether a parameter of our kind takes what AWS's clients send; any is a text to us."""
    return theirs is not None and (
        ours == theirs
        or ours not in ("boolean", "integer")
        or (ours, theirs) == ("integer", "long")
    )
