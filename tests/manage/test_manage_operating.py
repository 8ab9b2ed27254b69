"""nova-manage: services, instances and their sizes, quotas, backups, logs, shells, status."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, update
from sqlalchemy import text as sql

from nova_tx.db import counts
from nova_tx.db.engine import now
from nova_tx.db.schema import instances, networks, security_group_rules, security_groups, services
from nova_tx.errors import Unavailable
from nova_tx.testing.manage import Manage, Told, add_instance, write


def add_service(tmp_path: Path, **changed: object) -> None:
    """A worker's row."""
    row = {
        "host": "HostB",
        "binary": "nova-compute",
        "topic": "compute",
        "report_count": 1,
        "disabled": False,
        "availability_zone": "nova",
        "created_at": now(),
        "updated_at": now(),
        "deleted": False,
    }
    write(tmp_path, insert(services).values(**{**row, **changed}))


def test_service(manage: Manage, tmp_path: Path) -> None:
    """Workers are switched off and on; whether they live is another matter."""
    add_service(tmp_path)
    add_service(tmp_path, host="HostC", updated_at=now() - timedelta(hours=1))
    assert manage("service", "disable", "HostB", "nova-compute") == Told(0, "", "")
    one, two = manage("service", "list").out.splitlines()
    assert one.startswith("HostB      nova-compute disabled :-) 2")
    assert two.startswith("HostC      nova-compute enabled  XXX 2")
    facts = json.loads(manage("service", "list", "--json").out)
    assert [(each["host"], each["alive"], each["disabled"]) for each in facts] == [
        ("HostB", True, True),
        ("HostC", False, False),
    ]
    assert manage("service", "enable", "HostB", "nova-compute").code == 0
    assert " enabled " in manage("service", "list", "HostB").out
    assert manage("service", "enable", "HostB", "nova-x") == Told(1, "", "Unable to find service\n")


def test_reset_state(manage: Manage, tmp_path: Path) -> None:
    """A stuck instance is what the operator says; one that has ended stays so."""
    add_instance(tmp_path, state_description="networking")
    assert manage("vm", "reset-state", "i-00000001") == Told(0, "", "")
    assert json.loads(manage("vm", "list", "--json").out)[0]["state_description"] == "error"
    assert manage("vm", "reset_state", "i-00000001", "running").code == 0
    assert " running " in manage("vm", "list").out
    assert manage("vm", "reset-state", "i-00000001", "gone").err == (
        "STATE must be one of error, running, shutdown, not 'gone'\n"
    )
    assert manage("vm", "reset-state", "i-00000002").code == 1
    write(tmp_path, update(instances).values(state_description="terminated", deleted=True))
    assert manage("vm", "reset-state", "i-00000001").err == (
        "Instance i-00000001 is terminated, and stays so\n"
    )


def test_json_hides(manage: Manage, tmp_path: Path) -> None:
    """What is its owner's is in no list for programs: keys, user data, secrets."""
    add_instance(tmp_path, user_data="aGlkZGVu", key_data="ssh-rsa hidden")
    manage("user", "create", "john", "my-access-key", "hidden-secret")
    for words in (["vm", "list"], ["user", "list"]):
        told = manage(*words, "--json")
        assert json.loads(told.out) and "hidden" not in told.out and "aGlk" not in told.out


def test_quota(john: Manage) -> None:
    """Quotas are the flags', or the project's own; all are printed."""
    usual = "instances: 10\ncores: 20\nvolumes: 10\ngigabytes: 1000\nfloating_ips: 10\n"
    assert john("project", "quota", "john_project") == Told(0, usual, "")
    told = john("account", "quota", "john_project", "cores", "7")
    assert told.out == usual.replace("cores: 20", "cores: 7")
    facts = json.loads(john("project", "quota", "john_project", "--json").out)
    assert facts[1] == {"key": "cores", "quota": 7}
    assert john("project", "quota", "john_project", "cores", "").out == usual
    assert john("project", "quota", "john_project", "disks", "7").err.startswith("no quota")
    assert john("project", "quota", "john_project", "cores", "-1").code == 1
    assert john("project", "quota", "none").err == 'Project "none" not found\n'
    assert john("project", "quota", "john_project").out == usual


def test_project_modify(john: Manage) -> None:
    """A project gets another manager; an empty word leaves it."""
    john("user", "create", "ann")
    assert john("project", "modify", "john_project", "ann", "of hers") == Told(0, "", "")
    assert john("project", "modify", "john_project", "") == Told(0, "", "")
    (found,) = json.loads(john("project", "list", "--json").out)
    assert (found["manager"], found["description"]) == ("ann", "of hers")
    assert found["members"] == ["ann", "john"]
    told = john("project", "modify", "john_project", "bob")
    assert told.err == "Project can't be modified because manager bob doesn't exist\n"


