"""What config check finds: in flag files, and on this host."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor

from nova_tx.db import upgrade
from nova_tx.db.engine import now
from nova_tx.flags import BusFlags, ComputeFlags, Flags, LibvirtFlags, NodeFlags, SqlFlags
from nova_tx.manage.catalogue import PATIENCE
from nova_tx.manage.checks import host, reach
from nova_tx.manage.checks.finding import OK, WARNING, WRONG, Finding
from nova_tx.manage.checks.flag_files import FlagFiles
from nova_tx.manage.parts import SECTIONS, Parts


def verdicts(found: list[Finding]) -> list[str]:
    return [each.verdict for each in found]


def test_flags_that_are_well(tmp_path: Path) -> None:
    """Files that can be understood are named, those that they name too, and give their flags."""
    (tmp_path / "more.conf").write_text("--my_ip 10.1.1.1\n# nothing\n")
    (tmp_path / "nova.conf").write_text(f"--flagfile={tmp_path}/more.conf\n--host=HostA\n")
    found = FlagFiles(["--flagfile", f"{tmp_path}/nova.conf", "--verbose", "config", "check"])
    (finding,) = found.findings
    assert finding.verdict == OK and "nova.conf" in finding.text and "more.conf" in finding.text
    flags = found.flags()
    assert flags is not None
    node = flags.section(NodeFlags)
    assert (node.my_ip, node.host) == ("10.1.1.1", "HostA")


def test_the_command_line_is_stronger(tmp_path: Path) -> None:
    """What is said beside a flag file counts more than what is in it, wherever it stands."""
    (tmp_path / "nova.conf").write_text("--my_ip=10.1.1.1\n--host=HostA\n")
    for words in (["--my_ip=10.2.2.2", "--flagfile"], ["--my_ip", "10.2.2.2", "--flagfile"]):
        flags = FlagFiles([*words, f"{tmp_path}/nova.conf", "config", "check"]).flags()
        assert flags is not None
        node = flags.section(NodeFlags)
        assert (node.my_ip, node.host) == ("10.2.2.2", "HostA")


def test_the_usual_flag_file(tmp_path: Path) -> None:
    """It is read if the command line names no other, and only then."""
    (tmp_path / "usual.conf").write_text("--host=HostA\n")
    (tmp_path / "other.conf").write_text("--host=HostB\n")
    usual = f"{tmp_path}/usual.conf"
    for words, named in (
        (["--verbose", "config", "check", "flagfile"], "HostA"),
        ([f"--flagfile={tmp_path}/other.conf", "config", "check"], "HostB"),
    ):
        flags = FlagFiles(words, usual).flags()
        assert flags is not None and flags.section(NodeFlags).host == named


def test_every_mistake(tmp_path: Path) -> None:
    """Each mistake is named with its line; the flags between them count all the same."""
    (tmp_path / "nova.conf").write_text(
        "--rabit_host=x\n--rabbit_port=many\nhost=HostA\n--host=HostA\n--flagfile=/none\n"
    )
    found = FlagFiles([f"--flagfile={tmp_path}/nova.conf", "--no_such_thing=1"])
    assert [(each.verdict, each.text.rpartition("nova.conf")[2]) for each in found.findings] == [
        (WARNING, ":1: unknown flag --rabit_host is ignored; did you mean --rabbit_host?"),
        (WRONG, ":2: --rabbit_port must be an integer, not 'many'"),
        (WRONG, ":3: 'host' is not a flag"),
        (WRONG, "can't read flag file /none: No such file or directory"),
        (WRONG, "unknown flag --no_such_thing"),
    ]
    flags = found.flags()
    assert flags is not None and flags.section(NodeFlags).host == "HostA"


def test_flags_that_contradict(tmp_path: Path) -> None:
    """What can only be seen with all flags together is found, and nothing is tried."""
    (tmp_path / "nova.conf").write_text("--my_ip=$host\n--host=$my_ip\n")
    found = FlagFiles([f"--flagfile={tmp_path}/nova.conf"])
    assert found.flags() is None
    assert found.findings[-1].verdict == WRONG and "refers to itself" in found.findings[-1].text


@pytest.mark.parametrize(
    "line",
    [
        "--rabbit_password=x",
        "-ldap_password x",
        "--s3_backend_secret_key = x",
        "--sql_connection=mysql://nova:x@host/nova",
    ],
)
def test_a_password_for_all(tmp_path: Path, line: str) -> None:
    """A file with a password that everybody can read is a warning, without the password."""
    path = tmp_path / "nova.conf"
    path.write_text(f"{line}\n")
    path.chmod(0o644)
    (finding,) = FlagFiles([f"--flagfile={path}"]).findings
    assert finding.verdict == WARNING and "nova:x" not in finding.text
    path.chmod(0o640)
    assert verdicts(FlagFiles([f"--flagfile={path}"]).findings) == [OK]


def test_no_password_for_all(tmp_path: Path) -> None:
    """A URL without a password, and a password in a comment, may be read by everybody."""
    path = tmp_path / "nova.conf"
    path.write_text("#--rabbit_password=x\n--sql_connection=mysql://nova@host/nova\n")
    path.chmod(0o644)
    assert verdicts(FlagFiles([f"--flagfile={path}"]).findings) == [OK]


async def listed(checking: Any) -> list[Finding]:
    return [each async for each in checking]


async def test_database(tmp_path: Path) -> None:
    """A database that is away, or has no tables, is wrong, and it is said what to do."""
    away = SqlFlags(sql_connection="postgresql://nova:secret@127.0.0.1:1/nova")
    (finding,) = await listed(reach.database(away, reactor))
    assert finding.verdict == WRONG and "secret" not in finding.text
    (tmp_path / "nova.sqlite").touch()
    empty = SqlFlags(sql_connection=f"sqlite:///{tmp_path}/nova.sqlite")
    (finding,) = await listed(reach.database(empty, reactor))
    assert (finding.verdict, finding.advice) == (WRONG, "run nova-manage db sync")
    (finding,) = await listed(reach.database(SqlFlags(sql_connection="no url"), reactor))
    assert finding.verdict == WRONG


async def test_who_looks_makes_no_database(tmp_path: Path) -> None:
    """An SQLite that is not there is wrong, and is not there afterwards, nor its directory."""
    sql = SqlFlags(sql_connection=f"sqlite:///{tmp_path}/state/nova.sqlite")
    (finding,) = await listed(reach.database(sql, reactor))
    assert (finding.verdict, finding.advice) == (WRONG, "run nova-manage db sync")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("hours", [-1, 0, 1])
async def test_clocks_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """A database whose clock is off, whichever way, is wrong; one that keeps time is not told."""
    monkeypatch.setattr(reach, "now", lambda: now() + timedelta(hours=hours))
    (tmp_path / "nova.sqlite").touch()
    sql = SqlFlags(sql_connection=f"sqlite:///{tmp_path}/nova.sqlite")
    found = await listed(reach.database(sql, reactor))
    assert [each.verdict for each in found if each.subject == "clock"] == [WRONG] * abs(hours)


async def test_users(tmp_path: Path) -> None:
    """Secrets without their key, a directory that is away, and a flag of no sense are told of."""

    def parts(*words: str) -> Parts:
        return Parts(Flags.load([f"--state_path={tmp_path}", *words], SECTIONS), PATIENCE)

    ours = parts()
    upgrade.sync(ours.database.engine)
    await ours.users.create_user("john", None, None, False)
    (finding,) = await listed(reach.users(lambda: ours.users))
    assert finding.verdict == OK
    for words, text in (
        (["--secrets_key_file=/no/such/file"], "--secrets_key_file=/no/such/file is not there"),
        (["--auth_driver=ldap", "--ldap_url=ldap://127.0.0.1:1"], "does not answer"),
        (["--auth_driver=none"], "unknown --auth_driver 'none'"),
    ):
        theirs = parts(*words)
        (finding,) = await listed(reach.users(lambda theirs=theirs: theirs.users))
        assert finding.verdict == WRONG and text in finding.text and finding.advice
        await theirs.close()
    await ours.close()


async def test_broker() -> None:
    """A broker that is not there is wrong; none is asked if messages stay in the process."""
    (finding,) = await listed(reach.broker(BusFlags(rabbit_port=1), reactor))
    assert finding.verdict == WRONG and "guest" not in finding.text
    (finding,) = await listed(reach.broker(BusFlags(fake_rabbit=True), reactor))
    assert finding.verdict == OK


async def test_hypervisor() -> None:
    """Libvirt is asked if it is the hypervisor, and only then."""
    fake = ComputeFlags(connection_type="fake")
    (finding,) = await listed(reach.hypervisor(fake, LibvirtFlags()))
    assert finding.verdict == OK
    real = LibvirtFlags(libvirt_uri="qemu+unix:///system?socket=/no/such/socket")
    (finding,) = await listed(reach.hypervisor(ComputeFlags(), real))
    assert finding.verdict in (WRONG, WARNING) and finding.advice


def test_disks(tmp_path: Path) -> None:
    """A directory that can't be, and a disk without room, are found."""
    (tmp_path / "file").write_text("")
    (one,) = host.disks([str(tmp_path / "file" / "instances")])
    assert one.verdict == WRONG and "is no directory" in one.text
    (one,) = host.disks([str(tmp_path / "new" / "instances")], room=0)
    assert one.verdict == OK
    (one,) = host.disks([str(tmp_path)], room=2**80)
    assert one.verdict == WARNING and "MB are free" in one.text


