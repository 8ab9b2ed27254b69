"""nova-manage as it is called: words in, text and exit status out."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import create_engine, insert, update

from nova_tx.db.engine import now
from nova_tx.db.schema import fixed_ips, instances, lockouts, networks, services
from nova_tx.manage.catalogue import categories
from nova_tx.manage.main import main
from nova_tx.objectstore.disk.store import New, Store
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.testing.manage import Manage, Told, add_instance, write

CATEGORIES = "".join(f"\t{name}\n" for name in categories())

NO_VPN = "No vpn data for project john_project\n"


# What is asked for.


def test_no_category(bare: Manage) -> None:
    """Without words the categories are listed, status 2."""
    assert bare() == Told(
        2,
        f"nova-manage category action [<args>]\nAvailable categories:\n{CATEGORIES}",
        "",
    )


def test_no_action(bare: Manage) -> None:
    """With a category its actions are listed, and its name in full, status 2."""
    assert bare("ro") == Told(
        2,
        "nova-manage category action [<args>]\nAvailable actions for role category:\n"
        "\tadd\n\thas\n\tremove\n",
        "",
    )


def test_no_match(bare: Manage) -> None:
    """What begins no name gets all names, status 2: the seed's misspelling, too."""
    assert bare("rolle", "add") == Told(
        2,
        f"rolle does not match any options:\n{CATEGORIES}",
        "",
    )
    assert bare("service", "descrbe_resource", "HostC") == Told(
        2, "descrbe_resource does not match any options:\n\tdisable\n\tenable\n\tlist\n", ""
    )


def test_several(bare: Manage) -> None:
    """What begins several names gets those, status 2."""
    told = bare("user", "")
    assert (told.code, told.err) == (2, "")
    assert told.out == (
        " matched multiple options:\n\tadmin\n\tcreate\n\tdelete\n\texports\n\tlist\n\tmodify\n"
        "\trevoke\n\tunlock\n"
    )
    assert bare("", "list").out.startswith(" matched multiple options:\n\tuser\n")


def test_wrong_count(bare: Manage) -> None:
    """Too few or too many arguments are said with the action's help, without a traceback."""
    for words in (["user", "create"], ["us", "cr", "a", "b", "c", "d"]):
        told = bare(*words)
        assert (told.code, told.err) == (1, "")
        assert told.out.splitlines() == [
            "Possible wrong number of arguments supplied",
            "user create: Create a user; without keys, random ones. Prints them as exports.",
            "  user create NAME [ACCESS] [SECRET]",
        ]


def test_help_of_an_action(bare: Manage) -> None:
    """--help after an action explains it, and is not taken for an argument."""
    told = bare("user", "create", "--help")
    assert (told.code, told.err) == (1, "")
    assert told.out.startswith("user create: Create a user;")


@pytest.mark.parametrize("word", ["--help", "-?"])
def test_help(bare: Manage, word: str) -> None:
    """--help lists every flag that is read, status 1 as gflags does."""
    told = bare(word)
    assert (told.code, told.err) == (1, "")
    for flag in ("sql_connection", "ec2_dmz_host", "ca_path", "fixed_range", "allowed_roles"):
        assert f"--{flag}:" in told.out


def test_helpshort(bare: Manage) -> None:
    """--helpshort says what the program is, without the flags."""
    told = bare("--helpshort")
    assert told.code == 1
    assert "nova-manage [flags] category action [args]" in told.out
    assert "--sql_connection" not in told.out


# Flags.


def test_unknown_flag(bare: Manage) -> None:
    """An unknown flag on the command line is one sentence, status 1."""
    told = bare("--sql_conection=sqlite://", "user", "list")
    assert told == Told(1, "", "unknown flag --sql_conection; did you mean --sql_connection?\n")


def test_unknown_flag_in_file(manage: Manage, tmp_path: Path) -> None:
    """An unknown flag in a file is a warning, once; a flag of other programs is none."""
    with open(tmp_path / "cloud.conf", "a") as file:
        file.write("--no_such_flag=1\n")
    told = manage("user", "list")
    assert (told.code, told.out) == (0, "")
    assert told.err.count("no_such_flag") == 1
    assert "rabbit_host" not in told.err


