"""
What comes in a tarball: its regular files, and nothing else of it.
"""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack(tarball: Path, directory: Path) -> list[Path]:
    """
    Unpack the regular files of a tarball; returns them.

    Owners, modes and links stay behind.  Python's own filters are only in 3.11.4
    and newer, and Debian 12 has 3.11.2.                                [PEP 706]

    @raise tarfile.TarError: it is none, or names a file outside C{directory}.
    @raise OSError: it can't be read, or a file can't be written.
    """
    unpacked = []
    with tarfile.open(tarball) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extraction_filter = tarfile.data_filter
        for member in archive:
            path = directory / member.name
            if ".." in path.parts or not path.is_relative_to(directory):
                raise tarfile.TarError(f"it has a file {member.name}")
            if member.isreg():
                archive.extract(member, directory, set_attrs=False)
                unpacked.append(path)
    return unpacked