def test_address() -> None:
    """An address that is not this host's is wrong."""
    assert host.address("127.0.0.1").verdict == OK
    assert host.address("192.0.2.77").verdict == WRONG
    assert host.address("nonsense").verdict == WRONG


def test_ports() -> None:
    """A port is free, or it is told who has it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        finding = host.port("s3_port", "127.0.0.1", number)
        assert str(os.getpid()) in finding.text
    assert host.port("s3_port", "127.0.0.1", number).verdict == OK
    assert host.port("s3_port", "192.0.2.77", number).verdict == WRONG


@pytest.mark.parametrize(
    ("holder", "verdict"),
    [((7, "python nova-api"), OK), ((7, "nginx"), WRONG), (None, WARNING)],
)
def test_who_has_a_port(
    monkeypatch: pytest.MonkeyPatch, holder: tuple[int, str] | None, verdict: str
) -> None:
    """A port that a daemon of ours has is well, another's is wrong, and nobody knows all."""
    monkeypatch.setattr(host, "_holder", lambda _: holder)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert host.port("s3_port", "127.0.0.1", taken.getsockname()[1]).verdict == verdict


def test_all_flags_can_be_defaults() -> None:
    """Without any flag file, that is said."""
    (finding,) = FlagFiles(["config", "check"]).findings
    assert "every flag has its default" in finding.text
    assert isinstance(FlagFiles([]).flags(), Flags)
