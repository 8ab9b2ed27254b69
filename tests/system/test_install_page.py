"""docs/install.md, word for word: each daemon by its unit as the user nova, and a guest boots."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from nova_tx.local import guest_image

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PAGE = CHECKOUT / "docs" / "install.md"
BLOCK = re.compile(r"```sh\n(.*?)```", re.S)

#: Directories that the page writes into: it sees its own, and this machine keeps its own.
PLACES = ("etc", "opt", "var", "root")

#: What Debian and the network have done before the page begins.
BEFORE = """
for place in $PLACES; do
    mkdir -p $SANDBOX/upper/$place $SANDBOX/scratch/$place
    mount -t overlay overlay /$place \
        -o lowerdir=/$place,upperdir=$SANDBOX/upper/$place,workdir=$SANDBOX/scratch/$place
done
mount -t tmpfs run /run
"""
#: What apt-get has started where systemd runs, and the controller's address.
STARTED = """
ip link set lo up
ip link add eth0 type veth peer name cable
ip address add 192.168.1.1/24 dev eth0
ip link set eth0 up
ip link set cable up
echo NODENAME=rabbit@localhost >>/etc/rabbitmq/rabbitmq-env.conf
install -d -o rabbitmq -g rabbitmq /run/rabbitmq
rabbitmq-server -detached
until rabbitmqctl -q await_startup 2>/dev/null; do sleep 1; done
pg_ctlcluster $(ls /etc/postgresql) main start
# neither D-Bus nor cgroups nor devices of its own: a sandbox has none to give
echo 'auth_unix_rw = "none"' >>/etc/libvirt/libvirtd.conf
cat >>/etc/libvirt/qemu.conf <<END
cgroup_controllers = [ ]
namespaces = [ ]
security_driver = "none"
END
virtlogd -d && libvirtd -d
echo FLAGS=--libvirt_type=qemu >/etc/default/nova-compute   # whether KVM works or not
"""
#: Nothing to fetch: what the page asks apt for is what scripts/test has installed.
APT_GET = """#!/bin/sh
shift 2
dpkg-query -W "$@" >/dev/null
"""
#: What else has to be so at the end of the page.
AFTER = """
systemd-analyze verify /etc/systemd/system/nova-*.service
for pid in $(pgrep -f 'python.*/opt/nova_tx/bin/nova-'); do
    echo "daemon $(ps -o user= -p $pid)"
done
until [ "$(runuser -u nova -- nova-manage service list | grep -c ':-)')" = 3 ]; do sleep 1; done
uec-publish-tarball "$GUEST" my-bucket x86_64
"$TEST_PYTHON" "$STORY"
"""
#: A guest, by boto3, as novarc says.
STORY = """
import os, pathlib, subprocess, time
import boto3

ec2 = boto3.client("ec2", region_name="nova", endpoint_url=os.environ["EC2_URL"],
    aws_access_key_id=os.environ["EC2_ACCESS_KEY"],
    aws_secret_access_key=os.environ["EC2_SECRET_KEY"])
while not (images := [each for each in ec2.describe_images()["Images"]
        if each["ImageType"] == "machine" and each["State"] == "available"]):
    time.sleep(1)
key = pathlib.Path("key.pem")
key.write_text(ec2.create_key_pair(KeyName="test")["KeyMaterial"])
key.chmod(0o600)
[guest] = ec2.run_instances(ImageId=images[0]["ImageId"], MinCount=1, MaxCount=1,
    InstanceType="m1.tiny", KeyName="test")["Instances"]
while True:
    [[guest]] = [each["Instances"] for each in ec2.describe_instances()["Reservations"]]
    assert guest["State"]["Name"] in ("pending", "running"), guest
    ssh = ["ssh", "-q", "-i", str(key), "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes",
        "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5"]
    if guest["State"]["Name"] == "running" and not subprocess.run(
            [*ssh, "root@" + guest["PrivateIpAddress"], "echo the guest has booted"]).returncode:
        break
    time.sleep(1)
print(ec2.get_console_output(InstanceId=guest["InstanceId"])["Output"][-200:])
ec2.terminate_instances(InstanceIds=[guest["InstanceId"]])
while any(each["Instances"][0]["State"]["Name"] != "terminated"
        for each in ec2.describe_instances()["Reservations"]):
    time.sleep(1)
print("it is terminated")
"""


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    """Every command of the page works, no daemon is root's, and a guest boots and ends."""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert sum("systemctl enable" in block for block in blocks) == 3
    fetching = next(place for place, text in enumerate(blocks) if "pip install" in text) + 1
    source = tmp_path / "source"
    made = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build")
    shutil.copytree(CHECKOUT, source, ignore=made)
    build = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", "..", ".")
    subprocess.run(build, cwd=source, check=True)

    shims = tmp_path / "shims"
    shims.mkdir()
    (shims / "systemctl").symlink_to(HERE / "systemctl.py")
    (shims / "apt-get").write_text(APT_GET)
    (shims / "apt-get").chmod(0o755)
    (tmp_path / "story.py").write_text(STORY)
    inner = tmp_path / "inner.sh"
    inner.write_text("\n".join(["set -euo pipefail", STARTED, *blocks[fetching:], AFTER]))
    outer = tmp_path / "outer.sh"
    outer.write_text(
        "\n".join(
            ["set -euo pipefail", BEFORE, *blocks[:fetching], "exec unshare --net bash $INNER"]
        )
    )
    sandbox = tmp_path / "sandbox"
    sandbox.mkdir()
    done = subprocess.run(
        # all that it started ends with it
        [
            *("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"),
            *("--mount-proc", "sh", "-c", "mount -t tmpfs sandbox $SANDBOX && exec bash $OUTER"),
        ],
        cwd=tmp_path,
        env={
            "PATH": f"{shims}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "PLACES": " ".join(PLACES),
            "SANDBOX": str(sandbox),
            "OUTER": str(outer),
            "INNER": str(inner),
            "UNIT_LOGS": str(tmp_path),
            "GUEST": str(guest_image.build(say=print)),
            "TEST_PYTHON": sys.executable,
            "STORY": str(tmp_path / "story.py"),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    logs = "".join(
        f"\n== {log.name}\n{log.read_text(errors='replace')[-4000:]}"
        for log in sorted(tmp_path.glob("nova-*.log"))
    )
    assert done.returncode == 0, done.stdout + logs
    assert done.stdout.count("daemon nova") == 5 and "daemon root" not in done.stdout, done.stdout
    assert "the guest has booted" in done.stdout and "it is terminated" in done.stdout, done.stdout
