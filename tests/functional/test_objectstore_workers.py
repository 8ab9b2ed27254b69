"""Several processes of nova-objectstore on one port and one directory."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from twisted.internet.defer import gatherResults
from twisted.internet.threads import deferToThread

from nova_tx.context import RequestContext
from nova_tx.errors import Unavailable
from nova_tx.flags import S3Flags
from nova_tx.image.objectstore import ObjectstoreImages
from nova_tx.model.images import NewImage
from nova_tx.testing.daemons import until
from nova_tx.testing.objectstore import install_authority, make_bundle
from nova_tx.testing.objectstore_daemon import ObjectstoreDaemon, kill_one, on_each
from nova_tx.testing.objectstore_server import known_users

JOE = RequestContext("joe", "joe")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectstoreDaemon]:
    """Two processes, and joe's bucket."""
    directory = tmp_path_factory.mktemp("workers")
    install_authority(str(directory))
    made = ObjectstoreDaemon(directory, "--objectstore_workers=2")
    try:
        made.start()
        made.s3().create_bucket(Bucket="bucket")
        until(lambda: len(_serving(made)) == 2, "both processes")
        yield made
    finally:
        made.close()


def _serving(daemon: ObjectstoreDaemon) -> set[int]:
    """The processes that answer, by the log."""
    before = len(daemon.log())
    on_each(daemon, lambda client: client.list_buckets())
    lines = daemon.log()[before:].splitlines()
    return {int(line.split()[0]) for line in lines if " GET / ListBuckets 200 " in line}


def _code(attempt: Callable[[], object]) -> str:
    """S3's word for what came of it, or what it was told."""
    try:
        attempt()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    except BotoCoreError as error:
        return type(error).__name__
    return "OK"


def _together(
    daemon: ObjectstoreDaemon, count: int, ask: Callable[[Any, int], object]
) -> list[str]:
    """What comes of asking as many times at once, over a connection each."""
    said = [""] * count
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        client = daemon.s3()
        ready.wait()
        said[number] = _code(lambda: ask(client, number))
        client.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return said


def test_what_one_took_the_other_has(daemon: ObjectstoreDaemon) -> None:
    """Objects, and their end, are the same whichever process is asked."""
    assert len(_serving(daemon)) == 2
    for number in range(5):
        daemon.s3().put_object(Bucket="bucket", Key="same", Body=b"%d" % number)

        def ask(client: Any, number: int = number) -> None:
            found = client.get_object(Bucket="bucket", Key="same")
            assert found["Body"].read() == b"%d" % number

        on_each(daemon, ask, 10)
    daemon.s3().delete_object(Bucket="bucket", Key="same")
    on_each(
        daemon,
        lambda client: _is(
            _code(lambda: client.get_object(Bucket="bucket", Key="same")), "NoSuchKey"
        ),
    )


def _is(found: object, expected: object) -> None:
    assert found == expected


def test_buckets_made_at_once(daemon: ObjectstoreDaemon) -> None:
    """A bucket that two projects make at once is one's, and both processes know whose."""
    for number in range(10):
        name = f"new{number}"
        said = _together(
            daemon,
            8,
            lambda _, n, name=name: daemon.s3(("joe", "eve")[n % 2]).create_bucket(Bucket=name),
        )
        assert Counter(said) == {"OK": 4, "BucketAlreadyExists": 4}
        owner = ("joe", "eve")[said.index("OK") % 2]
        other = {"joe": "eve", "eve": "joe"}[owner]
        for who, expected in ((owner, "OK"), (other, "AccessDenied")):
            for _ in range(5):
                client = daemon.s3(who)
                assert _code(lambda c=client, n=name: c.list_objects(Bucket=n)) == expected


def test_removed_or_used(daemon: ObjectstoreDaemon) -> None:
    """A bucket is removed, or what was put into it is there: never an object without a bucket."""
    for _ in range(10):
        client = daemon.s3()
        client.create_bucket(Bucket="short")

        def ask(client: Any, number: int) -> None:
            if number % 2:
                client.delete_bucket(Bucket="short")
            else:
                client.put_object(Bucket="short", Key=f"key{number}", Body=b"content")

        said = _together(daemon, 6, ask)
        put = {n for n in (0, 2, 4) if said[n] == "OK"}
        if "OK" in said[1::2]:
            assert not put and set(said[0::2]) == {"NoSuchBucket"}
            assert set(said[1::2]) <= {"OK", "NoSuchBucket"}
            until(lambda c=client: _code(lambda: c.list_objects(Bucket="short")) != "OK", "its end")
        else:
            assert set(said[1::2]) == {"BucketNotEmpty"} and put == {0, 2, 4}
            listed = client.list_objects(Bucket="short")["Contents"]
            assert {each["Key"] for each in listed} == {f"key{n}" for n in put}
            for n in put:
                client.delete_object(Bucket="short", Key=f"key{n}")
            client.delete_bucket(Bucket="short")


