"""
Who asks: travels with every call between rooms and every message between services.

On the wire each field is a key C{_context_<field>} of the message.    [spec/01 section 4]
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from nova_tx.ids import new_request_id

_PREFIX = "_context_"
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z\Z")


@dataclasses.dataclass(frozen=True)
class Seal:
    """
    What tells a signed request from every other, and when it can't be used any more.

    @ivar expires_at: naive UTC.
    """

    digest: str
    expires_at: datetime


@dataclasses.dataclass(frozen=True)
class RequestContext:
    """
    The identity and the request on whose behalf something is done.

    @ivar user: the user's id; None for the cloud itself.
    @ivar project: the project's id; None for the cloud itself.
    @ivar is_admin: may see and change what is other projects'.
    @ivar timestamp: when the request arrived, UTC.
    @ivar seal: never sent on: what was signed is for this process alone.
    """

    user: str | None
    project: str | None
    is_admin: bool = False
    read_deleted: bool = False
    remote_address: str | None = None
    timestamp: datetime = dataclasses.field(
        default_factory=lambda: datetime.now(UTC).replace(microsecond=0)
    )
    request_id: str = dataclasses.field(default_factory=new_request_id)
    seal: Seal | None = dataclasses.field(default=None, repr=False, compare=False)

    def elevated(self) -> RequestContext:
        """The same request with an administrator's rights."""
        return dataclasses.replace(self, is_admin=True)

    def to_wire(self) -> dict[str, object]:
        """The fields as keys of a message."""
        wire: dict[str, object] = {key: getattr(self, name) for name, key in _KEYS}
        naive = self.timestamp.replace(tzinfo=None)
        wire[_PREFIX + "timestamp"] = naive.isoformat(timespec="seconds") + "Z"
        return wire

    @classmethod
    def from_wire(cls, message: Mapping[str, object]) -> RequestContext:
        """
        The context of a message.

        Fields that are missing take their default; unknown ones are ignored.

        @raise ValueError: a field is of the wrong type.
        """
        fields: dict[str, object] = {"user": None, "project": None}
        for name, key in _KEYS:
            value = message.get(key)
            if value is None:
                continue
            if name in ("is_admin", "read_deleted"):
                if not isinstance(value, bool):
                    raise ValueError(f"{name} is not true or false")
            elif not isinstance(value, str):
                raise ValueError(f"{name} is not a text")
            elif name == "timestamp":
                value = _moment(value)
            fields[name] = value
        return cls(**fields)  # type: ignore[arg-type]


#: Each field that is sent on, and its key on the wire.
_KEYS = tuple(
    (field.name, _PREFIX + field.name)
    for field in dataclasses.fields(RequestContext)
    if field.name != "seal"
)


def _moment(text: str) -> datetime:
    if not _TIME.match(text):
        raise ValueError(f"{text!r} is no time")
    return datetime.fromisoformat(text)


def admin_context(user: str | None = None, project: str | None = None) -> RequestContext:
    """
    The cloud itself: periodic work, recovery, nova-manage.

    @param user: with C{project}, whose work it goes on with: images are asked for in their name.
    """
    return RequestContext(user=user, project=project, is_admin=True)
