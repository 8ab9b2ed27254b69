"""twistd finds the daemons, and each can be built from its flags alone."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins

from nova_tx.flags import Flags, sections
from nova_tx.taps.daemon import Daemon

DAEMONS = ("api", "objectstore", "scheduler", "compute", "network", "all")


def test_twistd_finds_them() -> None:
    """Every daemon is a plugin, under its name."""
    found = {each.tapname: each.module for each in getPlugins(IServiceMaker)}
    for name in DAEMONS:
        assert found[f"nova-{name}"] == f"nova_tx.taps.{name}"


@pytest.mark.parametrize("name", DAEMONS)
def test_each_is_built_and_opens_nothing(name: str, tmp_path: Path) -> None:
    """A daemon needs no section of flags that it does not read, and touches nothing yet."""
    tap = importlib.import_module(f"nova_tx.taps.{name}")
    options = tap.Options()
    options.parseOptions(
        [f"--state_path={tmp_path}", "--connection_type=fake", "--my_ip=127.0.0.1"]
        if name in ("compute", "all")
        else [f"--state_path={tmp_path}"]
    )
    assert isinstance(tap.makeService(options), Daemon)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", DAEMONS)
def test_help_lists_what_it_reads(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help shows each flag of the daemon's sections, and ends with status 1 as ever."""
    options = importlib.import_module(f"nova_tx.taps.{name}").Options()
    with pytest.raises(SystemExit) as ended:
        options.parseOptions(["--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 1
    for section in options.wanted:
        for flag in section.__dataclass_fields__:
            assert f"{flag}:" in shown


def test_a_wrong_flag_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A flag of the wrong type ends a daemon with one sentence and status 1."""
    options = importlib.import_module("nova_tx.taps.scheduler").Options()
    with pytest.raises(SystemExit) as ended:
        options.parseOptions(["--max_cores=many"])
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said == "nova-scheduler: --max_cores must be an integer, not 'many'\n"


def test_a_wrong_choice_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A driver that is not there ends a daemon with the list of those that are."""
    tap = importlib.import_module("nova_tx.taps.scheduler")
    options = tap.Options()
    options.parseOptions([f"--state_path={tmp_path}", "--scheduler_driver=nova.no.Such"])
    with pytest.raises(SystemExit):
        tap.makeService(options)
    said = capsys.readouterr().err
    assert said.startswith("nova-scheduler: unknown --scheduler_driver 'nova.no.Such'; there are: ")
    assert said.count("\n") == 1


def test_the_example_flag_file_is_known() -> None:
    """etc/nova.conf names no flag that is not there."""
    example = Path(__file__).resolve().parents[1] / "etc" / "nova.conf"
    assert Flags.load([f"--flagfile={example}"], sections()).warnings == []


@pytest.mark.parametrize("flag", ["api_workers", "objectstore_workers"])
def test_one_process_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str) -> None:
    """nova-all refuses to be several processes."""
    tap = importlib.import_module("nova_tx.taps.all")
    options = tap.Options()
    options.parseOptions([f"--state_path={tmp_path}", f"--{flag}=2"])
    with pytest.raises(SystemExit):
        tap.makeService(options)
    assert capsys.readouterr().err == f"nova-all: is one process, so --{flag} must be 1\n"


def test_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of several has a crew beside all that one has; the others have the API alone."""
    tap = importlib.import_module("nova_tx.taps.api")

    def parts(*words: str) -> list[str]:
        options = tap.Options()
        options.parseOptions([f"--state_path={tmp_path}", *words])
        return [type(each).__name__ for each in tap.makeService(options)._parts]

    one = parts()
    assert parts("--api_workers=3") == [*one, "Crew"]
    monkeypatch.setenv("NOVA_TX_CREW_SOCKET", "3")
    held: list[object] = []
    monkeypatch.setattr("twisted.internet.reactor.callWhenRunning", lambda *what: held.append(what))
    others = parts("--api_workers=3")
    assert others == [each for each in one if each not in ("Resumed", "Sweep")][: len(others)]
    assert others.count("Listener") == 1
    assert any(getattr(what[0], "__name__", "") == "hold" for what in held)  # type: ignore[index]


def test_several_objectstores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of several processes has a store and the listener, the first one the crew besides."""
    tap = importlib.import_module("nova_tx.taps.objectstore")

    def parts(*words: str) -> list[str]:
        options = tap.Options()
        options.parseOptions([f"--state_path={tmp_path}", *words])
        return [type(each).__name__ for each in tap.makeService(options)._parts]

    one = parts()
    assert one[-2:] == ["Objectstore", "Listener"]
    assert parts("--objectstore_workers=3") == [*one, "Crew"]
    monkeypatch.setenv("NOVA_TX_CREW_SOCKET", "3")
    held: list[object] = []
    monkeypatch.setattr("twisted.internet.reactor.callWhenRunning", lambda *what: held.append(what))
    assert parts("--objectstore_workers=3") == one
    assert any(getattr(what[0], "__name__", "") == "hold" for what in held)  # type: ignore[index]