def test_flagfile_beside_the_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --flagfile, nova.conf beside the script is read."""
    monkeypatch.chdir("/")
    (tmp_path / "nova.conf").write_text(f"--sql_connection=sqlite:///{tmp_path}/here.sqlite\n")
    assert main([str(tmp_path / "nova-manage"), "db", "sync"]) == 0
    assert (tmp_path / "here.sqlite").exists()
    capsys.readouterr()


def test_flags_end_at_the_category(john: Manage) -> None:
    """A word behind the category is an argument, whatever it looks like."""
    told = john("user", "exports", "--verbose")
    assert told == Told(1, "", "User --verbose doesn't exist\n")


# The database.


def test_db(bare: Manage) -> None:
    """db sync makes the tables, again is nothing, and db version tells the number."""
    assert bare("db", "version").out == "0\n"
    assert bare("db", "sync") == bare("db", "sync") == Told(0, "", "")
    told = bare("db", "version")
    assert told.code == 0 and int(told.out) > 0
    assert bare("db", "sync", told.out.strip()).code == 0


def test_db_wrong_version(manage: Manage) -> None:
    """A version that is none is one sentence."""
    assert manage("db", "sync", "9999").err.startswith("there is no version 9999")
    assert manage("db", "sync", "latest").err == "VERSION must be an integer, not 'latest'\n"


def test_no_tables(bare: Manage) -> None:
    """Without tables the operator is told what to do."""
    told = bare("user", "create", "john")
    assert (told.code, told.out) == (1, "")
    assert told.err.splitlines()[1:] == [
        "The above error may show that the database has not been created.",
        "Please create a database using 'nova-manage db sync' before running this command.",
    ]


def test_no_database(bare: Manage) -> None:
    """A database that can't be reached is one sentence, at once, without the password."""
    url = "postgresql://nova:very-secret@127.0.0.1:1/nova"
    for words in (["user", "list"], ["db", "sync"]):
        told = bare(f"--sql_connection={url}", *words)
        assert (told.code, told.out) == (1, "")
        assert told.err.startswith("can't reach the database postgresql")
        assert "very-secret" not in told.err
        assert len(told.err.splitlines()) == 1


# Users.


def test_user_create(manage: Manage) -> None:
    """The seed's command prints the seed's lines."""
    told = manage("user", "create", "john", "my-access-key", "a-super-secret-key")
    assert told == Told(
        0,
        "export EC2_ACCESS_KEY=my-access-key\nexport EC2_SECRET_KEY=a-super-secret-key\n",
        "",
    )
    assert manage("user", "exports", "john") == told


def test_user_create_twice(john: Manage) -> None:
    """A name that is taken is one sentence: no SQL, no secret, no hint.       [spec/15 D6]"""
    told = john("user", "create", "john", "other", "unseen")
    assert told == Told(1, "", "User john already exists\n")
    told = john("user", "create", "eve", "my-access-key")
    assert told == Told(1, "", "The access key belongs to another user\n")


def test_user_random_keys(manage: Manage) -> None:
    """Keys that are left out, or empty, are random."""
    one, two = manage("user", "create", "one"), manage("user", "admin", "two", "", "")
    assert len(one.out.splitlines()[0]) == len("export EC2_ACCESS_KEY=") + 36
    assert len(set((one.out + two.out).splitlines())) == 4


def test_user_modify(john: Manage) -> None:
    """An empty word leaves a thing as it is; all four are needed."""
    assert john("user", "modify", "john", "new", "", "T") == Told(0, "", "")
    assert john("user", "modify", "john", "", "changed", "") == Told(0, "", "")
    assert john("user", "exports", "john").out == (
        "export EC2_ACCESS_KEY=new\nexport EC2_SECRET_KEY=changed\n"
    )
    assert john("user", "modify", "john", "new").code == 1


def test_user_unlock(john: Manage, tmp_path: Path) -> None:
    """A key that was locked opens again; one that was not is left, and it is said."""
    told = john("user", "unlock", "john")
    assert told == Told(0, "User john has no failed authentications\n", "")
    engine = create_engine(f"sqlite:///{tmp_path}/nova.sqlite")
    row = {"access_key": "my-access-key", "failures": 5, "since": now(), "created_at": now()}
    with engine.begin() as txn:
        txn.execute(insert(lockouts).values(**row, deleted=False))
    engine.dispose()
    assert john("user", "unlock", "john") == Told(0, "", "")
    assert john("user", "unlock", "john").out
    assert john("user", "unlock", "nobody").code == 1


