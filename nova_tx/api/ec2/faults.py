"""Failures that only EC2's door has a word for; see L{nova_tx.errors}."""

from __future__ import annotations

from nova_tx.errors import InvalidInput, NotFound, NovaError


class PlacementGroupNotFound(NotFound):
    """No such placement group: this cloud has none."""

    code = "InvalidPlacementGroup.Unknown"


class Unsupported(InvalidInput):
    """It makes sense, but this cloud does not do it."""

    code = "UnsupportedOperation"


class UnknownParameter(InvalidInput):
    """A parameter that the action does not have."""

    code = "UnknownParameter"


class InvalidCombination(InvalidInput):
    """Each parameter is well formed, but not together."""

    code = "InvalidParameterCombination"


class InvalidAction(InvalidInput):
    """No action of that name."""

    code = "InvalidAction"


class InvalidNextToken(InvalidInput):
    """The token of a further page was not given out for this list."""

    code = "InvalidNextToken"


class DryRun(NovaError):
    """It would have been done, but was only to be tried."""

    code = "DryRunOperation"
    status = 412
