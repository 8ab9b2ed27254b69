"""
The clients of a soak: owners of instances, of objects and of images, and an onlooker.

Each is a thread with boto3 clients and a generator of random numbers of its own.
"""

from __future__ import annotations

import hashlib
import http.client
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from nova_tx.testing.daemons import Daemons
from nova_tx.testing.journal import Journal

#: Keys that one client has at most.
_KEYS = 30
#: Seconds after which an instance or an image that still changes is a fault.
PATIENCE = 150.0
_RESTING = ("running", "stopped", "terminated")


class Client(threading.Thread):
    """
    Does something at random about twice a second, until told to stop.

    @ivar failure: what ended it, if it was not asked to end.
    """

    acts: Mapping[str, int]

    def __init__(
        self, cloud: Daemons, journal: Journal, image_id: str, seed: str, most: int = 8
    ) -> None:
        """
        @param seed: decides what it chooses.
        @param most: instances that it has at most, about.
        """
        super().__init__(name=seed)
        self.failure: BaseException | None = None
        self._cloud, self._journal, self._image_id = cloud, journal, image_id
        self._most = most
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._ec2 = cloud.client("ec2", read_timeout=90)
        self._s3 = cloud.client("s3", read_timeout=90)

    def stop(self) -> None:
        """After what it is at."""
        self._over.set()

    def run(self) -> None:
        names, weights = [*self.acts], [*self.acts.values()]
        try:
            while not self._over.wait(self._random.uniform(0.1, 0.9)):
                [name] = self._random.choices(names, weights)
                getattr(self, name)()
        except BaseException as failure:
            self.failure = failure
        finally:
            self.close()

    def close(self) -> None:
        """Its connections."""
        self._ec2.close()
        self._s3.close()

    def _ask(self, what: str, *allowed: str, **parameters: Any) -> Any:
        ec2 = what[0].isupper()
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in what).lstrip("_")
        call = getattr(self._ec2 if ec2 else self._s3, name)
        return self._journal.ask(what, call, *allowed, **parameters)

    def _wait(self, there: Callable[[], object], what: str) -> None:
        """Until it is so; too long is a fault."""
        end = time.monotonic() + PATIENCE
        while not there():
            time.sleep(0.2)
            if time.monotonic() > end:
                self._journal.fault(f"waited in vain for {what}")
                return


class Onlooker(Client):
    """Lists whatever there is."""

    acts = {"instances": 4, "images": 2, "zones": 1, "groups": 1, "keys": 1, "buckets": 1}

    def instances(self) -> None:
        self._ask("DescribeInstances")

    def images(self) -> None:
        self._ask("DescribeImages")

    def zones(self) -> None:
        self._ask("DescribeAvailabilityZones")

    def groups(self) -> None:
        self._ask("DescribeSecurityGroups")

    def keys(self) -> None:
        self._ask("DescribeKeyPairs")

    def buckets(self) -> None:
        self._ask("list_buckets")