def test_user_list_and_delete(john: Manage) -> None:
    """Names are listed one a line; who is deleted is gone, a project's manager stays."""
    john("user", "admin", "ann")
    assert john("user", "list").out == "ann\njohn\n"
    assert john("user", "delete", "ann") == Told(0, "", "")
    assert john("user", "list").out == "john\n"
    assert john("user", "delete", "ann").err == 'User "ann" not found\n'
    assert john("user", "delete", "john").err == "User john manages project john_project\n"


# Projects.


def test_projects(john: Manage) -> None:
    """Projects are listed, get members, and lose them."""
    john("user", "create", "ann")
    assert john("project", "add", "john_project", "ann") == Told(0, "", "")
    assert john("project", "remove", "john_project", "ann") == Told(0, "", "")
    assert john("project", "list").out == "john_project\n"
    again = john("project", "create", "john_project", "john")
    assert again.err == "Project can't be created because project john_project already exists\n"
    nobody = john("project", "create", "new", "bob")
    assert nobody.err == "Project can't be created because manager bob doesn't exist\n"


def test_project_delete(john: Manage, tmp_path: Path) -> None:
    """A project that still has something stays; an empty one goes.            [spec/15 D4]"""
    add_instance(tmp_path)
    told = john("project", "delete", "john_project")
    assert told == Told(1, "", "Project john_project still has 1 instance\n")
    write(tmp_path, update(instances).values(state_description="terminated"))
    assert john("project", "delete", "john_project") == Told(0, "", "")
    assert john("project", "list").out == ""


def test_environment(john: Manage, tmp_path: Path) -> None:
    """The seed's command writes novarc in the current directory, for its owner only."""
    mask = os.umask(0o000)
    try:
        assert john("project", "environment", "john_project", "john") == Told(0, "", "")
    finally:
        os.umask(mask)
    text = (tmp_path / "novarc").read_text()
    assert 'export EC2_ACCESS_KEY="my-access-key:john_project"\n' in text
    assert 'export EC2_URL="http://10.1.1.1:8773/services/Cloud"\n' in text
    assert (tmp_path / "novarc").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "CA").exists()


def test_environment_into_a_pipe(john: Manage, tmp_path: Path) -> None:
    """What is no plain file is written to, not replaced."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert john("project", "environment", "john_project", "john", "pipe").code == 0
        assert b"export EC2_URL=" in os.read(reader, 65536)
    finally:
        os.close(reader)


def test_environment_elsewhere(john: Manage, tmp_path: Path) -> None:
    """Another file can be named; it becomes private; if it can't be written, that is said."""
    (tmp_path / "rc").write_text("old")
    (tmp_path / "rc").chmod(0o644)
    john("project", "environment", "john_project", "john", "rc")
    assert (tmp_path / "rc").stat().st_mode & 0o777 == 0o600
    told = john("project", "environment", "john_project", "john", "/no/such/directory/rc")
    assert (told.code, told.err) == (
        1,
        "can't write /no/such/directory/rc: No such file or directory\n",
    )
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".nova-manage-")]


def test_zipfile(john: Manage, tmp_path: Path) -> None:
    """The zip has four members in order; key and certificates fit; each zip has new ones."""
    assert john("project", "zipfile", "john_project", "john") == Told(0, "", NO_VPN)
    assert (tmp_path / "nova.zip").stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(tmp_path / "nova.zip") as file:
        assert file.namelist() == ["novarc", "pk.pem", "cert.pem", "cacert.pem"]
        signed = x509.load_pem_x509_certificate(file.read("cert.pem"))
        root = x509.load_pem_x509_certificate(file.read("cacert.pem"))
    signed.verify_directly_issued_by(root)
    assert john("project", "zipfile", "john_project", "john", "second.zip").code == 0
    with zipfile.ZipFile(tmp_path / "second.zip") as file:
        assert x509.load_pem_x509_certificate(file.read("cert.pem")) != signed
        assert x509.load_pem_x509_certificate(file.read("cacert.pem")) == root


