"""
The guest image boots under plain QEMU: lease, metadata, user-data, key, ssh, power button.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_tx.local import guest_image, probe

_INSTANCE = "i-0000002a"
_PATIENCE = 300.0


# run by QEMU for each connection that the guest makes to the metadata service
_METADATA = """\
import json, sys
path = sys.stdin.readline().split()[1]
while sys.stdin.readline().strip():
    pass
leaf = json.load(open(sys.argv[1])).get(path)
body = leaf or ""
status = "404 Not Found" if leaf is None else "200 OK"
print(f"HTTP/1.0 {status}\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n{body}", end="")
"""


class Guest:
    """A guest of the image and its console."""

    def __init__(self, directory: Path, leaves: dict[str, str]) -> None:
        service, answers = directory / "metadata.py", directory / "leaves.json"
        service.write_text(_METADATA)
        answers.write_text(json.dumps(leaves))
        kernel, ramdisk, image = guest_image.unpack(guest_image.build(), directory)
        program = probe.qemu()
        assert program is not None
        self.console = directory / "console"
        self.monitor = directory / "monitor"
        metadata = f"guestfwd=tcp:169.254.169.254:80-cmd:{sys.executable} {service} {answers}"
        net = f"user,id=n,net=169.254.169.0/24,host=169.254.169.2,{metadata}"
        self._argv = [program, "-accel", "tcg", "-m", "128", "-nodefaults", "-display", "none"]
        self._argv += ["-serial", f"file:{self.console}", "-no-reboot"]
        self._argv += ["-kernel", str(kernel), "-initrd", str(ramdisk)]
        self._argv += ["-append", "root=/dev/vda console=ttyS0"]
        self._argv += ["-drive", f"file={image},if=virtio,format=raw"]
        self._argv += ["-netdev", net + ",hostfwd=tcp:127.0.0.1:0-:22"]
        self._argv += ["-device", "virtio-net-pci,netdev=n"]
        self._argv += ["-chardev", f"socket,id=m,path={self.monitor},server=on,wait=off"]
        self._argv += ["-mon", "chardev=m,mode=readline"]
        self.process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL)

    def wait_for(self, text: str) -> str:
        """The first line of the console with C{text} in it."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            seen = self.console.read_text(errors="replace") if self.console.exists() else ""
            for line in seen.splitlines(keepends=True):
                if text in line and line.endswith("\n"):
                    return line.strip()
            assert self.process.poll() is None, f"the guest ended:\n{seen[-2000:]}"
            time.sleep(0.1)
        raise AssertionError(f"no {text!r} on the console:\n{seen[-2000:]}")

    def command(self, text: str) -> str:
        """Tell QEMU's monitor something; returns what it says."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(self.monitor))
            link.settimeout(30)
            seen = b""
            while seen.count(b"(qemu) ") < 1:
                seen += link.recv(4096)
            link.sendall(text.encode() + b"\n")
            while seen.count(b"(qemu) ") < 2:
                seen += link.recv(4096)
            return seen.decode(errors="replace")

    def ssh_port(self) -> int:
        """Where this machine reaches the guest's ssh server."""
        for line in self.command("info usernet").splitlines():
            words = line.split()
            if words[:1] == ["TCP[HOST_FORWARD]"]:
                return int(words[3])
        raise AssertionError("QEMU forwards no port")


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's key."""
    path = tmp_path_factory.mktemp("key") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Iterator[Guest]:
    """A guest that has begun to boot, with a metadata service to ask."""
    leaves = {
        "/latest/meta-data/instance-id": _INSTANCE,
        "/latest/meta-data/local-hostname": "guest-42",
        "/latest/meta-data/public-keys/0/openssh-key": key.with_suffix(".pub").read_text(),
        "/latest/user-data": "#!/bin/sh\necho made by user-data\necho kept > /root/proof\n",
    }
    started = Guest(tmp_path_factory.mktemp("guest"), leaves)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()


def ssh(guest: Guest, key: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the guest."""
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes")
    argv = ["ssh", "-F", "none", "-i", str(key), "-p", str(guest.ssh_port())]
    argv += [word for option in options for word in ("-o", option)]
    argv += ["root@127.0.0.1", command]
    return subprocess.run(argv, capture_output=True, text=True, timeout=_PATIENCE)


def test_it_says_who_it_is_when_it_is_ready(guest: Guest) -> None:
    """A booted guest says instance, address, keys and host name from its metadata."""
    words = dict(
        word.split("=") for word in guest.wait_for("NOVA-GUEST-READY").split() if "=" in word
    )
    uptime = float(words.pop("uptime"))
    address = words.pop("ip")
    assert words == {"instance": _INSTANCE, "keys": "1", "host": "guest-42"}
    assert address.startswith("169.254.169.") and uptime > 0


def test_it_runs_user_data_and_shows_what_it_printed(guest: Guest) -> None:
    """User-data that is a script is run, and its output is on the console."""
    assert guest.wait_for("user-data: made") == "user-data: made by user-data"
    assert guest.wait_for("user-data: ended").endswith("status 0")


def test_the_key_opens_it(guest: Guest, key: Path) -> None:
    """The holder of the metadata's key is let in as root, and finds user-data's file."""
    guest.wait_for("NOVA-GUEST-READY")
    done = ssh(guest, key, "id -u; cat /root/proof; hostname")
    assert (done.returncode, done.stdout) == (0, "0\nkept\nguest-42\n"), done.stderr


def test_no_other_key_and_no_password_opens_it(guest: Guest, tmp_path: Path) -> None:
    """Who has another key is refused, and is not asked for a password."""
    guest.wait_for("NOVA-GUEST-READY")
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    done = ssh(guest, other, "true")
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr


def test_the_console_asks_for_a_login(guest: Guest) -> None:
    """The host key is shown on the console before the guest is ready for who logs in there."""
    guest.wait_for("NOVA-GUEST-READY")
    assert "SHA256:" in guest.wait_for("ed25519 ")


def test_the_power_button_takes_it_down(guest: Guest) -> None:
    """A guest whose power button is pressed says so and goes off by itself."""
    guest.wait_for("NOVA-GUEST-READY")
    guest.command("system_powerdown")
    assert guest.process.wait(timeout=_PATIENCE) == 0
    assert "NOVA-GUEST-SHUTDOWN" in guest.console.read_text(errors="replace")


def test_a_second_build_takes_the_first_ones_result(tmp_path: Path) -> None:
    """An image that was built is copied, not built again, and belongs to who may read it."""
    first = guest_image.build()
    before = os.stat(first).st_mtime_ns
    copy = guest_image.build(tmp_path / "copy.tar.gz")
    assert os.stat(first).st_mtime_ns == before
    assert copy.read_bytes() == first.read_bytes()