class InstanceOwner(Client):
    """
    Launches, reboots and ends instances.

    @ivar ended: ids of those whose termination was accepted.
    @ivar launched: ids of all it was given, and when, in seconds of the monotonic clock.
    """

    acts = {"launch": 4, "reboot": 2, "end": 3, "console": 1, "look": 3}

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ended: set[str] = set()
        self.launched: dict[str, float] = {}
        self._changing: dict[str, float] = {}
        self._mine: list[str] = []
        self._ending: set[str] = set()

    def launch(self) -> None:
        if len(self._mine) + len(self._ending) >= self._most:
            return self.end()
        count = self._random.randint(1, 3)
        run = self._ask(
            "RunInstances",
            ImageId=self._image_id,
            MinCount=count,
            MaxCount=count,
            InstanceType="m1.tiny",
        )
        for each in run["Instances"] if run else ():
            self.launched[each["InstanceId"]] = time.monotonic()
            self._mine.append(each["InstanceId"])
        return None

    def reboot(self) -> None:
        if self._mine:
            chosen = self._random.choice(self._mine)
            self._ask("RebootInstances", "IncorrectInstanceState", InstanceIds=[chosen])

    def end(self) -> None:
        if self._mine:
            chosen = self._random.choice(self._mine)
            if self._ask("TerminateInstances", InstanceIds=[chosen]):
                self.ended.add(chosen)
                self._ending.add(chosen)
                self._mine.remove(chosen)

    def console(self) -> None:
        if self._mine:
            chosen = self._random.choice(self._mine)
            self._ask("GetConsoleOutput", "IncorrectInstanceState", InstanceId=chosen)

    def look(self) -> None:
        """No instance changes for ever, none is lost, none fails without a cause."""
        found = self._ask("DescribeInstances")
        if found is None:
            return
        listed = {
            each["InstanceId"]: each
            for reservation in found["Reservations"]
            for each in reservation["Instances"]
        }
        for each in self._mine[:]:
            self._judge(each, listed.get(each, {"State": {"Name": "not listed"}}))
        gone = {"State": {"Name": "terminated"}}  # for a while it is listed so, then not at all
        for each in tuple(self._ending):
            self._judge(each, listed.get(each, gone))

    def _judge(self, instance_id: str, instance: Mapping[str, Any]) -> None:
        now, state = time.monotonic(), instance["State"]["Name"]
        if state in ("pending", "shutting-down"):
            if now - self._changing.setdefault(instance_id, now) > PATIENCE:
                self._journal.fault(f"{instance_id} is {state} for {PATIENCE:.0f} s")
                self._changing[instance_id] = now
            return
        self._changing.pop(instance_id, None)
        if instance_id in self._ending:
            self._ending.discard(instance_id)
        elif state not in ("running", "stopped") or "StateReason" in instance:
            self._mine.remove(instance_id)
            self.failed(instance_id, f"{instance_id} is {state}: {instance.get('StateReason')}")

    def failed(self, instance_id: str, sentence: str) -> None:
        """An instance ended by itself: a death may be why."""
        if not self._journal.excused(self.launched[instance_id]):
            self._journal.fault(sentence)


class ObjectOwner(Client):
    """
    Stores, fetches and deletes objects of one bucket, and knows what must be in them.

    @ivar known: by key the digests that its content may have; None: it may not be there.
    """

    acts = {"put": 4, "get": 4, "delete": 1, "listing": 1, "give_up": 1}

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.known: dict[str, set[str | None]] = {}
        self.bucket = f"objects-{hashlib.md5(self.name.encode()).hexdigest()[:8]}"

    def run(self) -> None:
        self._s3.create_bucket(Bucket=self.bucket)
        super().run()

    def _key(self) -> str:
        return f"directory/key {self._random.randrange(_KEYS)}"

    def _content(self) -> bytes:
        return self._random.randbytes(int(2 ** self._random.uniform(0, 21)))

    def put(self) -> None:
        key, content = self._key(), self._content()
        found: set[str | None] = {hashlib.md5(content).hexdigest()}
        done = self._ask("put_object", Bucket=self.bucket, Key=key, Body=content)
        self.known[key] = found if done else found | self.known.get(key, {None})

    def get(self) -> None:
        self.check(self._key())

    def check(self, key: str) -> None:
        """What is fetched is what was stored."""
        may = self.known.get(key, {None})
        content = self._journal.ask("get_object", self._fetch, *_missing(may), key=key)
        if content is None:
            return
        digest = hashlib.md5(content).hexdigest()
        if digest not in may:
            self._journal.fault(f"{self.bucket}/{key} has {digest}, not one of {may}")

    def _fetch(self, key: str) -> bytes:
        body = self._s3.get_object(Bucket=self.bucket, Key=key)["Body"]
        content: bytes = body.read()
        return content

    def delete(self) -> None:
        key = self._key()
        done = self._ask("delete_object", "NoSuchKey", Bucket=self.bucket, Key=key)
        self.known[key] = {None} if done else {None, *self.known.get(key, {None})}

    def listing(self) -> None:
        """Nothing is listed that can't be, nothing is missing that must be."""
        found = self._ask("list_objects", Bucket=self.bucket)
        if found is None:
            return
        keys = {each["Key"] for each in found.get("Contents", ())}
        must = {key for key, may in self.known.items() if None not in may}
        can = {key for key, may in self.known.items() if may != {None}}
        if not must <= keys <= can:
            self._journal.fault(f"{self.bucket} lists {keys - can}, and lacks {must - keys}")

    def give_up(self) -> None:
        """A client that goes away in the middle of its upload changes nothing."""
        url = self._s3.generate_presigned_url(
            "put_object", {"Bucket": self.bucket, "Key": self._key()}
        )
        where = urlsplit(url)
        link = http.client.HTTPConnection(str(where.hostname), where.port, timeout=30)
        try:
            link.putrequest("PUT", f"{where.path}?{where.query}")
            link.putheader("Content-Length", str(1 << 20))
            link.endheaders(self._random.randbytes(1 << 16))
        except OSError:
            pass  # nobody there: given up earlier
        finally:
            link.close()


