"""A directory that is away, says nothing, or is not the right one; and the way to it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import LogEvent, globalLogPublisher

from nova_tx.auth.directory import server as door
from nova_tx.auth.ldap import LdapUsers
from nova_tx.db import key_pairs, lockouts
from nova_tx.db.engine import Database
from nova_tx.errors import DirectoryError, KeyPairNotFound, StartupError, Unavailable
from nova_tx.manage.main import main
from nova_tx.model.access import KeyPair
from nova_tx.testing.certificates import Authority
from nova_tx.testing.ldap_world import OURS, USERS, directory, empty, entries, flags
from nova_tx.testing.ports import free_port
from nova_tx.testing.slapd import Slapd

NOW = datetime(2011, 2, 3)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """What made the server's certificate."""
    return Authority(tmp_path_factory.mktemp("ca") / "ca")


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Slapd]:
    """A directory, by TLS, too."""
    issued = authority.issue("server", ["127.0.0.1"])
    files = (issued.certificate, issued.key)
    path = tmp_path_factory.mktemp("ldap") / "d"
    with directory(path, tls=files, tls_port=free_port()) as server:
        yield server


@pytest_twisted.async_yield_fixture
async def users(slapd: Slapd, database: Database) -> AsyncIterator[Any]:
    """Its users, asked by threads as a daemon does; joe is one, with a project."""
    empty(slapd)
    users: Any = LdapUsers(flags(slapd), database, reactor)
    await users.open()
    await users.create_user("joe", "joe-access", "joe-secret", False)
    await users.create_project("shop", "joe", None)
    yield users
    await users.close()


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged of the directory."""
    found: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_namespace"] == door.__name__:
            found.append(str(event["log_format"]).format(**event))

    globalLogPublisher.addObserver(observe)
    yield found
    globalLogPublisher.removeObserver(observe)


async def soon(asked: Any) -> Any:
    """The answer, once a server that was away is tried again."""
    while True:
        try:
            return await asked()
        except Unavailable:
            await deferLater(reactor, 0.05)  # type: ignore[arg-type]


async def test_many_at_once(users: Any) -> None:
    """Those who ask at the same time are all answered, by connections that are kept."""
    asked = [Deferred.fromCoroutine(users.find("joe-access", "shop")) for _ in range(100)]
    found = await gatherResults(asked)
    assert {each.user.secret_key for each in found} == {"joe-secret"}
    assert 1 <= len(users._server._connections) <= 4


async def test_restarted(users: Any, slapd: Slapd) -> None:
    """A server that was restarted between two requests is no failure."""
    await users.user("joe")
    slapd.stop()
    slapd.start()
    assert (await users.user("joe")).secret_key == "joe-secret"
    slapd.stop()
    slapd.start()
    await users.add_role("joe", "netadmin", "shop")
    assert (await users.find("joe-access", "shop")).project_roles == {"netadmin"}


async def test_away(users: Any, slapd: Slapd, lines: list[str]) -> None:
    """While it is away who asks is told so; the log says once that it went and that it is back."""
    slapd.stop()
    try:
        for asked in (users.find("joe-access", "shop"), users.add_role("joe", "netadmin", None)):
            with pytest.raises(Unavailable, match="the directory of users does not answer"):
                await asked
    finally:
        slapd.start()
    assert (await soon(lambda: users.user("joe"))).roles == frozenset()
    assert len(lines) == 2
    assert lines[0].startswith(f"the directory {slapd.url} went away: ")
    assert lines[1] == "the directory answers again"


async def test_silent(slapd: Slapd, database: Database) -> None:
    """A server that takes connections and says nothing is given up; the reactor does not wait."""
    users: Any = LdapUsers(flags(slapd, ldap_timeout=1), database, reactor)
    await users.open()
    turns: list[None] = []
    clock = LoopingCall(lambda: turns.append(None))
    slapd.freeze(True)
    try:
        clock.start(0.01)
        with pytest.raises(Unavailable, match="the directory of users does not answer"):
            await users.user("joe")
    finally:
        clock.stop()
        slapd.freeze(False)
    assert len(turns) > 5  # the reactor had its turns meanwhile
    await soon(lambda: users.users())
    await users.close()


async def test_starts_without(slapd: Slapd, database: Database) -> None:
    """A daemon starts while the directory is away, and finds it when it comes."""
    slapd.stop()
    users: Any = LdapUsers(flags(slapd), database, reactor)
    try:
        await users.open()
    finally:
        slapd.start()
    assert isinstance(await soon(lambda: users.users()), tuple)
    await users.close()
    with pytest.raises(Unavailable, match="the directory is not open"):
        await users.users()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"ldap_password": "guessed"}, "the directory of users refused: Invalid credentials"),
        ({"ldap_password": ""}, "--ldap_password is empty"),
        ({"ldap_url": "http://127.0.0.1"}, "--ldap_url=http://127.0.0.1 is no ldap://"),
        ({"ldap_url": "here"}, "--ldap_url=here is no ldap://"),
    ],
)
async def test_not_ours(slapd: Slapd, database: Database, wrong: Any, text: str) -> None:
    """A daemon does not start that the server does not take, or that can't know where it is."""
    with pytest.raises(StartupError) as caught:
        await LdapUsers(flags(slapd, **wrong), database, reactor).open()
    assert str(caught.value).startswith(text)
    assert "guessed" not in str(caught.value)


