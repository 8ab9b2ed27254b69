"""Help in the three forms of gflags, from every program."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from xml.etree.ElementTree import fromstring

import pytest

from nova_tx.flag_fields import SyntaxFlags, entries
from nova_tx.flagfile import HelpAsked
from nova_tx.flags import Flags, S3Flags, sections
from nova_tx.manage.main import main
from nova_tx.manage.parts import SECTIONS
from nova_tx.taps.options import ALWAYS, DaemonOptions
from nova_tx.unbuilt import unread

DAEMONS = ("api", "objectstore", "scheduler", "compute", "network", "all")
PROGRAMS = (*DAEMONS, "manage")


def options(name: str) -> DaemonOptions:
    found: DaemonOptions = importlib.import_module(f"nova_tx.taps.{name}").Options()
    return found


def reads(name: str) -> set[str]:
    """The flags that a program reads."""
    wanted = SECTIONS if name == "manage" else (*options(name).wanted, *ALWAYS)
    return {entry.name for section in wanted for entry in entries(section)}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a program that is to print its help and end with status 1."""

    def run(name: str, *words: str) -> str:
        if name == "manage":
            assert main(["nova-manage", *words]) == 1
        else:
            with pytest.raises(SystemExit) as ended:
                options(name).parseOptions(list(words))
            assert ended.value.code == 1
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("word", ["--help", "-?", "-help", "--help=true"])
def test_help(run: Callable[..., str], program: str, word: str) -> None:
    """--help says what the program is, and has each flag that it reads, in gflags' form."""
    shown = run(program, word)
    lines = shown.splitlines()
    assert lines[0] and not lines[0].startswith("USAGE") and "C{" not in shown
    for name in reads(program):
        assert any(line.startswith((f"  --{name}: ", f"  --[no]{name}: ")) for line in lines)
    assert "  -?,--[no]help: show this help" in lines
    assert "  --[no]helpshort: " in shown and "  --[no]helpxml: " in shown
    assert "  --flagfile: " in shown and "  --undefok: " in shown
    assert not any(f"--{each.name}: " in shown for each in unread()), "has no effect, but is shown"


@pytest.mark.parametrize("program", DAEMONS)
def test_helpshort(run: Callable[..., str], program: str) -> None:
    """--helpshort has the flags of what the daemon does, and no others."""
    own = {each.name for section in options(program).own for each in entries(section)}
    assert own
    shown = run(program, "--helpshort")
    for name in reads(program):
        there = f"  --{name}: " in shown or f"  --[no]{name}: " in shown
        assert there == (name in own), name


@pytest.mark.parametrize("program", PROGRAMS)
def test_helpxml(run: Callable[..., str], program: str) -> None:
    """--helpxml is a document of all flags, with type and default of each."""
    root = fromstring(run(program, "--helpxml"))
    assert root.tag == "AllFlags" and root.findtext("program") and root.findtext("usage")
    found = {each.findtext("name"): each for each in root.iterfind("flag")}
    assert set(found) == reads(program) | {entry.name for entry in entries(SyntaxFlags)}
    assert found["help"].findtext("short_name") == "?"
    verbose = found["verbose"]
    assert [verbose.findtext(each) for each in ("type", "default", "current", "file")] == [
        *("bool", "false", "false", "nova_tx.sections.daemons")
    ]
    own = set() if program == "manage" else {*options(program).own}
    keys = {each.name for section in own for each in entries(section)}
    assert {name for name, each in found.items() if each.findtext("key") == "yes"} == keys


def test_help_needs_no_flag_file(run: Callable[..., str]) -> None:
    """Help is there although a flag file is not, and before or after other flags."""
    assert "USAGE: nova-compute" in run("compute", "--flagfile=/nowhere", "--verbose", "--help")
    assert "USAGE: nova-compute" in run("compute", "-?", "--flagfile=/nowhere")


def test_no_secret(run: Callable[..., str]) -> None:
    """What was given beside --helpxml is not in it."""
    assert "s3cret" not in run("compute", "--rabbit_password=s3cret", "--helpxml")


@pytest.mark.parametrize("word", ["--nohelp", "--help=false", "--nohelpshort", "--nohelpxml"])
def test_no_help(word: str) -> None:
    """The flags of help are booleans: denied they do nothing."""
    assert Flags.load([word, "--s3_port=1"], (S3Flags,)).section(S3Flags).s3_port == 1


@pytest.mark.parametrize(
    ("words", "kind"), [(["--helps"], "helpshort"), (["--helpx"], "helpxml"), (["-h"], "help")]
)
def test_beginnings(words: list[str], kind: str) -> None:
    """Help may be shortened as every flag."""
    with pytest.raises(HelpAsked) as asked:
        Flags.load(words, sections())
    assert asked.value.kind == kind


def test_a_value_is_no_question() -> None:
    """A word that is a flag's value, or comes after the flags, asks for nothing."""
    found = Flags.load(["--s3_host", "--help", "list", "--help"], (S3Flags,))
    assert found.section(S3Flags).s3_host == "--help"
    assert found.positional == ["list", "--help"]
