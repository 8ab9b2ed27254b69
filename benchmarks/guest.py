"""
RunInstances until a real guest says that it is ready, beside the same guest started by hand.

The cloud (QEMU, RabbitMQ, DHCP, metadata) lives in a network namespace of its own.  By hand means:
the guest is killed, its disk made new, and qemu started with the same kernel, disk, memory and
hardware address on the same bridge; it is ready when it has its address and its metadata again.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, median
from nova_tx.local import guest_image, probe, processes
from nova_tx.local.clients import connect, read_novarc
from nova_tx.local.cloud import Cloud
from nova_tx.local.publish import publish_tarball
from nova_tx.testing.daemons import free_plan

_TAP = "byhand"
_READY = b"NOVA-GUEST-READY"


def figures(quick: bool) -> Iterator[Figure]:
    """The median of some boots, each kind in turns."""
    rounds = 1 if quick else 5
    guest_image.build()  # its packages can't be fetched from inside
    inside = f'ip link set lo up && exec "{sys.executable}" -m benchmarks.guest {rounds}'
    argv = ["unshare", "--net", "sh", "-c", inside]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    ours, by_hand = json.loads(done.stdout.splitlines()[-1])
    beside = [("qemu by hand", median(by_hand))]
    yield Figure("RunInstances until the guest is ready", median(ours), "s", "≤ 1.1 times", beside)


class Real(Cloud):
    """A cloud whose guests can be found."""

    def guests(self) -> dict[str, int]:
        """Process of each guest."""
        return self._libvirtd.guests()


class Bench:
    """One cloud with real guests; the first launch brings the image to the host."""

    def __init__(self, cloud: Real) -> None:
        self._cloud = cloud
        known = read_novarc(cloud.novarc)
        self._ec2: Any = connect(known)[0]
        self._published = publish_tarball(guest_image.build(), "bench", environment=known)
        for image in (self._published.kernel, self._published.ramdisk, self._published.image):
            _wait(lambda image=image: self._available(image))  # type: ignore[misc]

    def _available(self, image: str | None) -> bool:
        return image is None or bool(self._ec2.get_image(image).state == "available")

    def round(self) -> tuple[float, float]:
        """Seconds of a launch, and of the same by hand."""
        before = set(self._consoles())
        began = time.monotonic()
        reservation = self._ec2.run_instances(self._published.image, instance_type="m1.tiny")
        [console] = _wait(lambda: set(self._consoles()) - before)
        _wait(lambda: _READY in console.read_bytes())
        ours = time.monotonic() - began
        [pid] = self._cloud.guests().values()
        argv = [word.decode() for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
        os.kill(pid, signal.SIGKILL)
        _wait(lambda: processes.started(pid) is None)
        by_hand = self._by_hand(argv, console.parent)
        identity = reservation.instances[0].id
        self._ec2.terminate_instances([identity])
        _wait(lambda: self._ec2.get_only_instances([identity])[0].state == "terminated")
        return ours, by_hand

    def _consoles(self) -> list[Path]:
        return list(self._cloud.directory.glob("instances/*/console.log"))

    def _by_hand(self, libvirts: list[str], directory: Path) -> float:
        """Seconds of the same guest started without us."""
        disk, console = directory / "disk", directory / "by-hand.log"
        known = subprocess.run(
            ["qemu-img", "info", "--output=json", str(disk)], stdout=subprocess.PIPE, check=True
        )
        facts = json.loads(known.stdout)
        [mac] = set(re.findall(r'"mac":"([0-9a-f:]{17})"', " ".join(libvirts)))
        plan = self._cloud.plan
        assert plan is not None
        began = time.monotonic()
        overlay = ["-f", "qcow2", "-F", "raw", "-b", facts["backing-filename"]]
        create = ["qemu-img", "create", "-q", *overlay, str(disk), str(facts["virtual-size"])]
        for argv in (
            create,
            ["ip", "tuntap", "add", _TAP, "mode", "tap"],
            ["ip", "link", "set", _TAP, "master", plan.bridge, "up"],
        ):
            subprocess.run(argv, check=True)
        argv = [libvirts[0], "-nodefaults", "-display", "none", "-m", "512"]
        argv += ["-accel", "kvm" if plan.virt == "kvm" else "tcg"]
        for name in ("-kernel", "-initrd", "-append", "-cpu"):
            if name in libvirts:
                argv += [name, libvirts[libvirts.index(name) + 1]]
        argv += ["-drive", f"file={disk},format=qcow2,if=virtio"]
        argv += ["-netdev", f"tap,id=net,ifname={_TAP},script=no,downscript=no"]
        argv += ["-device", f"virtio-net-pci,netdev=net,mac={mac}", "-device", "virtio-rng-pci"]
        argv += ["-serial", f"file:{console}"]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sys.stderr) as guest:
            try:
                _wait(lambda: console.exists() and _READY in console.read_bytes())
                return time.monotonic() - began
            finally:
                guest.kill()
                guest.wait()
                subprocess.run(["ip", "link", "delete", _TAP], check=True)


def _wait(there: Callable[[], Any]) -> Any:
    end = time.monotonic() + 180
    while not (found := there()):
        assert time.monotonic() < end, "waited in vain for a guest"
        time.sleep(0.02)
    return found


def main() -> None:
    """In the namespace: the rounds; the last line of stdout is the seconds of both kinds."""
    with tempfile.TemporaryDirectory(prefix="nova-guest-") as name:
        cloud = Real(Path(name, "cloud"), lambda text: print(text, file=sys.stderr))
        plan = free_plan(cloud.directory)
        virt = probe.choose_virt(lambda text: print(text, file=sys.stderr))
        cloud.up(replace(plan, virt=virt, cidr="10.100.0.0/24"))
        try:
            bench = Bench(cloud)
            bench.round()
            found = [bench.round() for _ in range(int(sys.argv[1]))]
        finally:
            cloud.down()
    print(json.dumps(list(zip(*found, strict=True))))


if __name__ == "__main__":
    main()