async def test_refused(users: Any, slapd: Slapd) -> None:
    """What the directory forbids is an error that says so; nothing of what was to be is shown."""
    slapd.run(
        ["ldapmodify", "-Q", "-Y", "EXTERNAL", "-H", slapd.socket_url],
        "dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcReadOnly\n"
        "olcReadOnly: TRUE\n",
    )
    try:
        with pytest.raises(DirectoryError, match="the directory of users refused: ") as caught:
            await users.create_user("ann", "ann-access", "ann-secret", False)
    finally:
        slapd.run(
            ["ldapmodify", "-Q", "-Y", "EXTERNAL", "-H", slapd.socket_url],
            "dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcReadOnly\n"
            "olcReadOnly: FALSE\n",
        )
    assert "ann-secret" not in str(caught.value)


async def test_tls(slapd: Slapd, database: Database, authority: Authority, tmp_path: Path) -> None:
    """TLS from the first octet or later: with the CA's certificate, and with no other."""
    other = Authority(tmp_path / "other").path
    for how in (
        {"ldap_url": f"ldaps://127.0.0.1:{slapd.tls_port}"},
        {"ldap_url": slapd.url, "ldap_start_tls": True},
    ):
        users: Any = LdapUsers(
            flags(slapd, **how, ldap_tls_ca=str(authority.path)), database, None, inline=True
        )
        assert isinstance(await users.users(), tuple)
        users._server._disconnect()
        for wrong in (str(other), ""):
            strange: Any = LdapUsers(
                flags(slapd, **how, ldap_tls_ca=wrong), database, None, inline=True
            )
            with pytest.raises((Unavailable, DirectoryError)):
                await strange.users()


