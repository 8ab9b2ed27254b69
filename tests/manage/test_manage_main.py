"""nova-manage as it is called: words in, text and exit status out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nova_tx.manage.catalogue import categories
from nova_tx.manage.main import main
from nova_tx.testing.manage import Manage, Told

CATEGORIES = "".join(f"\t{name}\n" for name in categories())


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