def test_zipfile_of_https(john: Manage, tmp_path: Path) -> None:
    """The CA that https is verified with is in the zip; if it can't be read that is said."""
    with open(tmp_path / "cloud.conf", "a") as file:
        file.write(f"--s3_scheme=https\n--credential_ssl_ca={tmp_path}/ca.pem\n")
    told = john("project", "zipfile", "john_project", "john")
    assert told.code == 1 and f"can't read {tmp_path}/ca.pem (--credential_ssl_ca)" in told.err
    (tmp_path / "ca.pem").write_bytes(b"the CA")
    assert john("project", "zipfile", "john_project", "john").code == 0
    with zipfile.ZipFile(tmp_path / "nova.zip") as packed:
        assert packed.namelist() == ["novarc", "pk.pem", "cert.pem", "cacert.pem", "ssl-ca.pem"]
        assert packed.read("ssl-ca.pem") == b"the CA"
        assert b'export S3_URL="https://' in packed.read("novarc")


def test_zipfile_regions(john: Manage, tmp_path: Path) -> None:
    """With regions the zip has an rc file for each."""
    with open(tmp_path / "cloud.conf", "a") as file:
        file.write("--region_list=east=e.example.com,west=w.example.com\n")
    assert john("project", "zipfile", "john_project", "john").code == 0
    with zipfile.ZipFile(tmp_path / "nova.zip") as packed:
        assert packed.namelist() == ["eastrc", "westrc", "pk.pem", "cert.pem", "cacert.pem"]
        assert b'export S3_URL="http://w.example.com:3333"\n' in packed.read("westrc")
        assert b'export AWS_DEFAULT_REGION="west"\n' in packed.read("westrc")


def test_links_are_not_followed(john: Manage, tmp_path: Path) -> None:
    """A link that lies where the file is to be is replaced; what it leads to is left alone."""
    (tmp_path / "theirs").write_text("theirs")
    for name in ("novarc", "nova.zip"):
        (tmp_path / name).symlink_to("theirs")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "rc").symlink_to("pipe")
    john("project", "environment", "john_project", "john")
    john("project", "environment", "john_project", "john", "rc")
    john("project", "zipfile", "john_project", "john")
    assert (tmp_path / "theirs").read_text() == "theirs"
    for name in ("novarc", "rc", "nova.zip"):
        found = (tmp_path / name).lstat()
        assert stat.S_ISREG(found.st_mode) and found.st_mode & 0o777 == 0o600


