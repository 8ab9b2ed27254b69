"""
Why an instance is not as it should be, in a sentence for its owner: what failed, never how.
"""

from __future__ import annotations

from nova_tx import states
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


def in_vain(state: str, error: BaseException) -> str:
    """What to say of an error that kept a guest in C{state} from being switched."""
    if state in (states.RESCUING, states.UNRESCUING):
        if isinstance(error, ImageNotFound | ImageUnavailable | ImageError):
            return "The instance was not rescued: there is no rescue image that can be used"
        return f"The instance was not rescued: {_within(sentence(error))}"
    return sentence(error)


def begun_too_often(times: int) -> str:
    """What to say of an instance that nobody came to the end of building."""
    return f"The instance was begun {times} times, and the host's daemon ended each time"


def not_copied(error: BaseException) -> str:
    """What to say of an image whose disk could not be copied, or not be brought."""
    if isinstance(error, VirtError):
        return "The disk of the instance could not be copied"
    return "The copy of the instance's disk could not be stored; make the image again"


def _within(text: str) -> str:
    return text[0].lower() + text[1:]