async def test_changed_or_not(users: Any, slapd: Slapd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change whose answer was lost is not made again: who asked is told that nobody knows."""
    real, calls = door.Tree.add, []

    def add(tree: Any, dn: str, values: Any) -> None:
        calls.append(dn)
        real(tree, dn, values)
        raise door.ldap.SERVER_DOWN

    monkeypatch.setattr(door.Tree, "add", add)
    with pytest.raises(Unavailable, match="it may have been made or not"):
        await users.create_user("ann", "ann-access", None, False)
    assert calls == [f"uid=ann,{USERS}"]
    assert f"uid=ann,{USERS}" in entries(slapd)


async def test_same_key_at_once(users: Any) -> None:
    """Of two users who are made with one access key in the same moment, one is refused."""
    made: list[Awaitable[object]] = [
        Deferred.fromCoroutine(users.create_user(f"user{n}", "one-access", None, False)).addErrback(
            lambda failure: failure.type.__name__
        )
        for n in range(4)
    ]
    results = await gatherResults(made)  # type: ignore[arg-type]
    assert results.count("Duplicate") == 3
    await users.create_project("mine", "joe", None)
    assert (await users.find("one-access", "mine")).user.id.startswith("user")


async def test_in_the_database(users: Any, database: Database) -> None:
    """Failed authentications are known of a user, and key pairs go with one."""
    limits = lockouts.Limits(5, timedelta(minutes=15), timedelta(minutes=15))
    for _ in range(5):
        await database.run(lockouts.failed, "joe-access", limits, NOW)
    found = await users.find("joe-access", "shop")
    assert (found.failures, found.locked_until) == (5, NOW + timedelta(minutes=15))
    await users.create_user("ann", None, None, False)
    for name in ("joe", "ann"):
        pair = KeyPair(user_id=name, name="k", fingerprint="f", public_key="ssh-rsa A")
        await database.run(key_pairs.create, pair, NOW)
    await users.delete_user("ann")
    assert await database.read(key_pairs.get, "joe", "k")
    with pytest.raises(KeyPairNotFound):
        await database.read(key_pairs.get, "ann", "k")


def test_nova_manage(slapd: Slapd, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """nova-manage works on the directory, and says in one sentence that it is away."""
    empty(slapd)
    words = ["nova-manage", f"--state_path={tmp_path}"]
    directory = [
        "--auth_driver=nova.auth.ldapdriver.LdapDriver",
        f"--ldap_url={slapd.url}",
        "--ldap_user_dn=cn=nova,dc=example,dc=com",
        f"--ldap_password={OURS}",
    ]
    assert main([*words, "db", "sync"]) == 0
    john = ["user", "create", "john", "my-access-key", "a-super-secret-key"]
    assert main([*words, *directory, *john]) == 0
    told = "export EC2_ACCESS_KEY=my-access-key\nexport EC2_SECRET_KEY=a-super-secret-key\n"
    assert capsys.readouterr().out == told
    assert entries(slapd)[f"uid=john,{USERS}"]["secretKey"] == ["a-super-secret-key"]
    assert main([*words, *directory, "user", "exports", "john"]) == 0
    assert capsys.readouterr().out == told
    slapd.stop()
    try:
        assert main([*words, *directory, "user", "list"]) == 1
        told = capsys.readouterr()
        assert told == ("", "the directory of users does not answer; try again later\n")
    finally:
        slapd.start()


def test_no_package() -> None:
    """Without python-ldap a daemon that is to use it says which package it needs; others do not."""
    code = (
        "import sys; sys.modules['ldap'] = None\n"
        "from nova_tx.flags import LdapFlags; from nova_tx.auth.ldap import LdapUsers\n"
        "from nova_tx.errors import StartupError\n"
        "try: LdapUsers(LdapFlags(), None, None)\n"
        "except StartupError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "needs the Python package python-ldap, as nova_tx[ldap] has it" in done.stdout


def test_lazy() -> None:
    """A daemon whose users are in the database does not import python-ldap."""
    code = (
        "import sys, nova_tx.taps.parts as p\n"
        "assert 'ldap' in p.drivers(p.IUsers, p.nova_tx.auth)\n"
        "sys.exit('ldap' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_schema_file(slapd: Slapd, tmp_path: Path) -> None:
    """nova.schema is what slapd.conf can include, and says the same as nova.ldif."""
    root = Path(__file__).resolve().parents[2] / "etc" / "ldap"
    conf = tmp_path / "slapd.conf"
    schemas = [f"/etc/ldap/schema/{n}.schema" for n in ("core", "cosine", "nis", "inetorgperson")]
    conf.write_text("".join(f"include {each}\n" for each in [*schemas, root / "nova.schema"]))
    slapd.run(["slaptest", "-u", "-f", str(conf)])
    same = {
        "objectidentifier": "olcObjectIdentifier:",
        "attributetype": "olcAttributeTypes:",
        "objectclass": "olcObjectClasses:",
    }
    said = []
    for name in ("nova.schema", "nova.ldif"):
        lines = (line.split() for line in _joined((root / name).read_text()))
        words = ([same.get(line[0], line[0]), *line[1:]] for line in lines if line)
        said.append([line for line in words if line[0] in same.values()])
    assert said[0] == said[1] and len(said[0]) == 7


def _joined(text: str) -> list[str]:
    """Lines, each with those that go on with it."""
    return re.sub(r"\n[ \t]+", " ", text).splitlines()
