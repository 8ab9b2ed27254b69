"""Uploads of several files, on a bucket in memory."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nova_tx.local.boto_shim import BotoServerError
from nova_tx.local.terminal import Bar
from nova_tx.local.upload import Upload, missing


class Cloud:
    """What all connections see: objects, and what happens to each try of a file."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.tries: list[str] = []
        self.failures: dict[str, list[Exception]] = {}
        self.listed: list[str] = []
        self.connections = 0
        self.lock = threading.Lock()
        self.before: Callable[[str], None] = lambda name: None

    def connect(self) -> Any:
        """Another connection to the bucket."""
        with self.lock:
            self.connections += 1
        return SimpleNamespace(list=self._list, new_key=self._key)

    def _list(self, prefix: str) -> list[Any]:
        self.listed.append(prefix)
        return [
            SimpleNamespace(name=name, etag=f'"{hashlib.md5(content).hexdigest()}"')
            for name, content in self.objects.items()
        ]

    def _key(self, name: str) -> Any:
        def send(
            path: str, headers: dict[str, str], cb: Callable[[int, int], None], **_: Any
        ) -> None:
            assert headers == {"x-amz-acl": "aws-exec-read"}
            with self.lock:
                self.tries.append(name)
            self.before(name)
            with self.lock:
                failure = self.failures.get(name) or [None]
            content = Path(path).read_bytes()
            cb(len(content) // 2, len(content))
            if error := failure.pop(0):
                raise error
            self.objects[name] = content

        return SimpleNamespace(set_contents_from_filename=send)


def _unseen(title: str, total: int) -> Bar:
    return Bar(title, total, io.StringIO())


def _upload(cloud: Cloud, out: Any = None) -> Upload:
    def bar(title: str, total: int) -> Bar:
        return Bar(title, total, out or io.StringIO())

    return Upload(cloud.connect, "uploading", (0.0, 0.0), bar)


def _files(tmp_path: Path, count: int = 6) -> list[Path]:
    files = [tmp_path / f"x.part.{number}" for number in range(count)]
    files.append(tmp_path / "x.manifest.xml")
    for each in files:
        each.write_bytes(each.name.encode() * 100)
    return files


def test_all(tmp_path: Path) -> None:
    """All files arrive, the manifest after all others, each thread having its own connection."""
    cloud, files = Cloud(), _files(tmp_path)
    assert _upload(cloud).run(files) == 7
    assert cloud.objects == {each.name: each.read_bytes() for each in files}
    assert cloud.tries[-1] == "x.manifest.xml"
    assert cloud.listed == ["x."]
    assert 2 <= cloud.connections <= 5


def test_only_what_is_missing(tmp_path: Path) -> None:
    """What is there as it is, is not sent again; what is another is."""
    cloud, files = Cloud(), _files(tmp_path)
    for each in files[:4]:
        cloud.objects[each.name] = each.read_bytes()
    cloud.objects["x.part.1"] += b"another"
    assert _upload(cloud).run(files) == 4
    assert sorted(cloud.tries) == ["x.manifest.xml", "x.part.1", "x.part.4", "x.part.5"]
    assert cloud.objects == {each.name: each.read_bytes() for each in files}
    assert _upload(cloud).run(files) == 0


def test_again(tmp_path: Path) -> None:
    """A file that could not be sent is tried again, and then again."""
    cloud, files = Cloud(), _files(tmp_path)
    cloud.failures["x.part.3"] = [OSError("reset"), BotoServerError(503, "busy")]
    assert _upload(cloud).run(files) == 7
    assert cloud.tries.count("x.part.3") == 3
    assert len(cloud.objects) == 7


@pytest.mark.parametrize(
    ("errors", "tries"),
    [([OSError("reset")] * 3, 3), ([BotoServerError(403, "no")], 1)],
)
def test_in_vain(tmp_path: Path, errors: list[Exception], tries: int) -> None:
    """What fails too often, or is refused, is told, and the manifest is not there then."""
    cloud, files = Cloud(), _files(tmp_path)
    cloud.failures["x.part.0"] = list(errors)
    with pytest.raises(type(errors[0])):
        _upload(cloud).run(files)
    assert cloud.tries.count("x.part.0") == tries
    assert "x.manifest.xml" not in cloud.objects


def test_nobody_waits_for_nothing(tmp_path: Path) -> None:
    """Once one is refused, who waits to try another again does not, and does not wait."""
    cloud, files = Cloud(), _files(tmp_path, 2)
    tried = threading.Event()

    def before(name: str) -> None:
        if name == "x.part.0":
            tried.set()
        else:
            tried.wait(30)

    cloud.before = before
    cloud.failures = {"x.part.0": [OSError("reset")], "x.part.1": [BotoServerError(403, "no")]}
    with pytest.raises(BotoServerError):
        Upload(cloud.connect, "uploading", (3600.0,), _unseen).run(files)
    for thread in threading.enumerate():
        if thread.name.startswith("upload"):
            thread.join(30)
            assert not thread.is_alive()
    assert cloud.tries.count("x.part.0") == 1


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_bar(tmp_path: Path) -> None:
    """One bar fills with all files, and is wiped away."""
    screen = Screen()
    _upload(Cloud(), screen).run(_files(tmp_path))
    assert "100%" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[K")


def test_missing(tmp_path: Path) -> None:
    """A file is missing if its key is, or has another MD5."""
    first, second, third = _files(tmp_path, 2)
    there = {first.name: hashlib.md5(first.read_bytes()).hexdigest(), second.name: "0" * 32}
    assert missing([first, second, third], there) == [second, third]