def test_others_pipe(john: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe of somebody else gets no secrets."""
    os.mkfifo(tmp_path / "novarc")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    reader = os.open(tmp_path / "novarc", os.O_RDONLY | os.O_NONBLOCK)
    try:
        told = john("project", "environment", "john_project", "john")
        assert told == Told(1, "", "can't write novarc: it is a pipe of somebody else\n")
    finally:
        os.close(reader)


def test_environment_to_stdout(john: Manage, tmp_path: Path) -> None:
    """/dev/stdout is written to, although it is a link."""
    argv = [sys.executable, "-m", "nova_tx.manage.main", f"--flagfile={tmp_path}/cloud.conf"]
    argv += ["project", "environment", "john_project", "john", "/dev/stdout"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    assert "export EC2_URL=" in done.stdout


def test_zipfile_without_authority(john: Manage, tmp_path: Path) -> None:
    """If the authority can't be used, Nova's advice follows the reason, and there is no file."""
    (tmp_path / "CA").write_text("a file")
    told = john("project", "zipfile", "john_project", "john")
    assert (told.code, told.out) == (1, "")
    assert told.err.splitlines()[1:] == [
        f"the certificate authority can't use {tmp_path}/CA: File exists",
        "The above error may show that the certificate db has not been created.",
        "Please create a database by running a nova-api server on this host.",
    ]
    assert not (tmp_path / "nova.zip").exists()


def test_zipfile_vpn(john: Manage, tmp_path: Path) -> None:
    """A project whose network has a VPN gets its configuration; looking gives it no network."""
    john("network", "create", "10.100.0.0/22", "4", "256")
    assert john("project", "zipfile", "john_project", "john") == Told(0, "", NO_VPN)
    write(
        tmp_path,
        update(networks)
        .where(networks.c.id == 2)
        .values(project_id="john_project", vpn_public_address="203.0.113.7", vpn_public_port=1001),
    )
    assert john("project", "zipfile", "john_project", "john") == Told(0, "", "")
    with zipfile.ZipFile(tmp_path / "nova.zip") as packed:
        names = ["novarc", "pk.pem", "cert.pem", "nova-vpn.conf", "cacert.pem"]
        assert packed.namelist() == names
        assert b"remote 203.0.113.7 1001\n" in packed.read("nova-vpn.conf")


def revoked(directory: Path) -> list[int]:
    """The serial numbers on an authority's list."""
    crl = x509.load_pem_x509_crl((directory / "crl.pem").read_bytes())
    return [each.serial_number for each in crl]


def test_user_revoke(john: Manage, tmp_path: Path) -> None:
    """A user's certificates are revoked in all projects or in one, silently; its keys stay."""
    john("project", "create", "bank", "john")
    john("user", "create", "ann")
    for project, user in (("john_project", "john"), ("bank", "john"), ("bank", "ann")):
        john("project", "zipfile", project, user)
    assert john("user", "revoke", "john", "bank") == Told(0, "", "")
    assert revoked(tmp_path / "CA") == [0x11]
    assert john("user", "revoke", "john") == Told(0, "", "")
    assert revoked(tmp_path / "CA") == [0x10, 0x11]
    assert john("user", "exports", "john").code == 0


def test_user_revoke_nothing(john: Manage) -> None:
    """Who has no certificate is told of, and so is who is not there."""
    told = john("user", "revoke", "john")
    assert told == Told(0, "User john has no certificates\n", "")
    told = john("user", "revoke", "john", "john_project")
    assert told == Told(0, "User john has no certificates for project john_project\n", "")
    assert john("user", "revoke", "zed") == Told(1, "", 'User "zed" not found\n')
    assert john("user", "revoke", "john", "zed") == Told(1, "", 'Project "zed" not found\n')


def test_user_revoke_elsewhere(john: Manage, tmp_path: Path) -> None:
    """On a host without the authority it is said that there is none, and none is made there."""
    john("project", "zipfile", "john_project", "john")
    (tmp_path / "CA").rename(tmp_path / "elsewhere")
    said = f"there is no certificate authority in {tmp_path}/CA\n"
    for words in (["user", "revoke", "john"], ["certificate", "refresh"]):
        assert john(*words) == Told(1, "", said)
    assert not (tmp_path / "CA").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "CA")
    assert revoked(tmp_path / "CA") == []
    assert john("certificate", "refresh") == Told(0, "", "")
    assert revoked(tmp_path / "CA") == [0x10]


def test_what_is_deleted_is_revoked(john: Manage, tmp_path: Path) -> None:
    """A user's deletion, a member's removal and a project's deletion revoke certificates."""
    for name in ("ann", "bob"):
        john("user", "create", name)
        john("project", "add", "john_project", name)
        john("project", "zipfile", "john_project", name)
    john("project", "zipfile", "john_project", "john")
    for words, expected in (
        (["user", "delete", "ann"], [0x10]),
        (["project", "remove", "john_project", "bob"], [0x10, 0x11]),
        (["project", "delete", "john_project"], [0x10, 0x11, 0x12]),
    ):
        assert john(*words) == Told(0, "", "")
        assert revoked(tmp_path / "CA") == expected


def test_deleted_elsewhere(john: Manage, tmp_path: Path) -> None:
    """A user goes on a host without the authority, and the operator is told what is left to do."""
    john("user", "create", "ann")
    john("project", "zipfile", "john_project", "ann")
    (tmp_path / "CA").rename(tmp_path / "elsewhere")
    told = john("user", "delete", "ann")
    assert told.code == 1
    assert told.err.splitlines() == [
        f"there is no certificate authority in {tmp_path}/CA",
        "It is done, but the list of revoked certificates is to be completed by"
        " 'nova-manage certificate refresh' on the host that has it",
    ]
    assert john("user", "list").out == "john\n"


def test_certificate_revoke(john: Manage, tmp_path: Path) -> None:
    """A project's certificates are revoked, by its own authority if it has one."""
    assert john("certificate", "revoke", "john_project") == Told(
        0, "Project john_project has no certificates\n", ""
    )
    assert john("certificate", "revoke", "zed") == Told(1, "", 'Project "zed" not found\n')
    john("project", "zipfile", "john_project", "john")
    with open(tmp_path / "cloud.conf", "a") as file:
        file.write("--use_project_ca\n")
    john("project", "zipfile", "john_project", "john")
    assert john("certificate", "revoke", "john_project") == Told(0, "", "")
    assert revoked(tmp_path / "CA") == [0x10]
    assert revoked(tmp_path / "CA" / "projects" / "john_project") == [0x10]


