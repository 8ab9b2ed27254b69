"""An object that goes up in parts, by four clients: how fast, from its first request on."""

from __future__ import annotations

import hashlib
import re
import time

from benchmarks.s3_load import BLOCK, Load, run
from benchmarks.s3_servers import Server, exchange
from nova_tx.testing.s3_heads import signed

_CLIENTS = 4
_OBJECT = "/large/parts"


def upload(server: Server, count: int, size: int) -> float:
    """
    Bytes a second.

    @param size: bytes of each part, a multiple of the load's L{BLOCK}.
    """
    began = time.perf_counter()
    answer = _ask(server, "POST", f"{_OBJECT}?uploads", b"")
    found = re.search(rb"<UploadId>([^<]+)</UploadId>", answer)
    assert found is not None, answer
    query = f"uploadId={found[1].decode()}"
    targets = [
        [f"{_OBJECT}?partNumber={n}&{query}" for n in range(first, count + 1, _CLIENTS)]
        for first in range(1, min(_CLIENTS, count) + 1)
    ]
    elapsed = time.perf_counter() - began
    # each client sends as many, at least
    for some in {len(each) for each in targets}:
        clients = [each for each in targets if len(each) == some]
        load = Load(server.port, "PUT", clients, 0.0, size, server.access, server.secret, some)
        elapsed += run(load).elapsed
    began = time.perf_counter()
    etag = hashlib.md5(BLOCK * (size // len(BLOCK)), usedforsecurity=False).hexdigest()
    parts = "".join(
        f'<Part><PartNumber>{n}</PartNumber><ETag>"{etag}"</ETag></Part>'
        for n in range(1, count + 1)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    answer = _ask(server, "POST", f"{_OBJECT}?{query}", body)
    assert b"<CompleteMultipartUploadResult" in answer, answer
    return count * size / (elapsed + time.perf_counter() - began)


def _ask(server: Server, method: str, target: str, body: bytes) -> bytes:
    head = signed(method, target, server.access, server.secret, len(body))
    status, answer = exchange(server.port, head + body)
    assert status == 200, answer
    return answer
