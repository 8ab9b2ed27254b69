"""
Where this nova_tx lives: in a checkout, or installed by pip.
"""

from __future__ import annotations

import os
import sys


def base() -> str:
    """The directory that holds the package: the checkout, or Python's C{site-packages}."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def in_checkout() -> bool:
    """Whether there is a checkout around the package."""
    return os.path.exists(os.path.join(base(), "setup.py"))


def file(*names: str) -> str:
    """The path of a file that comes with the package."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), *names)


def program(name: str) -> str:
    """The path of a program of ours: in the checkout's C{scripts}, or where pip put it."""
    directory = (
        os.path.join(base(), "scripts") if in_checkout() else os.path.join(sys.prefix, "bin")
    )
    return os.path.join(directory, name)
