"""
The manual, parts C to I, command by command: in order, in one shell, on a cloud of daemons.

The guests are fake; L{test_first_ten_minutes} logs in to real ones.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nova_tx import installed
from nova_tx.testing.daemons import Daemons, free_plan


@dataclass(frozen=True)
class Step:
    """
    A row of the manual.

    @ivar command: what is typed, word for word but for slips of the pen.
    @ivar output: what has to be printed: a regular expression for all of it.
    """

    row: str
    command: str
    output: str = ""
    status: int = 0


_AMI = r"ami-[0-9a-z]{8}"
_TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?"
_EXPORTS = re.escape(
    "export EC2_ACCESS_KEY=my-access-key\nexport EC2_SECRET_KEY=a-super-secret-key\n"
)
_NO_MATCH = r"descrbe_resource does not match any options:\n(\t[a-z_]+\n)+"


def _lists(category: str) -> str:
    return (
        r"\S*nova-manage category action \[<args>\]\n"
        rf"Available actions for {category} category:\n(\t[a-z_]+\n)+"
    )


STEPS = (
    Step("C1", "image=ubuntu1010-UEC-localuser-image.tar.gz"),
    Step(
        "C4",
        "uec-publish-tarball $image dub-bucket x86_64 | tail -n 1 | tee ids; eval $(cat ids)",
        rf'emi="{_AMI}"; eri="{_AMI}"; eki="{_AMI}";\n',
    ),
    Step(
        "C5",
        "available $emi && euca-describe-images",
        r"(IMAGE\ta[mkr]i-\w{8}\tdub-bucket/\S+\.manifest\.xml\tadmin\tavailable\tprivate\t"
        r"\tx86_64\n){3}",
    ),
    Step("C6", "euca-add-keypair test > test.pem"),
    Step(
        "C7",
        "chmod 600 test.pem && head -n 2 test.pem",
        r"KEYPAIR\ttest\t[0-9a-f:]+\n-----BEGIN.*\n",
    ),
    Step(
        "C8",
        "euca-run-instances -k test -t m1.tiny $emi | tee run;"
        " instanceid=$(awk '/INST/{print $2}' run)",
        rf"RESERVATION\tr-\w{{8}}\tadmin\tdefault\nINSTANCE\ti-00000001\t{_AMI}\t.*\t"
        rf"test \(admin, \w+\)\t0\tm1.tiny\t{_TIME}\t.*\n",
    ),
    Step(
        "D1",
        "running $instanceid && euca-terminate-instances $instanceid",
        r"INSTANCE\ti-00000001\n",
    ),
    Step(
        "E2",
        "uec-publish-image --type image x86_64 custom.img custom-bucket",
        rf"{_AMI}\tcustom-bucket/custom.img.manifest.xml\n",
    ),
    Step(
        "F1",
        "nova-manage",
        r"\S*nova-manage category action \[<args>\]\nAvailable categories:\n(\t[a-z_]+\n)+",
        2,
    ),
    *(
        Step("F2", f"nova-manage {name}", _lists(name), 2)
        for name in ("user", "project", "role", "shell", "vpn", "floating")
    ),
    Step("G1", "nova-manage user create john my-access-key a-super-secret-key", _EXPORTS),
    Step("G2", "nova-manage project create john_project john"),
    Step("G3", "nova-manage project environment john_project john"),
    Step(
        "G4",
        "source novarc && echo $EC2_ACCESS_KEY $EC2_SECRET_KEY && euca-describe-instances",
        r"my-access-key:john_project a-super-secret-key\n",
    ),
    Step("G6", "nova-manage project zipfile john_project john"),
    Step(
        "G7",
        "unzip -o nova.zip",
        "Archive:  nova.zip\n"
        + "".join(
            rf"( extracting|  inflating): {name} *\n"
            for name in ("novarc", "pk.pem", "cert.pem", "cacert.pem")
        ),
    ),
    Step(
        "G8",
        "source novarc && euca-bundle-image -i custom.img",
        r"Generating manifest /tmp/custom.img.manifest.xml\n",
    ),
    Step("G9", "nova-manage role add john netadmin"),
    Step(
        "G10",
        "nova-manage role has john netadmin john_project; "
        "nova-manage role add john netadmin john_project; "
        "nova-manage role has john netadmin john_project",
        "False\nTrue\n",
    ),
    Step(
        "H8",
        "nova-manage service list | sort",
        r"HostA      nova-compute enabled  :-\) \S+ \S+\n"
        r"HostA      nova-network enabled  :-\) \S+ \S+\n"
        r"HostA      nova-scheduler enabled  :-\) \S+ \S+\n",
    ),
    Step("I3", "source admin/novarc; euca-run-instances -k test -t m1.small $emi > run", ""),
    Step(
        "I4",
        "running i-00000002 && euca-describe-instances i-00000002",
        rf"RESERVATION\tr-\w{{8}}\tadmin\tdefault\nINSTANCE\ti-00000002\t{_AMI}\t[\d.]+\t[\d.]+\t"
        rf"running\ttest \(admin, HostA\)\t0\tm1.small\t{_TIME}\tnova\n",
    ),
    Step(
        "I9",
        "nova-manage service list HostA nova-compute",
        r"HostA      nova-compute enabled  :-\) .*\n",
    ),
    Step("I12", "nova-manage service descrbe_resource HostC", _NO_MATCH, 2),
)

#: Rows that nothing is typed for, and why.
PROSE = {
    "C2": "a download from outside",
    "C3": "the form of C4",
    "C9": "a login to a real guest: test_first_ten_minutes",
    "C10": "within that guest",
    "E1": "a place of a program; its images are published as C4's",
    "G5": "a heading",
    **{row: "read from I4" for row in ("I1", "I2", "I5", "I6", "I7", "I8")},
    "I10": "read from I9",
    "I14": "an explanation of I13",
    "I16": "notes",
}
#: Rows whose rooms are yet to come.
WAITING = {
    **{f"H{number}": "volumes" for number in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11)},
    **{row: "migration" for row in ("I11", "I13", "I15")},
}

_SHELL = """
cd "$HOME"
available() { until euca-describe-images | grep -q "$1.*available"; do sleep 0.2; done; }
running() { until euca-describe-instances "$1" | grep -q running; do sleep 0.2; done; }
source admin/novarc
"""


def test_every_row_is_accounted_for() -> None:
    """Each row of parts C to I is typed, is prose, or waits for its room."""
    sizes = {"C": 10, "D": 1, "E": 2, "F": 2, "G": 10, "H": 11, "I": 16}
    rows = {f"{part}{number}" for part, size in sizes.items() for number in range(1, size + 1)}
    typed = {each.row for each in STEPS}
    assert typed | PROSE.keys() | WAITING.keys() == rows
    assert not typed & (PROSE.keys() | WAITING.keys()) and not PROSE.keys() & WAITING.keys()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """Five daemons on HostA."""
    made = Daemons(tmp_path_factory.mktemp("manual") / "cloud", "--host=HostA")
    made.up(free_plan(made.directory))
    yield made
    made.close()


def furnish(home: Path, cloud: Daemons) -> dict[str, str]:
    """What the reader of the manual has: programs, an image; the environment of the shell."""
    programs = home / "bin"
    programs.mkdir(parents=True)
    publish = "-m nova_tx.local.publish_command"
    main = "import sys; from nova_tx.manage.main import main; sys.exit(main(sys.argv[1:]))"
    commands = {"nova-manage": f'-c "{main}" "$0"'}
    commands |= {name: f"{publish} {name}" for name in ("uec-publish-tarball", "uec-publish-image")}
    euca = Path(__file__).with_name("euca_commands.py")
    for name in ("describe-images", "add-keypair", "run-instances", "describe-instances"):
        commands[f"euca-{name}"] = f"{euca} euca-{name}"
    for name in ("terminate-instances", "bundle-image"):
        commands[f"euca-{name}"] = f"{euca} euca-{name}"
    for name, words in commands.items():
        path = programs / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        path.chmod(0o755)
    (programs / "nova.conf").symlink_to(cloud.flagfile)
    (home / "admin").symlink_to(cloud.directory)
    for name in ("custom.img", "maverick-uec-amd64.img", "vmlinuz-virtual", "initrd-virtual"):
        (home / name).write_bytes(name.encode() * 1000)
    with tarfile.open(home / "ubuntu1010-UEC-localuser-image.tar.gz", "w:gz") as tarball:
        for name in ("maverick-uec-amd64.img", "vmlinuz-virtual", "initrd-virtual"):
            tarball.add(home / name, name)
    kept = {name: os.environ[name] for name in ("LANG",) if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": f"{installed.base()}:{Path(__file__).parent}",
    }


def test_the_manual(cloud: Daemons, tmp_path: Path) -> None:
    """Each command prints what the manual says, and ends with the status that it should."""
    home = tmp_path / "home"
    environment = furnish(home, cloud)
    said = tmp_path / "said"
    said.mkdir()
    story = [_SHELL]
    for place, step in enumerate(STEPS):
        out = said / str(place)
        story.append(f"{{ {step.command}\n}} > {out} 2> {out}.err; echo $? > {out}.status")
    subprocess.run(
        ["bash", "-c", "\n".join(story)],
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=1200,
        check=False,
    )
    wrong = []
    for place, step in enumerate(STEPS):
        out = said / str(place)
        printed, status = out.read_text(), int(Path(f"{out}.status").read_text())
        if not re.fullmatch(step.output, printed) or status != step.status:
            error = Path(f"{out}.err").read_text()[-2000:]
            wrong.append(f"{step.row}: {step.command}\nstatus {status}\n{printed}{error}")
    assert not wrong, "\n".join(wrong)
    assert (home / "novarc").stat().st_mode & 0o777 == 0o600
    assert (home / "test.pem").stat().st_mode & 0o777 == 0o600


def manage(environment: dict[str, str], *words: object) -> subprocess.CompletedProcess[str]:
    """nova-manage of the cloud."""
    argv = [f"{environment['HOME']}/bin/nova-manage", *map(str, words)]
    return subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def test_images_from_files(cloud: Daemons, tmp_path: Path) -> None:
    """Kernel, ramdisk and disk are registered from files, and old ones converted; leaving none."""
    home = tmp_path / "home"
    environment = furnish(home, cloud)
    boot = ("maverick-uec-amd64.img", "vmlinuz-virtual", "initrd-virtual")
    words = ("image", "all_register", *(home / name for name in boot), "admin", "three", "F")
    done = manage(environment, *words)
    assert (done.returncode, done.stderr) == (0, ""), done
    line = r"Image registered to (ami-\w{8}) \(\1\)\."
    kernel, ramdisk, disk = (found[1] for found in re.finditer(line, done.stdout))
    (image,) = cloud.ec2.describe_images(ImageIds=[disk])["Images"]
    assert (image["KernelId"], image["RamdiskId"], image["Name"]) == (kernel, ramdisk, "three")
    assert (image["State"], image["Public"]) == ("available", False)
    again = manage(environment, "image", "image_register", home / boot[0], "admin", "three")
    assert again.returncode == 1 and again.stderr.startswith("Failed to register /"), again
    missing = manage(environment, "image", "kernel_register", home / "none", "admin")
    assert missing.stderr.endswith("none: No such file or directory\n"), missing
    nobody = manage(environment, "image", "ramdisk_register", home / boot[2], "nobody")
    assert nobody.stderr.endswith(': Project "nobody" not found\n'), nobody
    old = tmp_path / "old"
    for name, facts in (
        ("ami-machine", {"imageType": "machine", "kernelId": "aki-kernel", "isPublic": True}),
        ("aki-kernel", {"imageType": "kernel"}),
    ):
        (old / name).mkdir(parents=True)
        (old / name / "image").write_bytes(b"content" * 1000)
        said = {"imageId": name, "imageOwnerId": "admin", "architecture": "x86_64", **facts}
        (old / name / "info.json").write_text(json.dumps(said))
    (old / "broken").mkdir()
    done = manage(environment, "image", "convert", old)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Failed to load {old}/broken/info.json.\n"), done
    new = dict(re.findall(r"Image (\S+) converted to (ami-\w{8}) \(", done.stdout))
    (image,) = cloud.ec2.describe_images(ImageIds=[new["ami-machine"]])["Images"]
    assert (image["KernelId"], image["Public"]) == (new["aki-kernel"], True)
    buckets = [each["Name"] for each in cloud.s3.list_buckets()["Buckets"]]
    assert not [name for name in buckets if name.startswith("nova-manage-")]
