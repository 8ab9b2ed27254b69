"""
Threads that use an objectstore while it dies and comes back; whatever goes wrong in one of them
is a fault.
"""

from __future__ import annotations

import random
import traceback
from contextlib import closing
from threading import Event, Thread
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from nova_tx.testing.objectstore_daemon import ObjectstoreDaemon
from nova_tx.testing.s3_versions import Version, Versions, etags, told

BUCKET = "bucket"


class Killed(Exception):
    """No answer, for the daemon died: it may have been done, or not."""


class Deaths:
    """
    When the daemon dies: only then may an answer be missing.

    @ivar up: all of it runs.
    """

    def __init__(self) -> None:
        self.up = Event()
        self.up.set()
        self._count = 0  # odd while it dies

    def begin(self) -> None:
        """From now on it may be dead."""
        self.up.clear()
        self._count += 1

    def end(self) -> None:
        """From now on it lives."""
        self._count += 1
        self.up.set()

    @property
    def count(self) -> int:
        """Another after each death; odd during one."""
        return self._count


class Witness(Thread):
    """
    Uses the objectstore until C{ending} is set.

    @ivar faults: what was wrong; also that the thread died.
    @ivar done, unanswered: how many requests.
    """

    def __init__(self, daemon: ObjectstoreDaemon, deaths: Deaths, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._client = daemon.s3()
        self._random = random.Random(name)
        self._deaths = deaths
        self.ending = Event()
        self.faults: list[str] = []
        self.done = self.unanswered = 0

    def run(self) -> None:
        try:
            with closing(self._client):
                self.work()
        except BaseException:
            self.faults.append(f"{self.name} died: {traceback.format_exc()}")

    def work(self) -> None:
        """
        Use it.

        @raise Exception: it is not as it should be.
        """
        raise NotImplementedError

    def ask(self, operation: str, **said: Any) -> Any:
        """
        What the objectstore answers, a body as its bytes, a refusal as C{ClientError}.

        @raise Killed: nothing, for it died.
        """
        before = self._deaths.count
        try:
            answer = getattr(self._client, operation)(Bucket=BUCKET, **said)
            if operation == "get_object":
                answer["Body"] = answer["Body"].read()
        except (BotoCoreError, ConnectionError) as error:
            if before % 2 == 0 and self._deaths.count == before:
                raise AssertionError(f"{operation} broke off, and nobody died") from error
            self.unanswered += 1
            raise Killed from error
        self.done += 1
        return answer


class Reader(Witness):
    """
    Gets objects, whole and in part, and lists them: all that it sees is whole, and a version that
    may be there.

    @ivar kinds: how often each kind of look had an answer.
    """

    def __init__(
        self, daemon: ObjectstoreDaemon, deaths: Deaths, number: int, versions: Versions
    ) -> None:
        super().__init__(daemon, deaths, f"reader{number}")
        self._versions = versions
        self.kinds = {self._whole: 0, self._range: 0, self._list: 0}

    def work(self) -> None:
        while not self.ending.is_set():
            self._deaths.up.wait(120)
            look = self._random.choice(list(self.kinds))
            # those that are being changed are worth a look most
            key = self._random.choice(self._versions.moving() or self._versions.named())
            try:
                look(key)
            except Killed:
                continue
            self.kinds[look] += 1

    def _whole(self, key: str) -> None:
        with self._versions.seen(key) as there:
            found = whole(self, key)
        if found not in there[key]:
            self._wrong(f"{key} is {told(found)}", there[key])

    def _range(self, key: str) -> None:
        first, count = self._random.randrange(800_000), self._random.randrange(1, 200_000)
        asked = self._random.choice((f"bytes={first}-{first + count - 1}", f"bytes=-{count}"))
        with self._versions.seen(key) as there:
            try:
                answer = self.ask("get_object", Key=key, Range=asked)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                assert code in ("NoSuchKey", "InvalidRange"), error
                answer = code
        if isinstance(answer, str):
            fits = any((answer == "NoSuchKey") == (each is None) for each in there[key])
        else:
            span, _, size = answer["ContentRange"].removeprefix("bytes ").partition("/")
            begin, _, end = span.partition("-")
            fits = any(
                each is not None
                and len(each) == int(size)
                and each[int(begin) : int(end) + 1] == answer["Body"]
                for each in there[key]
            )
            answer = answer["ContentRange"]
        if not fits:
            self._wrong(f"{asked} of {key} is {answer}", there[key])

    def _list(self, key: str) -> None:
        prefix = key.partition("/")[0] + "/"
        keys = self._versions.named(prefix)
        with self._versions.seen(*keys) as there:
            answer = self.ask("list_objects_v2", Prefix=prefix)
        listed = {each["Key"]: each for each in answer.get("Contents", [])}
        assert listed.keys() <= set(keys), f"there are {listed.keys() - set(keys)}"
        for each, versions in there.items():
            found = listed.get(each)
            if found is None:
                fits = None in versions
            else:
                like = [it for it in versions if it is not None and len(it) == found["Size"]]
                fits = any(found["ETag"] in etags(it) for it in like)
            if not fits:
                what = f"{found['Size']} bytes {found['ETag']}" if found else "nothing"
                self._wrong(f"{each} is listed as {what}", versions)

    def _wrong(self, what: str, versions: set[Version]) -> None:
        self.faults.append(f"{self.name}: {what}, and none of {[*map(told, versions)]}")


def whole(witness: Witness, key: str) -> Version:
    """
    What is behind a key.

    @raise Killed: no answer.
    """
    try:
        content: bytes = witness.ask("get_object", Key=key)["Body"]
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchKey", error
        return None
    return content