@pytest.mark.parametrize("what", ["environment", "zipfile"])
def test_credentials_of_nobody(john: Manage, tmp_path: Path, what: str) -> None:
    """Who or what is not there gets no file, and no certificate is made."""
    before = set(os.listdir(tmp_path))
    assert john("project", what, "john_project", "bob").err == 'User "bob" not found\n'
    assert john("project", what, "none", "john").err == 'Project "none" not found\n'
    assert set(os.listdir(tmp_path)) == before


# Roles.


def test_roles(john: Manage) -> None:
    """The seed's two grants are silent, and both are needed."""
    john("user", "create", "ann")
    has = ("role", "has", "ann", "netadmin", "john_project")
    assert john("role", "add", "ann", "netadmin") == Told(0, "", "")
    assert john(*has) == Told(0, "False\n", "")
    assert john(*has[:4]) == Told(0, "True\n", "")
    assert john("role", "add", "ann", "netadmin", "john_project") == Told(0, "", "")
    assert john(*has) == Told(0, "True\n", "")
    assert john("role", "remove", "ann", "netadmin", "john_project") == Told(0, "", "")
    assert john(*has) == Told(0, "False\n", "")


def test_bad_roles(john: Manage) -> None:
    """A role that is none, or none for a project, is refused in Nova's words."""
    for words, text in (
        (["add", "john", "boss"], "The boss role can not be found\n"),
        (["add", "john", "itsec", "john_project"], "The itsec role is global only\n"),
        (["has", "john", "projectmanager"], "Must specify project\n"),
    ):
        assert john("role", *words) == Told(1, "", text)
    assert john("role", "has", "john", "projectmanager", "john_project").out == "True\n"


# What runs.


def test_network(manage: Manage) -> None:
    """Networks are made by flags and arguments, and listed in Nova's columns."""
    assert manage("network", "create", "10.0.0.0/24", "2", "16") == Told(0, "", "")
    assert manage("network", "list").out.splitlines() == [
        "network           \tnetmask        \tstart address  \tDNS            ",
        "10.0.0.0/28       \t255.255.255.240\t10.0.0.2       \t8.8.4.4        ",
        "10.0.0.16/28      \t255.255.255.240\t10.0.0.18      \t8.8.4.4        ",
    ]
    flags = ("--fixed_range=192.168.0.0/28", "--network_size=8")
    assert manage(*flags, "network", "create") == Told(0, "", "")
    assert "192.168.0.0/29" in manage("network", "list").out


def test_network_refused(manage: Manage) -> None:
    """A range that is none, too small, or taken is one sentence, and leaves nothing."""
    for words in (["ten"], ["10.0.0.0/30", "2", "256"], ["10.0.0.0/24", "one"]):
        told = manage("network", "create", *words)
        assert (told.code, told.out, len(told.err.splitlines())) == (1, "", 1)
    assert len(manage("network", "list").out.splitlines()) == 1


def test_fixed_list(manage: Manage, tmp_path: Path) -> None:
    """Addresses are listed with their instance, or None; a host selects its own."""
    manage("network", "create", "10.0.0.0/30", "1", "4")
    add_instance(tmp_path)
    write(
        tmp_path,
        update(fixed_ips).where(fixed_ips.c.address == "10.0.0.2").values(instance_id=1),
    )
    header = "network           \tIP address     \tMAC address      \thostname       \thost"
    its = "10.0.0.0/30       \t10.0.0.2       \t02:16:3e:00:00:01\ti-00000001     \tHostB"
    free = "10.0.0.0/30       \t10.0.0.1       \tNone             \tNone           \tNone"
    lines = manage("fixed", "list").out.splitlines()
    assert lines[0] == header
    assert len(lines) == 5 and its in lines and free in lines
    assert manage("fixed", "list", "HostB").out.splitlines() == [header, its]
    assert manage("fixed", "list", "HostX") == Told(2, "", "error: no host HostX is known\n")