def _missing(may: set[str | None]) -> tuple[str, ...]:
    return ("NoSuchKey",) if None in may else ()


class ImageOwner(Client):
    """Registers images, good ones and broken ones, boots them, and takes them back."""

    acts = {"good": 3, "broken": 1}

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._count = 0

    def good(self) -> None:
        image_id = self._publish()
        if image_id is None:
            return
        self._wait(lambda: self._state(image_id) in ("available", "failed"), f"image {image_id}")
        state = self._state(image_id)
        if state == "available":
            self._boot(image_id)
        elif state == "failed":
            self._journal.fault(f"image {image_id} is good, and failed")
        self._take_back(image_id)

    def broken(self) -> None:
        image_id = self._publish(broken=True)
        if image_id is None:
            return
        self._wait(lambda: self._state(image_id) in ("available", "failed"), f"image {image_id}")
        if self._state(image_id) == "available":
            self._journal.fault(f"image {image_id} is broken, and available")
        self._take_back(image_id)

    def _publish(self, broken: bool = False) -> str | None:
        self._count += 1
        self._bucket = f"images-{hashlib.md5(self.name.encode()).hexdigest()[:4]}-{self._count}"
        content = self._random.randbytes(self._random.randrange(1_000, 500_000))
        found: str | None = self._journal.ask(
            "publish an image", lambda: self._register(content, broken)
        )
        return found

    def _register(self, content: bytes, broken: bool) -> str:
        registered = self._cloud.upload(self._bucket, "disk", content, self._s3)
        if broken:
            self._s3.put_object(Bucket=self._bucket, Key="disk.part.0", Body=b"not this")
        name = f"disk-{secrets.token_hex(4)}"
        found = self._ec2.register_image(Name=name, ImageLocation=registered)
        return str(found["ImageId"])

    def _state(self, image_id: str) -> str:
        found = self._ask("DescribeImages", ImageIds=[image_id])
        return str(found["Images"][0]["State"]) if found else "?"

    def _boot(self, image_id: str) -> None:
        run = self._ask(
            "RunInstances", ImageId=image_id, MinCount=1, MaxCount=1, InstanceType="m1.tiny"
        )
        if run is None:
            return
        instance_id = run["Instances"][0]["InstanceId"]
        self._wait(lambda: self._rests(instance_id), f"instance {instance_id}")
        self._ask("TerminateInstances", InstanceIds=[instance_id])

    def _rests(self, instance_id: str) -> bool:
        found = self._ask("DescribeInstances", InstanceIds=[instance_id])
        return bool(found) and (
            found["Reservations"][0]["Instances"][0]["State"]["Name"] in _RESTING
        )

    def _take_back(self, image_id: str) -> None:
        self._ask("DeregisterImage", ImageId=image_id)
        found = self._ask("list_objects", Bucket=self._bucket)
        for each in found.get("Contents", ()) if found else ():
            self._ask("delete_object", "NoSuchKey", Bucket=self._bucket, Key=each["Key"])
        self._ask("delete_bucket", "BucketNotEmpty", Bucket=self._bucket)