def test_scrub(john: Manage, tmp_path: Path) -> None:
    """Network and groups of a project are let go, also where others' rules name them."""
    john("network", "create", "10.0.0.0/29", "1", "8")
    group = {"description": "", "user_id": "john", "created_at": now(), "deleted": False}
    rule = {"parent_group_id": 2, "group_id": 1, "created_at": now(), "deleted": False}
    write(
        tmp_path,
        update(networks).values(project_id="john_project"),
        insert(security_groups).values(**group, name="default", project_id="john_project"),
        insert(security_groups).values(**group, name="default", project_id="other"),
        insert(security_group_rules).values(**rule),
    )
    add_instance(tmp_path)
    told = john("project", "scrub", "john_project")
    assert told == Told(1, "", "Project john_project still has 1 instance\n")
    write(tmp_path, update(instances).values(state_description="terminated"))
    assert john("project", "scrub", "john_project") == Told(0, "", "")
    assert json.loads(john("network", "list", "--json").out)[0]["project_id"] is None
    with sqlite3.connect(tmp_path / "nova.sqlite") as rows:
        assert rows.execute("SELECT project_id FROM security_groups").fetchall() == [("other",)]
        assert rows.execute("SELECT count(*) FROM security_group_rules").fetchone() == (0,)
    rows.close()


def test_backup(john: Manage, tmp_path: Path) -> None:
    """A copy is a database with all that is in it, for its owner only; what can't be is said."""
    assert john("db", "backup", "copy.sqlite") == Told(0, "", "")
    assert (tmp_path / "copy.sqlite").stat().st_mode & 0o777 == 0o600
    copy = f"--sql_connection=sqlite:///{tmp_path}/copy.sqlite"
    assert john(copy, "user", "list").out == "john\n"
    assert john("db", "backup", "/no/such/place").err == (
        "can't write /no/such/place: No such file or directory\n"
    )
    os.mkfifo(tmp_path / "pipe")
    assert john("db", "backup", "pipe") == Told(1, "", "can't write pipe: it is no file\n")
    assert (tmp_path / "pipe").is_fifo()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".nova-manage-")]


@pytest.mark.parametrize("name", ["nova.sqlite", "./nova.sqlite-wal", "link"])
def test_no_backup_of_itself(john: Manage, tmp_path: Path, name: str) -> None:
    """A copy never takes the place of the database that daemons have open."""
    (tmp_path / "link").symlink_to("nova.sqlite")
    before = (tmp_path / "nova.sqlite").stat().st_ino
    assert john("db", "backup", name) == Told(
        1, "", f"{name} is of the database itself: name another file\n"
    )
    assert (tmp_path / "nova.sqlite").stat().st_ino == before


@pytest.mark.parametrize(
    ("version", "text"),
    [("1", "run nova-manage db sync"), ("9999", "this program is older")],
)
def test_another_schema(john: Manage, tmp_path: Path, version: str, text: str) -> None:
    """Tables that are too old or too new are one sentence; what asks them nothing goes on."""
    write(tmp_path, sql(f"UPDATE alembic_version SET version_num = '{version}'"))
    told = john("user", "create", "ann")
    assert (told.code, told.out, len(told.err.splitlines())) == (1, "", 1)
    assert text in told.err
    assert john("db", "version").out == f"{version}\n"
    assert john("completion", "bash").code == 0


def test_instance_types(manage: Manage) -> None:
    """Sizes are made, listed as Cactus does, deleted and purged."""
    assert manage("instance_type", "create", "m2.huge", "999", "3", "40", "9") == Told(
        0, "m2.huge created\n", ""
    )
    line = (
        "m2.huge: Memory: 999MB, VCPUS: 3, Storage: 40GB, FlavorID: 9, Swap: 0GB,"
        " RXTX Quota: 0GB, RXTX Cap: 0MB"
    )
    assert manage("flavor", "list", "m2.huge").out == f"{line}\n"
    assert len(manage("instance_type", "list").out.splitlines()) == 6
    assert manage("flavor", "create", "m2.huge", "999", "3", "40", "10").err.endswith("already\n")
    assert manage("flavor", "create", "other", "999", "3", "40", "9").err == (
        "flavor 9 is m2.huge already\n"
    )
    bads = ("0 1 1 10", "1 1 x 10", "1 1 -1 10", "1 1 1 2147483648", f"1 {2**64} 1 10")
    for bad in map(str.split, bads):
        told = manage("instance_type", "create", "bad", *bad)
        assert told == Told(1, "", "Must supply valid parameters to create instance type\n")
    assert manage("instance_type", "delete", "m2.huge") == Told(0, "m2.huge deleted\n", "")
    assert line not in manage("instance_type", "list").out
    assert f"{line}, inactive\n" in manage("instance_type", "list", "--all").out
    assert manage("flavor", "delete", "m2.huge", "--purge") == Told(0, "m2.huge purged\n", "")
    assert line not in manage("instance_type", "list", "--all").out
    told = manage("instance_type", "delete", "m2.huge")
    assert told == Told(1, "", "Valid instance type name is required\n")