async def test_images(daemon: ObjectstoreDaemon) -> None:
    """Images are registered by whichever process is asked, each by one, and seen by both."""
    from twisted.internet import reactor

    content = os.urandom(300_000)
    for path in make_bundle(daemon.directory / "bundle", content):
        daemon.s3().upload_file(path, "bucket", Path(path).name)
    flags = S3Flags(s3_host="127.0.0.1", s3_port=daemon.port)
    users = await known_users()
    clients = [ObjectstoreImages(flags, users, reactor) for _ in range(6)]
    location = "bucket/disk.manifest.xml"
    try:
        from twisted.internet.defer import Deferred

        ids = await gatherResults(
            [Deferred.fromCoroutine(each.register(JOE, NewImage(location))) for each in clients]
        )
        for image_id, client in zip(ids, reversed(clients), strict=True):
            await _settled(client, image_id)
            path = str(daemon.directory / "fetched")
            assert await client.fetch(JOE, image_id, path) == len(content)
            assert Path(path).read_bytes() == content
        for image_id, client in zip(ids, clients[3:] + clients[:3], strict=True):
            await client.deregister(JOE, image_id)
    finally:
        for each in clients:
            await each.close()
    # who made the last one may not quite have come to its end: then it is for that to remove it
    await deferToThread(
        until, lambda: not [*(daemon.directory / "images").rglob("ami-*")], "the files to go"
    )
    assert "Traceback" not in daemon.log()


async def _settled(client: ObjectstoreImages, image_id: str) -> None:
    from twisted.internet import reactor
    from twisted.internet.task import deferLater

    while (await client.show(JOE, image_id)).state not in ("available", "failed"):
        await deferLater(reactor, 0.02)
    assert (await client.show(JOE, image_id)).state == "available"


async def test_killed_while_it_registers(daemon: ObjectstoreDaemon) -> None:
    """What a process was at that was killed is done by the next one; the other goes on."""
    from twisted.internet import reactor

    content = os.urandom(2**20) + bytes(200 * 2**20)
    for path in make_bundle(daemon.directory / "large", content):
        daemon.s3().upload_file(path, "bucket", f"large/{Path(path).name}")
    users = await known_users()
    flags = S3Flags(s3_host="127.0.0.1", s3_port=daemon.port)
    claims = daemon.directory / "images" / ".claims"
    [mate] = daemon.mates()
    for _ in range(40):
        # until it is the mate that took it
        client = ObjectstoreImages(flags, users, reactor)
        image_id = await client.register(JOE, NewImage("bucket/large/disk.manifest.xml"))
        claim = claims / image_id
        both = (mate, daemon.pid)
        maker = until(lambda: [each for each in both if _locked_by(each, claim)], "its maker")  # noqa: B023
        if maker == [mate]:
            break
        await client.close()
    else:
        raise AssertionError("the first process took every one")
    kill_one(mate)
    while True:
        try:
            await _settled(client, image_id)
            break
        except Unavailable:
            continue
    assert await client.fetch(JOE, image_id, str(daemon.directory / "f")) == len(content)
    await client.close()
    until(lambda: len(_serving(daemon)) == 2, "both again")


def test_killed_mate(daemon: ObjectstoreDaemon) -> None:
    """kill -9 of one process: the other serves, and what it left is removed when it comes back."""
    [mate] = daemon.mates()
    new = daemon.directory / "buckets" / ".new"
    stop = threading.Event()

    def put() -> None:
        while not stop.is_set():
            _code(lambda: daemon.s3().put_object(Bucket="bucket", Key="large", Body=bytes(2**24)))

    threads = [threading.Thread(target=put) for _ in range(4)]
    for each in threads:
        each.start()
    mine = until(
        lambda: [x for x in new.iterdir() if _locked_by(mate, x) and [*x.iterdir()]], "work"
    )
    kill_one(mate)
    stop.set()
    for each in threads:
        each.join()
    assert any(_code(lambda: daemon.s3().list_buckets()) == "OK" for _ in range(20))
    until(lambda: not mine[0].exists(), "its files to go")
    until(lambda: len(_serving(daemon)) == 2, "both again")
    assert len([*new.iterdir()]) == 2
    until(lambda: [*new.glob("*/*")] == [], "the rest to end")


def _locked_by(pid: int, path: Path) -> bool:
    found = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(os.readlink(each))
        except FileNotFoundError:
            continue
    return str(path) in found


def test_killed_first(daemon: ObjectstoreDaemon) -> None:
    """kill -9 of the first ends both; the next finds what was acknowledged, and no leftovers."""
    daemon.s3().put_object(Bucket="bucket", Key="kept", Body=b"content")
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.close()
    daemon.start()
    found = daemon.s3().get_object(Bucket="bucket", Key="kept")
    assert found["Body"].read() == b"content"
    until(lambda: len(_serving(daemon)) == 2, "both")
    assert len([*(daemon.directory / "buckets" / ".new").iterdir()]) == 2


def test_stopped(daemon: ObjectstoreDaemon) -> None:
    """SIGTERM ends both with status 0, and nothing of theirs is left."""
    mates = daemon.mates()
    assert daemon.stop() == 0
    assert not any(Path(f"/proc/{each}").exists() for each in mates)
    assert list((daemon.directory / "buckets" / ".new").iterdir()) == []