def test_vm_list(manage: Manage, tmp_path: Path) -> None:
    """Instances are listed in Cactus' columns, terminated ones are not."""
    add_instance(tmp_path)
    add_instance(tmp_path, hostname="gone", deleted=True)
    add_instance(
        tmp_path,
        hostname="i-00000003",
        host=None,
        state_description="scheduling",
        launched_at=None,
        kernel_id=None,
        launch_index=1,
    )
    header, *lines = manage("vm", "list").out.splitlines()
    assert header == (
        "instance   node            type       state      launched            image       "
        " kernel       ramdisk       project    user       zone       index"
    )
    assert lines == [
        "i-00000001 HostB           m1.tiny    running    2011-02-15 07:28:32 ami-1       "
        " aki-1        None          john_project john       nova       0    ",
        "i-00000003 None            m1.tiny    scheduling None                ami-1       "
        " None         None          john_project john       nova       1    ",
    ]
    assert manage("vm", "list", "HostB").out.splitlines() == [header, lines[0]]
    assert manage("vm", "list", "HostX") == Told(1, "", "no host HostX is known\n")


def test_service_list(manage: Manage, tmp_path: Path) -> None:
    """All workers are listed, disabled ones, too; who is silent too long is XXX. [spec/15 D3]"""
    fresh, stale = now() - timedelta(seconds=30), now() - timedelta(seconds=90)
    for host, binary, disabled, seen in (
        ("HostA", "nova-scheduler", False, fresh),
        ("HostB", "nova-compute", True, stale),
        ("HostC", "nova-compute", False, None),
    ):
        write(
            tmp_path,
            insert(services).values(
                host=host,
                binary=binary,
                topic="x",
                report_count=0,
                disabled=disabled,
                availability_zone="nova",
                created_at=fresh,
                updated_at=seen,
                deleted=False,
            ),
        )
    lines = [
        f"HostA      nova-scheduler enabled  :-) {fresh}",
        f"HostB      nova-compute disabled XXX {stale}",
        "HostC      nova-compute enabled  :-) None",
    ]
    assert manage("service", "list").out.splitlines() == lines
    assert manage("service", "list", "HostC").out.splitlines() == lines[2:]
    assert manage("service", "list", "HostB", "nova-compute").out.splitlines() == lines[1:2]
    assert manage("--service_down_time=10", "service", "list", "HostA").out.split()[3] == "XXX"


def test_as_a_program(tmp_path: Path) -> None:
    """Run as a program, the exit status is the command's, and no reactor is loaded."""
    code = (
        "import sys; from nova_tx.manage.main import main; code = main(sys.argv[1:]);"
        " assert 'twisted.internet.reactor' not in sys.modules; sys.exit(code)"
    )
    argv = [sys.executable, "-c", code, "nova-manage", f"--state_path={tmp_path}"]
    done = subprocess.run([*argv, "db", "sync"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = subprocess.run([*argv, "user", "exports", "bob"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "User bob doesn't exist\n"


# What the objectstore keeps.


def test_objectstore_check(bare: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage is named, by key and in words, and is status 1; without it status is 0."""
    gentle: list[int] = []
    monkeypatch.setattr("os.nice", gentle.append)
    monkeypatch.setattr("platform.machine", lambda: "none that is known")
    told = bare("objectstore", "check")
    assert (told.code, told.err) == (1, f"there is no directory {tmp_path}/buckets\n")
    store = Store(str(tmp_path / "buckets"))
    store.prepare()
    store.create(Bucket("bucket", "joe", 0.0))
    facts = Facts(7, "9a0364b9e99bb480dd25e1f0284c8555", 0.0, {}, {})
    store.put([New("bucket", "a\nkey", b"content", facts)])
    told = bare("objectstore", "check")
    assert told == Told(
        0, "1 buckets, 1 objects, 0 uploads, 7 bytes read: 0 damaged, 0 left over\n", ""
    )
    store.put([New("bucket", "a\nkey", b"CONTENT", facts)])
    (tmp_path / "buckets" / "bucket" / "stray").touch()
    told = bare("objectstore", "check")
    assert (told.code, told.err) == (1, "1 damaged\n")
    assert told.out == (
        "left over: bucket/stray: is nothing of a bucket's\n"
        "damaged: bucket/a\\nkey: its bytes have the ETag 45685e95985e20822fb2538a522a5ccf, and "
        "not 9a0364b9e99bb480dd25e1f0284c8555\n"
        "1 buckets, 1 objects, 0 uploads, 7 bytes read: 1 damaged, 1 left over\n"
    )
    assert gentle == [19, 19]
