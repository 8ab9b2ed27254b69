"""Requests that may be sent twice and are done once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from nova_tx.context import RequestContext
from nova_tx.model.instances import ClientToken


def client_token(
    context: RequestContext, action: str, token: str | None, wanted: Any
) -> ClientToken | None:
    """
    A client's token, bound to who asks and to what is asked for; None if there is none.

    @param wanted: a dataclass of all that the client said.
    """
    if not token:
        return None
    said = json.dumps([context.user, dataclasses.asdict(wanted)], sort_keys=True)
    return ClientToken(action, token, hashlib.sha256(said.encode()).hexdigest())
