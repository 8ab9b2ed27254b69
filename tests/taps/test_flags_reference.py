"""docs/flags.md and etc/nova.conf.sample say what the flags are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nova_tx.flag_fields import entries
from nova_tx.flags import Flags, LogFlags, S3Flags, SchedulerFlags, sections
from nova_tx.taps import reference
from nova_tx.unbuilt import unread

TOP = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/flags.md", reference.flags_page),
        ("etc/nova.conf.sample", reference.sample_file),
    ],
)
def test_it_is_current(path: str, text: object) -> None:
    """The file is what C{python -m nova_tx.taps.reference} writes."""
    assert callable(text)
    assert (TOP / path).read_text(encoding="utf-8") == text()


def test_the_page_has_all() -> None:
    """Every flag is in the page, once, whether it has an effect or not."""
    rows = re.findall(r"^\| `(\w+)` \|", reference.flags_page(), re.MULTILINE)
    names = [entry.name for section in sections() for entry in entries(section)]
    for name in (*names, *(each.name for each in unread())):
        assert rows.count(name) == 1, name


def test_readers() -> None:
    """Each section has a program that reads it, and is said to be read by those that do."""
    found = reference.readers()
    assert all(found[section] for section in sections())
    assert found[SchedulerFlags] == ["nova-all", "nova-scheduler"]
    assert "nova-manage" in found[LogFlags] and "nova-scheduler" not in found[S3Flags]


def test_the_sample_says_what_is_so_anyway(tmp_path: Path) -> None:
    """The sample without its comment signs changes nothing, and each of its lines is right."""
    lines = [line[1:] for line in reference.sample_file().splitlines() if line.startswith("#--")]
    assert len(lines) == sum(len(entries(section)) for section in sections())
    file = tmp_path / "nova.conf"
    file.write_text("\n".join(line for line in lines if "=<" not in line))
    file.chmod(0o600)
    said, default = Flags.load([f"--flagfile={file}"], sections()), Flags.load([], sections())
    assert said.warnings == []
    for section in sections():
        for name, value in vars(default.section(section)).items():
            expected = value.rstrip() if isinstance(value, str) else value
            assert getattr(said.section(section), name) == expected
