"""
The demonstration: a cloud, an image, a guest, ssh, a reboot; and nothing left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nova_tx.local import guest_image, processes
from nova_tx.local.clients import REFUSED, connect, read_novarc, sentence
from nova_tx.local.cloud import Cloud
from nova_tx.local.cloud_command import add_choices, become_root, planned
from nova_tx.local.plan import Plan
from nova_tx.local.publish import Published, publish_tarball
from nova_tx.local.ssh import ssh
from nova_tx.local.terminal import Dots, LocalError, end_cleanly, say

_MODULE = "nova_tx.local.demo"
_KEY, _BUCKET = "demo-key", "demo-bucket"
#: Seconds for each thing that is waited for: a guest without KVM on a busy machine is slow.
PATIENCE = 600.0


class Demo:
    """
    The story, step by step, told by boto.

    @ivar step: where it is, for who reads of a failure.
    """

    def __init__(self, cloud: Cloud, plan: Plan) -> None:
        self._cloud, self._plan = cloud, plan
        self._key_file = cloud.directory / f"{_KEY}.pem"
        self._ec2: Any = None
        self._address = ""
        self._dots: Dots | None = None
        self.step = ""

    def run(self) -> None:
        """
        All of it.

        @raise LocalError: something is not as it should be.
        """
        self._say("cloud up")
        self._cloud.up(self._plan)
        environment = read_novarc(self._cloud.novarc)
        self._ec2, _ = connect(environment)
        self._say("image")
        tarball = guest_image.build()
        published = publish_tarball(tarball, _BUCKET, environment=environment)
        with self._doing("image available"):
            for image_id in filter(None, (published.kernel, published.ramdisk, published.image)):
                self._until(lambda i=image_id: self._available(i))  # type: ignore[misc]
        with self._doing("key pair"):
            self._save_key()
        instance_id = self._start(published)
        if self._plan.real:
            with self._doing("console shows the guest ready"):
                self._until(lambda: self._ready(instance_id))
            self._log_in()
            self._reboot(instance_id)
        else:
            say("FAKE GUESTS: console, ssh and reboot have nothing to show, and are left out")
        with self._doing("terminate"):
            self._ec2.terminate_instances([instance_id])
            self._until(lambda: self._state(instance_id) in ("terminated", ""))
        with self._doing(f"address {self._address} is free again"):
            self._until(lambda: self._cloud.holder(self._address) is None)

    # The steps.

    def _save_key(self) -> None:
        material = self._ec2.create_key_pair(_KEY).material
        self._key_file.unlink(missing_ok=True)
        with open(self._key_file, "x", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
            file.write(material)

    def _start(self, published: Published) -> str:
        with self._doing("run"):
            reservation = self._ec2.run_instances(
                published.image, key_name=_KEY, instance_type="m1.tiny"
            )
            instance_id = str(reservation.instances[0].id)
        with self._doing(f"{instance_id} running"):
            self._until(lambda: self._state(instance_id) == "running")
            self._address = str(self._instance(instance_id).private_ip_address)
        return instance_id

    def _log_in(self) -> None:
        with self._doing(f"ssh root@{self._address}"):
            self._until(lambda: self._ssh("echo was here > /root/demo && sync") is not None)

    def _reboot(self, instance_id: str) -> None:
        boot = "cat /proc/sys/kernel/random/boot_id"
        with self._doing("reboot, the file is still there"):
            before = self._ssh(boot)
            self._ec2.reboot_instances([instance_id])
            self._until(lambda: self._ssh(boot) not in (None, before))
            if self._ssh("cat /root/demo") != "was here":
                raise LocalError("The file written before the reboot is gone.")

    # What they ask.

    def _available(self, image_id: str) -> bool:
        image = self._ec2.get_image(image_id)
        if image.state == "failed":
            raise LocalError(f"Image {image_id} failed.")
        return bool(image.state == "available")

    def _instance(self, instance_id: str) -> Any:
        found = self._ec2.get_only_instances([instance_id])
        return found[0] if found else None

    def _state(self, instance_id: str) -> str:
        instance = self._instance(instance_id)
        if instance is None:
            return ""
        if instance.state in ("error", "failed", "shutdown", "crashed"):
            raise LocalError(f"{instance_id} is {instance.state}: {instance.reason}")
        return str(instance.state)

    def _ready(self, instance_id: str) -> bool:
        console = self._ec2.get_console_output(instance_id).output or b""
        text = console.decode("utf-8", "replace") if isinstance(console, bytes) else console
        for line in text.splitlines():
            if "NOVA-GUEST-READY" in line:
                if f"instance={instance_id} " not in line or "keys=1" not in line:
                    raise LocalError(f"The guest has not its own metadata: {line.strip()}")
                return True
        return False

    def _ssh(self, command: str) -> str | None:
        """What a command in the guest prints; None if it can't be run now."""
        return ssh(self._address, self._key_file, command)

    # How they show.

    def _say(self, step: str) -> None:
        self.step = step
        say(f"== {step}")

    @contextlib.contextmanager
    def _doing(self, step: str) -> Iterator[None]:
        self.step = step
        self._dots = Dots(step)
        try:
            yield
        except BaseException:
            self._dots.end("failed")
            raise
        self._dots.end()

    def _until(self, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not there():
            if time.monotonic() > deadline:
                raise LocalError(f"It did not happen within {PATIENCE:.0f} s.")
            if self._dots is not None:
                self._dots.tick()
            time.sleep(0.3)


def _explain(cloud: Cloud, step: str, reason: str) -> None:
    say(f"\ndemo: failed at: {step}\n{reason}")
    for log in cloud.logs():
        say(f"\n-- the end of {log}\n{processes.tail(log, 20)}")
    for console in sorted(cloud.directory.glob("instances/*/console.log")):
        say(f"\n-- the end of {console}\n{processes.tail(console, 10)}")


def _perform(cloud: Cloud, chosen: argparse.Namespace, purge: bool) -> int:
    began = time.monotonic()
    demo: Demo | None = None
    code = 1
    try:
        demo = Demo(cloud, planned(cloud.directory, chosen))
        demo.run()
        code = 0
    except LocalError as reason:
        _explain(cloud, demo.step if demo else "the plan of a cloud", str(reason))
    except REFUSED as reason:
        _explain(cloud, demo.step if demo else "", f"The cloud refused: {sentence(reason)}")
    except KeyboardInterrupt:
        say("\ndemo: interrupted")
        code = 130
    if chosen.keep:
        say(f"the cloud is kept: . {cloud.novarc}")
        say(f"to end it: scripts/cloud down --dir {cloud.directory} --purge")
    else:
        try:
            end = Dots("cloud down")
            if cloud.plan is not None:
                cloud.down()
            end.end()
            if purge:
                cloud.purge()
        except LocalError as reason:
            say(f"demo: the cloud could not be ended: {reason}")
            code = 1
    if code == 0:
        say(f"demo: ok in {time.monotonic() - began:.0f} s")
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """C{scripts/demo}; returns the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="demo", description="start a cloud, boot a guest from an image of ours, log in, end it"
    )
    add_choices(parser)
    parser.add_argument("--dir", type=Path, help="where the cloud lives; default: a new one")
    parser.add_argument("--keep", action="store_true", help="leave the cloud running")
    chosen = parser.parse_args(argv)
    try:
        if chosen.virt != "fake":
            become_root(
                _MODULE, [w if w != str(chosen.dir) else str(chosen.dir.absolute()) for w in argv]
            )
    except LocalError as reason:
        say(f"demo: {reason}")
        return 1
    end_cleanly()
    directory = chosen.dir or Path(tempfile.mkdtemp(prefix="nova-demo-"))
    purge = not directory.exists() or not any(directory.iterdir())
    return _perform(Cloud(directory), chosen, purge)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
