"""docs/adding.md: each example is put in its place and used."""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_tx import flag_help
from nova_tx.db.engine import Database
from nova_tx.errors import StartupError
from nova_tx.flag_fields import flag
from nova_tx.flags import ComputeFlags, Flags, LibvirtFlags
from nova_tx.manage.main import main
from nova_tx.model.guests import GuestSpec
from nova_tx.taps.parts import drivers
from nova_tx.testing.conformance.virt import make_virt_tests
from nova_tx.testing.ec2 import Door
from nova_tx.testing.guests import guest_spec
from nova_tx.virt.interfaces import IVirtDriver

PAGE = Path(__file__).resolve().parents[1] / "docs" / "adding.md"
FILE = re.compile(r"<!-- file: (nova_tx/[\w/]+)\.py -->\n```python\n(.*?)```", re.DOTALL)
FLAG = re.compile(r"<!-- flag -->\n```python\n(.*?)```", re.DOTALL)
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[str]]:
    """The page's files where their packages find them."""
    top = tmp_path_factory.mktemp("examples")
    names, packages = set(), []
    for path, text in FILE.findall(TEXT):
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / f"{path}.py").write_text(text, encoding="utf-8")
        name = path.replace("/", ".")
        package = importlib.import_module(name.rpartition(".")[0])
        package.__path__.append(str((top / path).parent))
        names.add(name)
        packages.append(package)
    importlib.invalidate_caches()
    yield names
    for package in packages:
        package.__path__.pop()
    for name in names:
        if sys.modules.pop(name, None) is not None:
            delattr(sys.modules[name.rpartition(".")[0]], name.rpartition(".")[2])


def test_the_page_has_its_examples(examples: set[str]) -> None:
    """An action, a driver and a command are shown as whole files."""
    assert examples == {
        "nova_tx.api.ec2.actions.id_formats",
        "nova_tx.virt.dry",
        "nova_tx.manage.commands.zone",
    }


def test_the_action_answers(database: Database) -> None:
    """boto3 gets the new action's answer."""
    door = Door(database)
    joe = door.add_user("joe")
    answer = door.client(joe).describe_id_format(Resource="instance")
    assert answer["Statuses"] == [{"Resource": "instance", "UseLongIds": False}]


class DryBench:
    """Guests as files, beside what libvirt would be told."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def driver(self) -> object:
        import nova_tx.virt

        made = drivers(IVirtDriver, nova_tx.virt)["dry"]
        return made(ComputeFlags(instances_path=str(self._directory)), LibvirtFlags())

    def spec(self, name: str) -> GuestSpec:
        return guest_spec(self._directory, name)

    async def switch_off(self, driver: object, name: str) -> None:
        driver.switch_off(name)  # type: ignore[attr-defined]


class TestDryDriver(make_virt_tests(DryBench)):  # type: ignore[misc]
    """The suite of IVirtDriver on the page's driver."""


async def test_the_driver_does_what_is_new_about_it(tmp_path: Path) -> None:
    """The page's driver leaves the domain's XML."""
    bench = DryBench(tmp_path)
    spec = bench.spec("instance-00000001")
    await bench.driver().spawn(spec)  # type: ignore[attr-defined]
    assert "<name>instance-00000001</name>" in Path(spec.directory, "libvirt.xml").read_text()


def test_the_flag_is_read_and_shown() -> None:
    """The page's line is all that a flag takes."""
    fields: dict[str, object] = {}
    [line] = FLAG.findall(TEXT)
    exec(line, {"flag": flag}, fields)
    [(name, kind)] = fields.pop("__annotations__", {"console_bytes": int}).items()  # type: ignore[attr-defined]
    section = dataclasses.make_dataclass("Example", [(name, kind, fields[name])], frozen=True)
    flags = Flags.load(["--console_bytes=7"], [section])
    assert flags.section(section).console_bytes == 7  # type: ignore[attr-defined]
    assert "--console_bytes: bytes of a guest's console" in flag_help.text(
        "nova-compute", [section]
    )
    with pytest.raises(StartupError, match="--console_bytes must be an integer"):
        Flags.load(["--console_bytes=many"], [section])


def test_the_command_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """nova-manage zone list works, and is listed."""
    state = f"--state_path={tmp_path}"
    assert main(["nova-manage", state, "db", "sync"]) == 0
    assert main(["nova-manage", state, "z", "l"]) == 0
    capsys.readouterr()
    assert main(["nova-manage", state, "zone"]) == 2
    assert "\tlist\n" in capsys.readouterr().out
