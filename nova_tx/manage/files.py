"""Files for one person's eyes."""

from __future__ import annotations

import os
import tempfile

from nova_tx.errors import InvalidInput


def write_private(path: str, content: bytes) -> None:
    """
    Write a file that only its owner can read, whole or not at all.      [spec/15 A44]

    What is no plain file, such as C{/dev/stdout}, is written to as it is.

    @raise InvalidInput: it can't be written.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as file:
                file.write(content)
            return
        path = os.path.realpath(path)
        descriptor, new = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".nova-manage-")
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            os.replace(new, path)
        except BaseException:
            os.unlink(new)
            raise
    except OSError as error:
        raise InvalidInput(f"can't write {path}: {error.strerror}") from None
