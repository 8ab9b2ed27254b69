"""
Who asks: travels with every call between rooms and every message between services.

On the wire each field is a key C{_context_<field>} of the message.    [spec/01 section 4]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime

from nova_tx.ids import new_request_id

_PREFIX = "_context_"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclasses.dataclass(frozen=True)
class RequestContext:
    """
    The identity and the request on whose behalf something is done.

    @ivar user: the user's id; None for the cloud itself.
    @ivar project: the project's id; None for the cloud itself.
    @ivar is_admin: may see and change what is other projects'.
    @ivar timestamp: when the request arrived, UTC.
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

    def elevated(self) -> RequestContext:
        """The same request with an administrator's rights."""
        return dataclasses.replace(self, is_admin=True)

    def to_wire(self) -> dict[str, object]:
        """The fields as keys of a message."""
        wire: dict[str, object] = {
            _PREFIX + field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }
        wire[_PREFIX + "timestamp"] = self.timestamp.strftime(_TIME)
        return wire

    @classmethod
    def from_wire(cls, message: Mapping[str, object]) -> RequestContext:
        """
        The context of a message.

        Fields that are missing take their default; unknown ones are ignored.

        @raise ValueError: a field is of the wrong type.
        """
        fields: dict[str, object] = {"user": None, "project": None}
        for field in dataclasses.fields(cls):
            value = message.get(_PREFIX + field.name)
            if value is None:
                continue
            if field.name in ("is_admin", "read_deleted"):
                if not isinstance(value, bool):
                    raise ValueError(f"{field.name} is not true or false")
            elif not isinstance(value, str):
                raise ValueError(f"{field.name} is not a text")
            if field.name == "timestamp":
                value = datetime.strptime(str(value), _TIME).replace(tzinfo=UTC)
            fields[field.name] = value
        return cls(**fields)  # type: ignore[arg-type]


def admin_context() -> RequestContext:
    """The cloud itself: periodic work, recovery, nova-manage."""
    return RequestContext(user=None, project=None, is_admin=True)
