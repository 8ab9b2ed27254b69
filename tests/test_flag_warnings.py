"""What is accepted, but said: flags without effect, wrong names, secrets that everyone can read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nova_tx import unbuilt
from nova_tx.errors import StartupError
from nova_tx.flags import BusFlags, Flags, NodeFlags, S3Flags, sections


def load(*argv: str, wanted: tuple[type[Any], ...] = sections()) -> Flags:
    return Flags.load(argv, wanted)


@pytest.fixture
def flag_file(tmp_path: Path) -> Any:
    """Writes a flag file, returns the flag that names it."""

    def write(text: str, mode: int = 0o600) -> str:
        path = tmp_path / "nova.conf"
        path.write_text(text)
        path.chmod(mode)
        return f"--flagfile={path}"

    return write


# Flags without effect.


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--volume_group=vg"], "--volume_group belongs to volumes, which are not built yet; it"),
        (["--volume_group", "vg"], "--volume_group belongs to volumes"),
        (["--volume_gr", "vg"], "--volume_group belongs to volumes"),
        (["--use_ipv6"], "--use_ipv6 belongs to IPv6, which is not built yet; it has no effect"),
        (["--noflat_injected"], "--flat_injected belongs to networks that are written into"),
        (["--fake_call"], "--fake_call has no effect: without a broker (--fake_rabbit) all"),
    ],
)
def test_without_effect(flag_file: Any, words: list[str], said: str) -> None:
    """Who sets a flag of a room that is not built is told, by whichever way it is set."""
    [warning] = load(*words, wanted=(NodeFlags,)).warnings
    assert warning.startswith(said)
    [warning] = load(flag_file(" ".join(words)), wanted=(NodeFlags,)).warnings
    assert warning.split(": ", 1)[1].startswith(said)
    assert warning.split(": ", 1)[0].endswith("nova.conf:1")


@pytest.mark.parametrize("words", [["--volume_group=nova-volumes"], ["--nouse_ipv6"]])
def test_the_default_says_nothing(words: list[str]) -> None:
    """A flag without effect that is set to its default is as if it were not there."""
    assert load(*words).warnings == []


def test_the_last_one_counts(flag_file: Any) -> None:
    """A flag without effect that is set twice is told of once; not if it ends as its default."""
    file = flag_file("--volume_group=a\n--volume_group=b\n")
    assert len(load(file).warnings) == 1
    assert load(file, "--volume_group=nova-volumes").warnings == []


def test_of_a_wrong_type() -> None:
    """A flag without effect has a type, and what is not of it is refused."""
    with pytest.raises(StartupError, match="--vlan_start must be an integer, not 'many'"):
        load("--vlan_start=many")


def test_others_may_refer_to_it() -> None:
    """A $name may be a flag without effect."""
    found = load("--volume_group=vg", "--buckets_path=/srv/$volume_group")
    assert found.section(S3Flags).buckets_path == "/srv/vg"


# Wrong names.


def test_once(flag_file: Any) -> None:
    """An unknown flag is told of once, however often a file has it."""
    [warning] = load(flag_file("--rabbit_hst=a\n--rabbit_hst=b\n")).warnings
    assert ":1: unknown flag --rabbit_hst is ignored; did you mean --rabbit_host?" in warning


def test_beginnings_in_a_file(flag_file: Any) -> None:
    """A beginning in a flag file means what it means on the command line, of others' flags, too."""
    file = flag_file("--s3_po=1\n--libvirt_t=qemu\n--noverb\n")
    found = load(file, wanted=(S3Flags,))
    assert (found.section(S3Flags).s3_port, found.warnings) == (1, [])


def test_beginning_of_several(flag_file: Any) -> None:
    """A beginning of several flags in a file is passed over, with their names."""
    [warning] = load(flag_file("--ec2_l=x\n")).warnings
    assert "--ec2_l may be any of ec2_listen, ec2_listen_port; it is ignored" in warning


@pytest.mark.parametrize(("wrong", "right"), sorted(unbuilt.SPELLINGS.items()))
def test_spellings_of_the_manual(flag_file: Any, wrong: str, right: str) -> None:
    """A name that the manual has wrongly is taken for the right one, with a warning."""
    said = f"--{wrong} is taken for --{right}, as the flag is called"
    found = load(f"--{wrong}=7")
    assert found.warnings[0] == said
    found = load(flag_file(f"--{wrong} 7\n"))
    assert found.warnings[0].endswith(f"nova.conf:1: {said}")


def test_spelt_as_in_the_manual_it_works() -> None:
    """A flag under the manual's name has its effect."""
    found = load("--rabbit-retry-interval=7", "--periodec_interval", "8")
    assert found.section(BusFlags).rabbit_retry_interval == 7
    assert found.section(NodeFlags).periodic_interval == 8


@pytest.mark.parametrize(
    "words",
    [
        ["--undefok=abc,def", "--abc=1", "--def", "--nodef"],
        ["--abc=1", "--def", "--undefok", "abc, def"],
    ],
)
def test_undefok(flag_file: Any, words: list[str]) -> None:
    """Flags that --undefok names may be unknown, before and after it, and nothing is said."""
    found = load(*words, "--s3_port=1", "rest")
    assert (found.section(S3Flags).s3_port, found.positional) == (1, ["rest"])
    assert found.warnings == []
    assert load(flag_file("--undefok=abc\n--abc 1 2\n")).warnings == []


# Secrets.


@pytest.mark.parametrize(
    "line",
    [
        "--rabbit_password=s3cret",
        "--sql_connection=mysql://nova:s3cret@db/nova",
        "--aws_secret_access_key=s3cret",
    ],
)
def test_secrets_that_everyone_can_read(flag_file: Any, line: str) -> None:
    """A flag file that tells a secret to everyone is named, and the secret is not."""
    found = load(flag_file(line, 0o644))
    [warning] = [each for each in found.warnings if "chmod" in each]
    name = line.partition("=")[0]
    assert f"nova.conf can be read by everyone, and {name} in it is secret: chmod o-r" in warning
    assert "s3cret" not in "".join(found.warnings)


@pytest.mark.parametrize(
    ("line", "mode"),
    [
        ("--rabbit_password=s3cret", 0o640),
        ("--rabbit_password=guest", 0o644),
        ("--sql_connection=sqlite:////var/lib/nova/nova.sqlite", 0o644),
        ("--rabbit_host=broker", 0o644),
    ],
)
def test_files_that_may_be_as_they_are(flag_file: Any, line: str, mode: int) -> None:
    """A file that others can't read, or that has nothing secret in it, is not complained of."""
    assert load(flag_file(line, mode)).warnings == []


# The file that is read if none is named.


def test_fallback(flag_file: Any, tmp_path: Path) -> None:
    """The default file is read if the command line names none, and only then."""
    path = flag_file("--s3_port=1\n").partition("=")[2]
    other = tmp_path / "other"
    other.write_text("--s3_host=x\n")
    found = Flags.load(["--s3_host=y"], (S3Flags,), path)
    assert (found.section(S3Flags).s3_port, found.fell_back) == (1, True)
    found = Flags.load([f"--flagf={other}"], (S3Flags,), path)
    assert (found.section(S3Flags).s3_port, found.fell_back) == (3333, False)
    assert found.section(S3Flags).s3_host == "x"


def test_home(flag_file: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """~ in a flag file's name is the user's home."""
    flag_file("--s3_port=1\n")
    monkeypatch.setitem(os.environ, "HOME", str(tmp_path))
    assert load("--flagfile=~/nova.conf").section(S3Flags).s3_port == 1