def test_a_built_in_type(manage: Manage) -> None:
    """One of Bexar's sizes can be deleted, made anew as another, and had back as it was."""
    assert manage("flavor", "delete", "m1.tiny").code == 0
    assert "m1.tiny" not in manage("flavor", "list").out
    assert manage("flavor", "create", "m1.tiny", "64", "1", "0", "1").code == 0
    assert "m1.tiny: Memory: 64MB" in manage("flavor", "list").out
    assert manage("flavor", "delete", "m1.tiny", "--purge").code == 0
    assert "m1.tiny: Memory: 512MB" in manage("flavor", "list").out


def test_log(bare: Manage, tmp_path: Path) -> None:
    """What several logs say of a request is told in order, syslog's ends of lines undone."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "api.log").write_text(
        "2011-02-15 07:28:32,1 INFO api [ABC john p] asked#012and more\n"
        "2011-02-15 07:28:33,1 INFO api [ABCD ann p] another's\n"
        "2011-02-15 07:28:39,1 INFO api [ABC john p] answered\n"
    )
    (tmp_path / "logs" / "compute.log").write_text(
        "2011-02-15 07:28:35,1 INFO compute [ABC john p] worked\n"
    )
    assert bare("log", "request", "ABC", "logs") == Told(
        0,
        "2011-02-15 07:28:32,1 INFO api [ABC john p] asked\nand more\n"
        "2011-02-15 07:28:35,1 INFO compute [ABC john p] worked\n"
        "2011-02-15 07:28:39,1 INFO api [ABC john p] answered\n",
        "",
    )
    both = ("logs/compute.log", "logs/api.log")
    assert bare("log", "request", "ABC", *both).out == bare("log", "request", "ABC", "logs").out
    told = bare("log", "request", "ABC", "none.log")
    assert told == Told(1, "", "can't read none.log: No such file or directory\n")
    assert not (tmp_path / "nova.sqlite").exists()


def test_script(john: Manage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script has the flags, and reads and writes rows; one that can't be read is named."""
    (tmp_path / "names.py").write_text(
        "from nova_tx.db import users\n"
        "from nova_tx.flags import NodeFlags\n"
        "run(users.create, 'ann', 'a', 's', False)\n"
        "print(flags(NodeFlags).my_ip, [each.id for each in read(users.listed)])\n"
    )
    assert john("shell", "script", "names.py") == Told(0, "10.1.1.1 ['ann', 'john']\n", "")
    assert john("shell", "script", "none.py").err == (
        "can't read none.py: No such file or directory\n"
    )
    assert john("shell", "run", "ksh").err.startswith("there is no shell 'ksh'")


def test_shell(
    bare: Manage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without bpython and IPython, it is Python that is started."""
    for name in ("bpython", "IPython"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    started: list[dict[str, object]] = []
    monkeypatch.setattr("code.interact", lambda banner, local, exitmsg: started.append(local))
    assert bare("shell", "bpython") == bare("shell", "run") == Told(0, "", "")
    assert len(started) == 2 and {"flags", "read", "run", "nova_tx"} <= started[0].keys()


def test_status(john: Manage, tmp_path: Path) -> None:
    """One screen has who lives, what runs and how much room there is."""
    john("network", "create", "10.0.0.0/29", "1", "8")
    add_service(tmp_path)
    add_service(tmp_path, host="C", binary="nova-network", updated_at=now() - timedelta(hours=3))
    add_instance(tmp_path)
    assert john("status").out.splitlines()[2:] == [
        "C      nova-network XXX for 3 h",
        "HostB  nova-compute :-)   1 instance",
        "",
        "instances  1 running",
        "images     none",
        "networks   1, 0 of 5 addresses in use",
        "floating   0 of 0 addresses in use",
        "users      1 in 1 project",
    ]


def test_status_watched(john: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    """--watch shows it again and again, until it is interrupted."""
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    told = john("status", "--watch")
    assert (told.code, told.out.count("users      1 in 1 project")) == (130, 3)


def test_status_watched_through_an_outage(john: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away --watch says so, and shows the cloud when it is back."""
    looks: list[float] = []
    count = counts.count

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    def away(txn: Connection) -> counts.Counts:
        if len(looks) == 1:
            raise Unavailable("the database does not answer")
        return count(txn)

    monkeypatch.setattr("time.sleep", sleep)
    monkeypatch.setattr(counts, "count", away)
    told = john("status", "--watch")
    assert (told.code, told.out.count("users      1 in 1 project")) == (130, 2)
    assert told.out.count("  the database does not answer\n") == 1
