"""
Templates of what users take home: text in which C{%(name)s} is a value, and C{%%} is C{%}.

Reading them blocks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from nova_tx.errors import InvalidInput

_PLACE = re.compile(r"%(?:\((\w*)\)s|(%)|)")


def for_shell(value: str) -> str:
    """A value as it has to be between double quotes of a shell.     [POSIX shell, 2.2.3]"""
    return re.sub(r'([$`"\\])', r"\\\1", value)


def for_openvpn(value: str) -> str:
    """A value as it has to be between double quotes of OpenVPN's configuration. [openvpn(8)]"""
    return re.sub(r'(["\\])', r"\\\1", value)


def fill(path: str, flag: str, values: Mapping[str, str]) -> str:
    """
    A template with its values.

    @param flag: the flag that names it, for the errors' texts.
    @raise InvalidInput: it can't be read, or wants another value, or has a lone C{%}.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise InvalidInput(f"--{flag}: can't read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"--{flag}: {path} is no text") from None

    def value(found: re.Match[str]) -> str:
        name, percent = found.groups()
        if percent:
            return "%"
        if name is None:
            raise InvalidInput(f"--{flag}: {path} has a % that is neither %(name)s nor %%")
        if name not in values:
            known = ", ".join(values)
            raise InvalidInput(f"--{flag}: {path} wants {name!r}; there are {known}")
        return values[name]

    return _PLACE.sub(value, text)
