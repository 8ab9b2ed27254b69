"""Drivers of other distributions: found by their entry points, and refused if they can't be."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

import nova_tx.scheduler.policies
from nova_tx.errors import StartupError
from nova_tx.flags import Flags, S3Flags, sections
from nova_tx.manage.main import main
from nova_tx.model.hosts import Host
from nova_tx.scheduler.policies.interfaces import IPolicy
from nova_tx.taps.parts import Parts, drivers
from nova_tx.testing.rows import an_instance
from nova_tx.virt.fake import FakeDriver
from nova_tx.virt.libvirt.driver import LibvirtDriver

PAGE = Path(__file__).resolve().parents[1] / "docs" / "adding.md"
PIECE = re.compile(r"<!-- elsewhere: ([\w.]+) -->\n```python\n(.*?)```", re.DOTALL)
PIECES = dict(PIECE.findall(PAGE.read_text(encoding="utf-8")))
HOSTS = (Host("HostA", "nova", 0), Host("HostB", "nova", 0))


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs a distribution with one module, in a directory that Python looks into."""
    monkeypatch.syspath_prepend(str(tmp_path))
    installed = []

    def install(module: str, text: str, points: dict[str, list[str]]) -> None:
        (tmp_path / f"{module}.py").write_text(text)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = [line for group, found in points.items() for line in (f"[{group}]", *found)]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        importlib.invalidate_caches()
        monkeypatch.syspath_prepend(str(tmp_path / "none"))  # the path is another: look anew
        installed.append(module)

    yield install
    for module in installed:
        sys.modules.pop(module, None)


@pytest.fixture
def acme(install: Callable[..., None]) -> None:
    """The page's distribution, installed."""
    [call] = [
        node for node in ast.walk(ast.parse(PIECES["setup.py"])) if isinstance(node, ast.Call)
    ]
    words = {each.arg: ast.literal_eval(each.value) for each in call.keywords}
    assert words["py_modules"] == ["acme_nova"]
    install("acme_nova", PIECES["acme_nova.py"], words["entry_points"])


def scheduler(*words: str) -> Any:
    """nova-scheduler's options from a command line."""
    options = importlib.import_module("nova_tx.taps.scheduler").Options()
    options.parseOptions(list(words))
    return options


@pytest.mark.usefixtures("acme")
def test_the_policy_of_the_page_schedules(tmp_path: Path) -> None:
    """scheduler_driver chooses the other distribution's policy, which gets its flags."""
    words = ("--scheduler_driver=acme.Favourite", "--acme_favourite=HostB")
    options = scheduler(f"--state_path={tmp_path}", *words)
    policy = Parts(options.flags, None, None).policy
    assert policy.choose(HOSTS, an_instance()).name == "HostB"
    assert policy.choose(HOSTS[:1], an_instance()).name == "HostA"


@pytest.mark.usefixtures("acme")
def test_its_flags_are_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its flags are in a daemon's help, and nova-manage passes over them in a shared file."""
    with pytest.raises(SystemExit):
        scheduler("--help")
    assert "  --acme_favourite: host that is chosen if it lives" in capsys.readouterr().out
    file = tmp_path / "nova.conf"
    file.write_text(f"--acme_favourite=HostB\n--state_path={tmp_path}\n")
    assert main(["nova-manage", f"--flagfile={file}", "db", "sync"]) == 0
    assert capsys.readouterr().err == ""


def test_a_name_that_is_taken(install: Callable[..., None]) -> None:
    """Nobody takes the name of one of our drivers."""
    text = PIECES["acme_nova.py"]
    install("acme_nova", text, {"nova_tx.scheduler.policies": ["chance = acme_nova:Favourite"]})
    with pytest.raises(StartupError, match=r"chance is registered .* but that name is taken"):
        drivers(IPolicy, nova_tx.scheduler.policies)


def test_a_name_that_two_want(install: Callable[..., None]) -> None:
    """Two distributions can't have the same name for two things."""
    text = PIECES["acme_nova.py"]
    for module in ("acme_one", "acme_two"):
        install(module, text, {"nova_tx.scheduler.policies": [f"acme = {module}:Favourite"]})
    with pytest.raises(StartupError, match=r"two entry points of nova_tx\.scheduler\.policies are"):
        drivers(IPolicy, nova_tx.scheduler.policies)


def test_what_provides_nothing(install: Callable[..., None]) -> None:
    """A thing that is no driver is refused, with its name."""
    install("acme_not", "class Not: pass", {"nova_tx.scheduler.policies": ["not = acme_not:Not"]})
    with pytest.raises(StartupError, match="not is registered, but is no IPolicy"):
        drivers(IPolicy, nova_tx.scheduler.policies)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import nowhere_to_be_found", "can't be loaded: ModuleNotFoundError: No module named"),
        ("Flags = 1", "is no dataclass of flags"),
    ],
)
def test_what_is_broken(install: Callable[..., None], text: str, why: str) -> None:
    """An entry point that can't be loaded, or is no section, ends a program with one sentence."""
    install("acme_broken", text, {"nova_tx.flags": ["broken = acme_broken:Flags"]})
    with pytest.raises(StartupError, match=why) as caught:
        Flags.load([], (S3Flags,))
    assert "broken" in str(caught.value) and "nova_tx.flags" in str(caught.value)


def test_a_hypervisor_by_its_driver() -> None:
    """compute_driver names a driver, whatever connection_type says; by default that says it."""
    for words, kind in (
        (["--connection_type=fake"], FakeDriver),
        (["--compute_driver=fake"], FakeDriver),
        (["--compute_driver=nova.virt.fake.get_connection"], FakeDriver),
        (["--compute_driver=nova.virt.connection.get_connection"], LibvirtDriver),
    ):
        assert isinstance(Parts(Flags.load(words, sections()), Clock(), None).driver, kind)
    with pytest.raises(StartupError, match="unknown --compute_driver 'hyperv'; there are: fake"):
        _ = Parts(Flags.load(["--compute_driver=hyperv"], sections()), Clock(), None).driver
