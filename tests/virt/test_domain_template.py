"""A guest's description in the operator's words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from twisted.internet import reactor

from nova_tx.errors import StartupError
from nova_tx.flags import Flags, LibvirtFlags
from nova_tx.states import Power
from nova_tx.testing.guests import guest_spec
from nova_tx.testing.runner import FakeRunner
from nova_tx.virt.libvirt import domains
from nova_tx.virt.libvirt.domain_xml import domain
from nova_tx.virt.libvirt.driver import LibvirtDriver
from nova_tx.virt.libvirt.template import DomainTemplate

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operating.md"
[EXAMPLE] = re.findall(r"```xml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The page's template."""
    path = tmp_path / "guest.xml"
    path.write_text(EXAMPLE)
    return path


async def test_guests_are_described_so(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With libvirt_xml_template libvirt is told what the file says, with the guest filled in."""
    words = ["--libvirt_type=qemu", f"--libvirt_xml_template={file}"]
    flags = Flags.load(words, (LibvirtFlags,)).section(LibvirtFlags)
    driver = LibvirtDriver(reactor, FakeRunner(), flags)
    told: list[str] = []

    async def run(work: Any, *arguments: Any) -> Any:
        if work is domains.create:
            told.append(arguments[0])
        return Power.RUNNING if told else None

    monkeypatch.setattr(driver._thread, "run", run)
    spec = guest_spec(tmp_path, "instance-00000001")
    await driver.spawn(spec)
    root, ours = fromstring(told[0]), fromstring(domain(spec, "qemu", True))
    assert root.get("type") == "qemu"
    assert root.find("cpu[@mode='host-passthrough']") is not None
    for name in ("name", "memory", "vcpu"):
        assert root.findtext(name) == ours.findtext(name)
    for name in ("os", "devices"):
        assert [each.tag for each in root.iterfind(f"{name}/*")] == [
            each.tag for each in ours.iterfind(f"{name}/*")
        ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<domain>$devises</domain>", r"\$devises stands for nothing"),
        ("<domain>$</domain>", "Invalid placeholder"),
        ("<domain>", "no element found"),
        ("<domain type='$type'>#if $x\n</domain>", r"\$x stands for nothing"),
    ],
)
def test_no_template(file: Path, text: str, why: str) -> None:
    """A file that is no template is refused before any guest is."""
    file.write_text(text)
    with pytest.raises(StartupError, match=f"--libvirt_xml_template: .* can't be used: {why}"):
        DomainTemplate(str(file))


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there, or is no text, is refused."""
    (tmp_path / "image").write_bytes(b"\xff\xfe")
    for name, why in (("none", "No such file or directory"), ("image", "it is not UTF-8")):
        with pytest.raises(StartupError, match=why):
            DomainTemplate(str(tmp_path / name))
