"""
Why an instance is in C{error}, in a sentence for its owner: what failed, never how.
"""

from __future__ import annotations

from nova_tx.errors import (
    FabricError,
    ImageError,
    ImageNotFound,
    ImageUnavailable,
    NetworkNotFound,
    NoMoreAddresses,
    ProcessFailed,
    Unavailable,
    VirtError,
)

_SENTENCES: tuple[tuple[type[Exception], str], ...] = (
    (NoMoreAddresses, "Every address of the network is taken"),
    (NetworkNotFound, "There is no network for the instance"),
    (FabricError, "The network of the instance could not be set up"),
    (ImageNotFound, "An image of the instance is not there any more"),
    (ImageUnavailable, "An image of the instance is not available"),
    (ImageError, "An image of the instance could not be fetched"),
    (Unavailable, "A service that the instance needs did not answer"),
    (VirtError, "The hypervisor could not start the guest"),
    (ProcessFailed, "The host could not prepare the guest"),
)


def sentence(error: BaseException) -> str:
    """What to say of an error."""
    for known, text in _SENTENCES:
        if isinstance(error, known):
            return text
    return "The instance could not be built by a fault of the cloud; its log says more"
