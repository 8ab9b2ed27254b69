"""
The life of real guests, each turn of it seen from inside: C{guest_life DIRECTORY}.

A cloud of one daemon under libvirt and QEMU; to be run as root, in a network
namespace of its own, so that its bridge and rules meet nobody else's.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from nova_tx.local import guest_image
from nova_tx.local.clients import connect
from nova_tx.local.publish import publish_tarball
from nova_tx.local.ssh import ssh
from nova_tx.testing.daemons import Daemons, free_plan, until

#: Seconds for each thing: guests without KVM, on a busy machine, are slow.
PATIENCE = 900.0
_DAEMON = "nova-all"
_BOOT = "cat /proc/sys/kernel/random/boot_id"


class Guest:
    """An instance, and ssh into it."""

    def __init__(self, ec2: Any, instance_id: str, key_file: Path) -> None:
        self._ec2 = ec2
        self.id = instance_id
        self._key_file = key_file
        self.address = ""

    @property
    def state(self) -> str:
        """As the API says."""
        return str(self._ec2.get_only_instances([self.id])[0].state)

    def become(self, state: str) -> None:
        """Wait until the API says so."""
        until(lambda: self.state == state, f"{self.id} to be {state}", PATIENCE)
        self.address = str(self._ec2.get_only_instances([self.id])[0].private_ip_address)

    def run(self, command: str) -> str | None:
        """What a command in it prints, now."""
        return ssh(self.address, self._key_file, command)

    def says(self, command: str, text: str | None = None) -> str:
        """Wait until a command in it can be run; what that prints, which is C{text} if given."""
        ran = until(
            lambda: self.run(f"{command} && echo done") or "", f"{self.id}: {command}", PATIENCE
        )
        found = ran.removesuffix("done").strip()
        assert text is None or found == text, f"{command} in {self.id}: {found}, not {text}"
        return found

    def rebooted(self, before: str) -> str:
        """Wait until it has booted again; returns which boot that is."""

        def boot() -> str:
            found = self.run(_BOOT)
            return found if found is not None and found != before else ""

        return until(boot, f"{self.id} to boot", PATIENCE)


class Life:
    """The story."""

    def __init__(self, directory: Path) -> None:
        self._cloud = Daemons(directory, f"--reboot_grace_seconds={PATIENCE:.0f}")
        self._key_file = directory / "key.pem"
        self._ec2: Any = None
        self._began = time.monotonic()

    def tell(self) -> None:
        """
        All of it.

        @raise AssertionError: something is not as it should be.
        """
        cloud = self._cloud
        cloud.up(replace(free_plan(cloud.directory, "memory"), virt="qemu", cidr="10.100.7.0/24"))
        try:
            self._ec2, _ = connect(cloud.environment)
            published = publish_tarball(
                guest_image.build(), "guests", environment=cloud.environment, say=self._say
            )
            for each in filter(None, (published.kernel, published.ramdisk, published.image)):
                until(partial(self._available, each), f"image {each}", PATIENCE)
            cloud.reconfigure(
                _DAEMON,
                f"--rescue_image_id={published.image}",
                f"--rescue_kernel_id={published.kernel}",
                f"--rescue_ramdisk_id={published.ramdisk}",
            )
            key = self._ec2.create_key_pair("life").material
            with open(self._key_file, "x", opener=lambda p, f: os.open(p, f, 0o600)) as file:
                file.write(key)
            guest = self._begin(published.image)
            for turn in (self._stop_and_start, self._reboot, self._rescue, self._image):
                turn(guest)
            self._end()
        except BaseException:
            self._explain()
            raise
        finally:
            cloud.close()

    def _begin(self, image_id: str) -> Guest:
        reservation = self._ec2.run_instances(image_id, key_name="life", instance_type="m1.tiny")
        guest = Guest(self._ec2, str(reservation.instances[0].id), self._key_file)
        guest.become("running")
        guest.says("true")
        self._say(f"{guest.id} of {image_id} runs")
        return guest

    def _stop_and_start(self, guest: Guest) -> None:
        guest.says("echo first > /root/mark && sync")
        boot, address = guest.says(_BOOT), guest.address
        assert self._ec2.stop_instances([guest.id])[0].state == "stopping"
        guest.become("stopped")
        assert guest.run("true") is None, "a stopped guest answers"
        assert guest.address == address
        self._said("NOVA-GUEST-SHUTDOWN", guest)
        assert self._ec2.start_instances([guest.id])[0].state == "pending"
        guest.become("running")
        assert guest.address == address
        assert guest.rebooted(boot)
        guest.says("cat /root/mark", "first")
        self._say("stopped and started: the file is there, the address is the same")

    def _reboot(self, guest: Guest) -> None:
        boot = guest.says(_BOOT)
        self._ec2.reboot_instances([guest.id])
        assert guest.rebooted(boot)
        guest.says("cat /root/mark", "first")
        self._say("rebooted: the file is there")

    def _rescue(self, guest: Guest) -> None:
        boot = guest.says(_BOOT)
        self._ask("RescueInstance", guest)
        rescue = guest.rebooted(boot)
        guest.says("test ! -e /root/mark")
        guest.says("mount -t ext4 /dev/vdb /mnt && cat /mnt/root/mark", "first")
        guest.says(
            "echo rescued > /mnt/root/repair && umount /mnt && echo gone > /root/gone && sync"
        )
        self._say("rescued: the file is on the second disk, and not on the first")
        until(lambda: self._ask("UnrescueInstance", guest, ""), "the rescue to be over", PATIENCE)
        assert guest.rebooted(rescue)
        guest.says("cat /root/mark /root/repair", "first\nrescued")
        guest.says("test ! -e /root/gone")
        self._say("unrescued: the file is there, and what was repaired; the rescue disk is not")

    def _image(self, guest: Guest) -> None:
        boot = guest.says(_BOOT)
        switched = str(self._ec2.create_image(guest.id, "switched-off"))
        boot = guest.rebooted(boot)
        guest.says("echo second > /root/later && sync")
        running = str(self._ec2.create_image(guest.id, "running", no_reboot=True))
        for each in (switched, running):
            until(partial(self._available, each), f"image {each}", PATIENCE)
        guest.says(_BOOT, boot)
        self._say("two images of it are available; the second took no reboot")
        for image_id, command in ((switched, "test ! -e"), (running, "cat")):
            copy = self._begin(image_id)
            copy.says("cat /root/mark", "first")
            copy.says(f"{command} /root/later", "second" if command == "cat" else "")
            self._say(f"{copy.id} boots from {image_id}, with the files of its time")

    def _end(self) -> None:
        ids = [each.id for each in self._ec2.get_only_instances()]
        self._ec2.terminate_instances(ids)
        until(lambda: not self._cloud.faults(), "the end of them all", PATIENCE)
        left = [each for each in self._ec2.get_only_instances() if each.state != "terminated"]
        assert not left, left

    # What they ask.

    def _ask(self, action: str, guest: Guest, expected: str | None = None) -> bool:
        """Send one of Nova's own actions; False if it was refused, and may be."""
        try:
            return bool(self._ec2.get_status(action, {"InstanceId": guest.id}, verb="POST"))
        except Exception as error:
            if expected is None or "IncorrectInstanceState" not in str(error):
                raise
            return False

    def _available(self, image_id: str) -> bool:
        image = self._ec2.get_image(image_id)
        assert image.state != "failed", f"image {image_id} failed"
        return bool(image.state == "available")

    def _said(self, text: str, guest: Guest) -> None:
        output = self._ec2.get_console_output(guest.id).output
        assert text.encode() in (output if isinstance(output, bytes) else output.encode()), output

    # How they show.

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.0f} s  {text}", flush=True)

    def _explain(self) -> None:
        self._say(f"the daemon's log ends so:\n{self._cloud.log(_DAEMON)[-6000:]}")
        for console in sorted(self._cloud.directory.glob("instances/*/console.log")):
            self._say(f"{console}:\n{console.read_text(errors='replace')[-1500:]}")


if __name__ == "__main__":
    Life(Path(sys.argv[1])).tell()
