"""How a command line and flag files are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nova_tx import flag_help
from nova_tx.errors import StartupError
from nova_tx.flag_fields import entries
from nova_tx.flagfile import default_flagfile
from nova_tx.flags import (
    AuthFlags,
    BusFlags,
    ComputeFlags,
    Ec2Flags,
    Flags,
    ImageFlags,
    LogFlags,
    S3Flags,
    SqlFlags,
    sections,
)
from nova_tx.taps.scheduler import Options


def load(*argv: str, wanted: tuple[type[Any], ...] = sections()) -> Flags:
    return Flags.load(argv, wanted)


# The command line.


@pytest.mark.parametrize(
    "argv",
    [
        ("--s3_port=3334",),
        ("--s3_port", "3334"),
        ("-s3_port=3334",),
        ("-s3_port", "3334"),
        ("--s3_po", "3334"),
        ("--s3_port=1", "--s3_port=3334"),
    ],
)
def test_forms(argv: tuple[str, ...]) -> None:
    """A value comes after = or as the next word, after one dash or two; the last one counts."""
    assert load(*argv).section(S3Flags).s3_port == 3334


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("--verbose", True),
        ("--noverbose", False),
        ("--verb", True),
        *((f"--verbose={each}", True) for each in ("true", "T", "1", "True")),
        *((f"--verbose={each}", False) for each in ("false", "F", "0")),
    ],
)
def test_booleans(word: str, value: bool) -> None:
    """A boolean is set by its name, unset by no before it, and takes a value after = only."""
    found = load(word, "next")
    assert found.section(LogFlags).verbose is value
    assert found.positional == ["next"]


def test_lists() -> None:
    """A list is written with commas; blanks around its parts do not count."""
    found = load("--allowed_roles=a, b,,c", "--global_roles=").section(AuthFlags)
    assert (found.allowed_roles, found.global_roles) == (("a", "b", "c"), ())


@pytest.mark.parametrize("stop", ["--", "service"])
def test_end(stop: str) -> None:
    """Flags end at -- or at the first word that is none."""
    found = load("--verbose", stop, "list", "--s3_port=1")
    assert found.positional == [*([stop] if stop != "--" else []), "list", "--s3_port=1"]
    assert found.section(S3Flags).s3_port == 3333


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--s3_port=many"], "--s3_port must be an integer, not 'many'"),
        (["--s3_port="], "--s3_port must be an integer, not ''"),
        (["--s3_port=65536"], "--s3_port must be an integer from 0 to 65535, not '65536'"),
        (["--report_interval=-1"], "--report_interval must be an integer from 0 to "),
        (["--max_cores=99999999999999999999"], "--max_cores must be an integer from 0 to "),
        (["--verbose=perhaps"], "--verbose must be true or false, not 'perhaps'"),
        (["--s3_scheme=ftp"], "--s3_scheme must be http or https, not 'ftp'"),
        (["--ec2_scheme=ftp"], "--ec2_scheme must be http or https, not 'ftp'"),
        (["--noverbose=true"], "--noverbose takes no value"),
        (["--s3_port"], "flag --s3_port needs a value"),
        (["--rabbit-host=x"], "unknown flag --rabbit-host; did you mean --rabbit_host?"),
        (["--xyzzy"], "unknown flag --xyzzy"),
        (["--no_s3_port"], "unknown flag --no_s3_port"),
        (["--ec2_l"], "--ec2_l may be any of ec2_listen, ec2_listen_port"),
        (["--flagfile=/nowhere"], "can't read flag file /nowhere: No such file or directory"),
        (["--flagfile"], "flag --flagfile needs a value"),
    ],
)
def test_refused(argv: list[str], text: str) -> None:
    """What can't be understood is one sentence that names the flag."""
    with pytest.raises(StartupError) as caught:
        load(*argv)
    assert str(caught.value).startswith(text)


def test_not_ours() -> None:
    """A flag of another program is refused on the command line."""
    with pytest.raises(StartupError, match="unknown flag --libvirt_type"):
        load("--libvirt_type=qemu", wanted=(S3Flags,))


# Flag files.


@pytest.fixture
def flag_file(tmp_path: Path) -> Any:
    """Writes a flag file, returns the flag that names it."""

    def write(text: str, name: str = "nova.conf") -> str:
        (tmp_path / name).write_text(text)
        return f"--flagfile={tmp_path / name}"

    return write


def test_file(flag_file: Any) -> None:
    """One flag a line, = or blank before the value, whose own blanks stay; comments are skipped."""
    file = flag_file("# one\n// two\n\n  --s3_port=1  \n--images_path /a b\n--noverbose\n")
    found = load(file)
    assert found.section(S3Flags).s3_port == 1
    assert found.section(ImageFlags).images_path == "/a b"
    assert found.warnings == []


def test_command_line_wins(flag_file: Any) -> None:
    """What is said on the command line counts, before or after the file; in the file the last."""
    file = flag_file("--s3_port=1\n--s3_port=2\n--s3_host=file\n")
    for argv in (("--s3_port=3", file), (file, "--s3_port=3")):
        section = load(*argv).section(S3Flags)
        assert (section.s3_port, section.s3_host) == (3, "file")
    assert load(file).section(S3Flags).s3_port == 2


