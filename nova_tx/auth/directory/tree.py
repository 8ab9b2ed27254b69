"""One connection to an LDAP server, used by one thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ldap
import ldap.modlist

from nova_tx.auth.directory.names import Places
from nova_tx.errors import InvalidInput
from nova_tx.flags import LdapFlags

#: Seconds of silence after which the kernel asks whether the server is still there.
_KEEPALIVE = 30

#: The server is away, or can't serve.
LOST = (
    ldap.SERVER_DOWN,
    ldap.CONNECT_ERROR,
    ldap.TIMEOUT,
    ldap.TIMELIMIT_EXCEEDED,
    ldap.BUSY,
    ldap.UNAVAILABLE,
)

Values = Mapping[str, Iterable[str]]


@dataclass(frozen=True)
class Entry:
    """
    What the directory has under a name.

    @ivar values: by the attribute's name in lower case; those that are no text are left out.
    """

    dn: str
    values: Mapping[str, tuple[str, ...]]

    def all(self, attribute: str) -> tuple[str, ...]:
        """The values of an attribute."""
        return self.values.get(attribute.lower(), ())

    def first(self, attribute: str) -> str | None:
        """A value of an attribute, the only one of most."""
        return next(iter(self.all(attribute)), None)


def connect(flags: LdapFlags) -> Any:
    """
    A connection that the server knows as ours; waits for it.

    @raise ldap.LDAPError: there is none to be had.
    """
    connection = ldap.initialize(flags.ldap_url)
    connection.protocol_version = 3
    connection.timeout = flags.ldap_timeout
    for option, value in (
        (ldap.OPT_NETWORK_TIMEOUT, float(flags.ldap_timeout)),
        (ldap.OPT_TIMEOUT, float(flags.ldap_timeout)),
        (ldap.OPT_REFERRALS, 0),
        (ldap.OPT_X_KEEPALIVE_IDLE, _KEEPALIVE),
        (ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND),
        *([(ldap.OPT_X_TLS_CACERTFILE, flags.ldap_tls_ca)] if flags.ldap_tls_ca else []),
        (ldap.OPT_X_TLS_NEWCTX, 0),  # the options before it count from here
    ):
        connection.set_option(option, value)
    if flags.ldap_start_tls:
        connection.start_tls_s()
    connection.simple_bind_s(flags.ldap_user_dn, flags.ldap_password)
    return connection


class Tree:
    """
    The directory as text.

    @ivar places: where things are in it.
    @ivar changed: something was sent that may have changed it.
    """

    def __init__(self, connection: Any, places: Places) -> None:
        self._connection = connection
        self.places = places
        self.changed = False

    def search(self, base: str, matching: str, scope: int = ldap.SCOPE_SUBTREE) -> list[Entry]:
        """
        Entries at or below a name.

        @raise ldap.LDAPError: it can't be asked; that C{base} is not there is no error.
        """
        try:
            found = self._connection.search_ext_s(
                base, scope, matching, timeout=self._connection.timeout
            )
        except ldap.NO_SUCH_OBJECT:
            return []
        return [Entry(dn, _text(values)) for dn, values in found if dn is not None]

    def read(self, dn: str) -> Entry | None:
        """The entry of a name, if there is one."""
        return next(iter(self.search(dn, "(objectClass=*)", ldap.SCOPE_BASE)), None)

    def add(self, dn: str, values: Values) -> None:
        """Make an entry of the attributes that have values."""
        entry = {name: octets for name, each in values.items() if (octets := _octets(each))}
        self.changed = True
        self._connection.add_s(dn, ldap.modlist.addModlist(entry))

    def replace(self, dn: str, values: Values) -> None:
        """Give attributes of an entry these values; none takes it away."""
        self._modify(dn, ldap.MOD_REPLACE, values)

    def give(self, dn: str, attribute: str, value: str) -> None:
        """Give an attribute of an entry one more value; again is nothing."""
        try:
            self._modify(dn, ldap.MOD_ADD, {attribute: (value,)})
        except ldap.TYPE_OR_VALUE_EXISTS:
            pass

    def take(self, dn: str, attribute: str, value: str) -> None:
        """Take a value of an attribute of an entry; none is nothing."""
        try:
            self._modify(dn, ldap.MOD_DELETE, {attribute: (value,)})
        except ldap.NO_SUCH_ATTRIBUTE:
            pass

    def delete(self, dn: str) -> None:
        """Take an entry away; none is nothing."""
        self.changed = True
        try:
            self._connection.delete_s(dn)
        except ldap.NO_SUCH_OBJECT:
            pass

    def _modify(self, dn: str, how: int, values: Values) -> None:
        changes = [(how, name, _octets(each) or None) for name, each in values.items()]
        self.changed = True
        self._connection.modify_s(dn, changes)


def _octets(values: Iterable[str]) -> list[bytes]:
    try:
        return [each.encode() for each in values if each]
    except UnicodeEncodeError:
        raise InvalidInput("What is to be written in the directory is no text") from None


def _text(values: Mapping[str, list[bytes]]) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, octets in values.items():
        try:
            found[name.lower()] = tuple(each.decode() for each in octets)
        except UnicodeDecodeError:
            continue  # a photograph
    return found
