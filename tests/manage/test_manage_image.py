"""nova-manage image convert, as far as it goes without an objectstore."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nova_tx.errors import ImageError, InvalidInput
from nova_tx.flags import Flags
from nova_tx.manage.commands import image
from nova_tx.manage.parts import SECTIONS, CommandFailed, Parts
from nova_tx.manage.uploads import File
from nova_tx.model.images import ITSELF

PARTS = Parts(Flags.load([], SECTIONS), 1.0)


class Registry:
    """Takes files for images, but for those in directory C{aki-bad}."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}

    async def register(self, file: File) -> str:
        if "aki-bad" in file.path:
            raise ImageError("no room")
        image_id = f"ami-{len(self.files)}"
        self.files[image_id] = file
        return image_id


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """What images are registered in."""
    made = Registry()

    @asynccontextmanager
    async def uploads(parts: Parts) -> AsyncIterator[Registry]:
        yield made

    monkeypatch.setattr(image, "_uploads", uploads)
    return made


def kept(directory: Path, name: str, **facts: object) -> None:
    """An image as it was kept in 2011."""
    (directory / name).mkdir()
    said = {"imageId": name, "imageOwnerId": "admin", **facts}
    (directory / name / "info.json").write_text(json.dumps(said))


async def test_convert(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kernels come first, and disks with them; a disk whose kernel did not come does not."""
    kept(tmp_path, "ami-good", imageType="machine", kernelId="aki-good")
    kept(tmp_path, "ami-bad", imageType="machine", kernelId="aki-bad")
    kept(tmp_path, "ami-raw", imageType="machine", kernelId="nokernel")
    kept(tmp_path, "ami-old", imageType="machine", ramdiskId="ari-gone")
    kept(tmp_path, "aki-good", imageType="kernel", kernelId="true")
    kept(tmp_path, "aki-bad", imageType="kernel")
    with pytest.raises(CommandFailed, match="3 not converted"):
        await image.convert(PARTS, str(tmp_path))
    kernel, disk, raw = registry.files.values()
    assert (kernel.kernel_id, disk.kernel_id, raw.kernel_id) == (ITSELF, "ami-0", None)
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "Image aki-good converted to ami-0 (ami-0).",
        "Image ami-good converted to ami-1 (ami-1).",
        "Image ami-raw converted to ami-2 (ami-2).",
    ]
    assert told.err.splitlines() == [
        "Failed to convert aki-bad: no room",
        "Failed to convert ami-bad: aki-bad was not.",
        "Failed to convert ami-old: ari-gone was not.",
    ]


async def test_all_or_none(registry: Registry, tmp_path: Path) -> None:
    """Nothing is registered of three files if one can't be read."""
    files = [tmp_path / name for name in ("disk", "kernel", "ramdisk")]
    for missing in files:
        for each in files:
            each.write_text("x")
        missing.unlink()
        with pytest.raises(InvalidInput, match=rf"\Acan't read {missing}: No such file"):
            await image.all_register(PARTS, *map(str, files), owner="admin")
    assert registry.files == {}
