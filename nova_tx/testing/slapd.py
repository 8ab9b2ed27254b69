"""
A private OpenLDAP: slapd in a directory of its own, by its socket and on loopback, ended by pid.

It begins as Debian's package sets one up: the organisation C{dc=example,dc=com} with its
administrator, configured by C{cn=config}, which is root's (here: this user's) at the socket.
Blocking, without the reactor.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ldap

#: Seconds in which it must be up, or down.
PATIENCE = 120.0
SUFFIX = "dc=example,dc=com"
ADMIN, PASSWORD = f"cn=admin,{SUFFIX}", "of-the-administrator"

_CONFIG = """\
dn: cn=config
objectClass: olcGlobal
cn: config
{tls}
dn: cn=module{{0}},cn=config
objectClass: olcModuleList
cn: module{{0}}
olcModulePath: {modules}
olcModuleLoad: back_mdb

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

{schemas}

dn: olcDatabase={{0}}config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: {{0}}config
olcAccess: {{0}}to * by dn.exact=gidNumber={gid}+uidNumber={uid},cn=peercred,cn=external,cn=auth
  manage by * break

dn: olcDatabase={{1}}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: {{1}}mdb
olcDbDirectory: {files}
olcSuffix: {suffix}
olcRootDN: {admin}
olcRootPW: {password}
olcDbMaxSize: 104857600
olcDbNoSync: TRUE
olcDbIndex: objectClass eq
olcDbIndex: cn,uid eq
olcAccess: {{0}}to attrs=userPassword by self write by anonymous auth by * none
olcAccess: {{1}}to * by * read
"""

_TOP = f"""\
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
dc: example
o: example
"""


@dataclass(frozen=True)
class Slapd:
    """
    A server; C{start} and C{stop} may be called again and again.

    @ivar directory: all its files; its path has less than 90 bytes, for the socket's sake.
    @ivar port: of loopback, for LDAP.
    @ivar tls: files of a certificate and its key.
    @ivar tls_port: for LDAP in TLS.
    """

    directory: Path
    port: int
    tls: tuple[Path, Path] | None = None
    tls_port: int = 0

    @property
    def socket_url(self) -> str:
        """Its socket, where who is on this host is known by its user."""
        return f"ldapi://{quote(str(self.directory / 'socket'), safe='')}/"

    @property
    def url(self) -> str:
        """Its port."""
        return f"ldap://127.0.0.1:{self.port}"

    def start(self) -> None:
        """
        Start it, and wait until it answers; the first time, make its files.

        @raise RuntimeError: it does not come up.
        """
        if not (self.directory / "config").is_dir():
            self._make()
        urls = [self.url, self.socket_url]
        if self.tls is not None:
            urls.append(f"ldaps://127.0.0.1:{self.tls_port}")
        with open(self.directory / "log", "ab") as log:
            child = subprocess.Popen(
                # -d keeps it in the foreground
                [_program("slapd"), "-d", "0", "-F", self._path("config"), "-h", " ".join(urls)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self.directory / "pid").write_text(str(child.pid))
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if child.poll() is not None or time.monotonic() > deadline:
                child.kill()
                child.wait()
                raise RuntimeError((self.directory / "log").read_text()[-2000:] or "slapd is down")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        pid = self._pid()
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)

    def freeze(self, frozen: bool) -> None:
        """Have it say nothing, while its connections stay; or go on."""
        os.kill(self._pid(), signal.SIGSTOP if frozen else signal.SIGCONT)

    def connection(self) -> Any:
        """A connection of the administrator's."""
        connection = ldap.initialize(self.socket_url)
        connection.simple_bind_s(ADMIN, PASSWORD)
        return connection

    def run(self, argv: Sequence[str], stdin: str = "") -> str:
        """
        Run one of OpenLDAP's programs; returns what it said.

        @raise RuntimeError: it failed.
        """
        done = subprocess.run(
            [_program(argv[0]), *argv[1:]], input=stdin, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)} failed: {done.stderr}")
        return done.stdout

    def _path(self, name: str) -> str:
        return str(self.directory / name)

    def _pid(self) -> int:
        return int((self.directory / "pid").read_text())

    def _make(self) -> None:
        for name in ("config", "files"):
            (self.directory / name).mkdir(mode=0o700, parents=True)
        schemas = ("core", "cosine", "nis", "inetorgperson")
        facts: Mapping[str, object] = {
            "modules": "/usr/lib/ldap",
            "schemas": "\n".join(f"include: file:///etc/ldap/schema/{n}.ldif\n" for n in schemas),
            "uid": os.getuid(),
            "gid": os.getgid(),
            "files": self._path("files"),
            "suffix": SUFFIX,
            "admin": ADMIN,
            "password": PASSWORD,
            "tls": ""
            if self.tls is None
            else f"olcTLSCertificateFile: {self.tls[0]}\nolcTLSCertificateKeyFile: {self.tls[1]}\n",
        }
        config = ["slapadd", "-F", self._path("config")]
        self.run([*config, "-n", "0"], _CONFIG.format(**facts))
        self.run([*config, "-n", "1"], _TOP)

    def _answers(self) -> bool:
        try:
            self.connection().unbind_s()
        except ldap.LDAPError:
            return False
        return True


def _program(name: str) -> str:
    found = shutil.which(name, path=f"/usr/sbin:{os.environ.get('PATH', '')}")
    if found is None:
        raise RuntimeError(f"{name} is not installed (packages slapd, ldap-utils)")
    return found
