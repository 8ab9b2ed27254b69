"""
A guest from each image service: C{image_services DIRECTORY s3|local|glance}.

What C{uec-publish-tarball} published boots under libvirt, and so does an image
of that guest.  To be run as root, in a network namespace of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from nova_tx.local import guest_image
from nova_tx.local.clients import connect
from nova_tx.testing.daemons import Daemons, free_plan, until
from nova_tx.testing.glance_server import GlanceServer
from nova_tx.testing.guest_life import PATIENCE, Guest
from nova_tx.testing.ports import free_port

#: As a C{nova.conf} of 2011 has them.
SERVICES = {
    "s3": "nova.image.s3.S3ImageService",
    "local": "nova.image.local.LocalImageService",
    "glance": "nova.image.glance.GlanceImageService",
}
_DAEMON = "nova-all"
_PUBLISHED = re.compile(r'emi="(.*)"; eri="(.*)"; eki="(.*)";\Z')


class Story:
    """What happens."""

    def __init__(self, directory: Path, service: str) -> None:
        self._service = service
        self._glance: GlanceServer | None = None
        flags = [f"--image_service={SERVICES[service]}"]
        if service == "glance":
            self._glance = GlanceServer(directory.with_name("glance"), free_port())
            flags += ["--glance_host=127.0.0.1", f"--glance_port={self._glance.port}"]
        self._cloud = Daemons(directory, *flags)
        self._key_file = directory / "key.pem"
        self._ec2: Any = None
        self._began = time.monotonic()

    def tell(self) -> None:
        """
        All of it.

        @raise AssertionError: something is not as it should be.
        """
        cloud = self._cloud
        try:
            if self._glance is not None:
                self._glance.start()
            plan = free_plan(cloud.directory, "memory")
            cloud.up(replace(plan, virt="qemu", cidr="10.100.7.0/24"))
            self._ec2, _ = connect(cloud.environment)
            ids = self._publish()
            self._say(f"{', '.join(ids)} are available")
            self._save_key()
            guest = self._boot(ids[0])
            guest.says("echo here > /root/mark && sync")
            copy = str(self._ec2.create_image(guest.id, "a-copy", no_reboot=True))
            until(partial(self._available, copy), f"image {copy}", PATIENCE)
            self._boot(copy).says("cat /root/mark", "here")
            self._end((*ids, copy))
        except BaseException:
            self._say(f"the daemon's log ends so:\n{cloud.log(_DAEMON)[-6000:]}")
            raise
        finally:
            cloud.close()
            if self._glance is not None:
                self._glance.stop()

    def _publish(self) -> tuple[str, ...]:
        """What C{scripts/uec-publish-tarball} does; the ids, the disk's first."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "nova_tx.local.publish_command", "uec-publish-tarball"),
                *(str(guest_image.build()), "guests"),
            ],
            env={**os.environ, **self._cloud.environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        line = done.stdout.splitlines()[-1]
        found = _PUBLISHED.match(line)
        assert found, line
        ids = tuple(each for each in found.groups() if each != "none")
        for each in ids:
            until(partial(self._available, each), f"image {each}", PATIENCE)
        return ids

    def _save_key(self) -> None:
        material = self._ec2.create_key_pair("key").material
        with open(self._key_file, "x", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(material)

    def _boot(self, image_id: str) -> Guest:
        run = self._ec2.run_instances(image_id, key_name="key", instance_type="m1.tiny")
        guest = Guest(self._ec2, str(run.instances[0].id), self._key_file)
        guest.become("running")
        guest.says("true")
        self._say(f"{guest.id} of {image_id} runs")
        return guest

    def _end(self, ids: tuple[str, ...]) -> None:
        """The service had each image's file, and no other; nothing is left of guests and images."""
        wanted = [0, len(ids)] if self._glance is not None else [len(ids)]
        until(lambda: self._kept() == wanted, f"{wanted} files")
        asked = " GET /_images" in self._cloud.log(_DAEMON)
        assert asked == (self._service == "s3"), "who was asked for images"
        instances = [each.id for each in self._ec2.get_only_instances()]
        self._ec2.terminate_instances(instances)
        for each in ids:
            self._ec2.deregister_image(each)
        assert not self._ec2.get_all_images()
        until(lambda: not self._cloud.faults(), "the end of them all", PATIENCE)
        assert not any(self._kept()), self._kept()
        self._say("guests and images are gone, and so are their files")

    def _kept(self) -> list[int]:
        """How many files there are in the cloud's directory of images, and in Glance's."""
        places = [self._cloud.directory / "images"]
        if self._glance is not None:
            places.append(self._glance.directory / "files")
        return [sum(each.is_file() for each in place.rglob("*")) for place in places]

    def _available(self, image_id: str) -> bool:
        image = self._ec2.get_image(image_id)
        assert image.state != "failed", f"image {image_id} failed"
        return bool(image.state == "available")

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.0f} s  {text}", flush=True)


if __name__ == "__main__":
    Story(Path(sys.argv[1]), sys.argv[2]).tell()
