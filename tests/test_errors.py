"""Failures that someone outside sees."""

from __future__ import annotations

import re

import pytest

from nova_tx import errors
from nova_tx.errors import (
    InstanceNotFound,
    NovaError,
    ProcessFailed,
    RemoteError,
    StartupError,
    declared,
    from_wire,
)

#: Those of errors.py; a door may have more of its own.
HERE = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, NovaError)
}


@pytest.mark.parametrize("name", sorted(HERE))
def test_declared(name: str) -> None:
    """Each has a code as AWS spells them, a status of a failure, and a sentence what it means."""
    error = HERE[name]
    assert re.fullmatch(r"([A-Z][A-Za-z0-9]+)(\.[A-Z][A-Za-z]+)?", error.code)
    assert 400 <= error.status < 600
    assert error.__doc__ and error.__doc__.strip().splitlines()[0].endswith(".")


def test_all_declared() -> None:
    """Each is found by its name, and no two have one name: the name is what travels."""
    assert HERE.items() <= declared().items()
    kinds: list[type[NovaError]] = [NovaError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    names = [kind.__name__ for kind in dict.fromkeys(kinds)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", sorted(HERE.keys() - {"ProcessFailed"}))
def test_wire(name: str) -> None:
    """A declared error arrives as the same class with the same text."""
    error = from_wire(name, "instance 10")
    assert type(error) is HERE[name] and str(error) == "instance 10"


@pytest.mark.parametrize("name", ["ValueError", "ProcessFailed", "StartupError", "", "NovaErrors"])
def test_undeclared(name: str) -> None:
    """Any other name, whoever sends it, is a RemoteError and nothing else."""
    assert type(from_wire(name, "internal error")) is RemoteError


def test_caught_as() -> None:
    """Who waits for NotFound gets each kind of it; an operator's error is no user's."""
    assert issubclass(InstanceNotFound, errors.NotFound)
    assert not issubclass(StartupError, NovaError)


def test_process_failed() -> None:
    """A program's failure is one sentence with the end of what it said."""
    error = ProcessFailed(("ip", "link"), 2, "x" * 1000 + "no such device\n")
    assert re.fullmatch(r"ip ended with status 2: x+no such device", str(error))
    assert len(str(error)) < 600
    assert str(ProcessFailed(("ip",), None, "")) == "ip did not end in time: "