def test_nested(flag_file: Any, tmp_path: Path) -> None:
    """A flag file may name another, which counts at that place; itself, with a warning, once."""
    flag_file(f"--s3_port=2\n--s3_host=inner\n--flagfile={tmp_path}/nova.conf\n", "inner")
    found = load(flag_file(f"--s3_port=1\n--flagfile={tmp_path}/inner\n--s3_host=outer\n"))
    section = found.section(S3Flags)
    assert (section.s3_port, section.s3_host) == (2, "outer")
    [warning] = found.warnings
    assert "includes itself" in warning


def test_shared_file(flag_file: Any) -> None:
    """A file that daemons share may hold flags that this one does not read, in every form."""
    file = flag_file(
        "--libvirt_type qemu\n--nouse_cow_images\n--s3_port=1\n--fixed_range=10.0.0.0/8\n"
    )
    found = load(file, wanted=(S3Flags,))
    assert found.section(S3Flags).s3_port == 1
    assert found.warnings == []


def test_unknown_in_file(flag_file: Any) -> None:
    """A flag that nobody knows is passed over with a warning: where, and what was meant."""
    found = load(flag_file("--quota_disks 10\n--rabbit-host=x\n--s3_port=1\n"))
    assert found.section(S3Flags).s3_port == 1
    [one, two] = found.warnings
    assert ":1: unknown flag --quota_disks is ignored" in one
    assert ":2: unknown flag --rabbit-host is ignored; did you mean --rabbit_host?" in two


@pytest.mark.parametrize("text", ["s3_port=1", "--s3_port=many", "--s3_port"])
def test_bad_file(flag_file: Any, text: str) -> None:
    """A line that is wrong is named by file and number."""
    with pytest.raises(StartupError, match=r"nova\.conf:2: "):
        load(flag_file(f"\n{text}\n"))


def test_binary_file(tmp_path: Path) -> None:
    """A file that is no text is refused with a sentence."""
    (tmp_path / "image").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StartupError, match="not UTF-8"):
        load(f"--flagfile={tmp_path}/image")


def test_default_file(tmp_path: Path) -> None:
    """Unless another is named, nova.conf beside the program is the flag file."""
    (tmp_path / "nova.conf").touch()
    assert default_flagfile(str(tmp_path / "nova-api")) == str(tmp_path / "nova.conf")


def test_default_file_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If there is none beside the program, it is /etc/nova/nova.conf; if there is none, none."""
    there = {"/etc/nova/nova.conf"}
    monkeypatch.setattr(os.path, "exists", there.__contains__)
    assert default_flagfile(str(tmp_path / "nova-api")) == "/etc/nova/nova.conf"
    there.clear()
    assert default_flagfile(str(tmp_path / "nova-api")) is None


# Interpolation.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("$s3_host", "192.0.2.1"),
        ("a${s3_host}b", "a192.0.2.1b"),
        ("$$s3_host", "$s3_host"),
        ("$my_ip:$s3_port", "192.0.2.1:3333"),
        ("100%", "100%"),
    ],
)
def test_interpolation(value: str, expected: str) -> None:
    """$name and ${name} are that flag's value, also another section's; $$ is a dollar."""
    found = load("--my_ip=192.0.2.1", f"--buckets_path={value}")
    assert found.section(S3Flags).buckets_path == expected
    assert load("--my_ip=192.0.2.1").section(Ec2Flags).ec2_host == "192.0.2.1"


def test_interpolation_of_others(flag_file: Any) -> None:
    """A $name may be a flag of a section that the program does not read."""
    found = load(flag_file("--state_path=/srv/nova\n"), wanted=(ComputeFlags,))
    assert found.section(ComputeFlags).instances_path == "/srv/nova/instances"


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--s3_host=$nowhere"], "--s3_host: $nowhere in it names no flag"),
        (["--s3_host=$s3_dmz", "--s3_dmz=$s3_host"], "refers to itself"),
    ],
)
def test_bad_interpolation(argv: list[str], text: str) -> None:
    """A $name that leads nowhere, or in a circle, is refused."""
    with pytest.raises(StartupError) as caught:
        load(*argv)
    assert text in str(caught.value)


def test_no_secret() -> None:
    """No part of a password is in the sentence about it."""
    for name in ("sql_connection", "rabbit_password"):
        with pytest.raises(StartupError) as caught:
            load(f"--{name}=mysql://nova:s3$cret@host/nova")
        assert "s3" not in str(caught.value) and "cret" not in str(caught.value)


def test_no_secret_of_a_flag_without_dashes(
    flag_file: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A password whose flag lacks its dashes is refused, and told nobody."""
    with pytest.raises(StartupError) as caught:
        load(flag_file("rabbit_password=hush"))
    assert str(caught.value) == f"{tmp_path}/nova.conf:1: 'rabbit_password' is not a flag"
    with pytest.raises(SystemExit):
        Options().parseOptions([f"--state_path={tmp_path}", "rabbit_password=hush"])
    said = capsys.readouterr()
    assert "'rabbit_password' is not a flag" in said.err and "hush" not in said.out + said.err


# Help.


def test_usage() -> None:
    """The help lists every flag of the sections that a program reads, with default and type."""
    text = flag_help.text("nova-scheduler", (BusFlags, SqlFlags))
    lines = text.splitlines()
    assert lines[:3] == ["USAGE: nova-scheduler [flags]", "flags:", ""]
    for section in (BusFlags, SqlFlags):
        for entry in entries(section):
            dashes = "--[no]" if entry.kind is bool else "--"
            assert any(line.startswith(f"  {dashes}{entry.name}: ") for line in lines)
    assert "    (default: '5672')\n    (an integer)" in text
    assert "    (default: 'false')\n  --" in text
    assert "libvirt" not in text
