"""
The zip of a user in bash, zsh and dash: what clients do with nothing but what its novarc sets.

Separate daemons with fake guests, of a cloud in which each project has its own authority.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nova_tx.manage.main import main as nova_manage
from nova_tx.testing.daemons import Daemons, free_plan

SHELLS = ("bash", "zsh", "dash")

#: A name of a directory that a careless script trips over.
HOSTILE = """john's "keys" of $HOME & `id`; \\ #1"""

BOTO = """
import os, sys, urllib.parse
from nova_tx.local.boto_shim import OrdinaryCallingFormat, boto
name = sys.argv[1]
ec2 = boto.connect_ec2_endpoint(
    os.environ["EC2_URL"], os.environ["EC2_ACCESS_KEY"], os.environ["EC2_SECRET_KEY"]
)
print(*(zone.name for zone in ec2.get_all_zones()))
ec2.create_key_pair(name)
print(*(pair.name for pair in ec2.get_all_key_pairs([name])))
at = urllib.parse.urlsplit(os.environ["S3_URL"])
s3 = boto.connect_s3(  # the keys are AWS_*
    host=at.hostname, port=at.port, is_secure=False, calling_format=OrdinaryCallingFormat()
)
s3.create_bucket(name).new_key("greeting").set_contents_from_string("hello")
print(s3.get_bucket(name).get_key("greeting").get_contents_as_string(encoding="ascii"))
"""

BOTO3 = """
import sys
import boto3
name = sys.argv[1]
ec2, s3 = boto3.client("ec2"), boto3.client("s3")
print(*(zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]))
ec2.create_key_pair(KeyName=name)
print(*(pair["KeyName"] for pair in ec2.describe_key_pairs(KeyNames=[name])["KeyPairs"]))
s3.create_bucket(Bucket=name)
s3.put_object(Bucket=name, Key="greeting", Body=b"hello")
print(s3.get_object(Bucket=name, Key="greeting")["Body"].read().decode())
"""

AWS = """
query() { "$python" -m awscli "$@" --output text; }
query ec2 describe-availability-zones --query 'AvailabilityZones[].ZoneName'
query ec2 create-key-pair --key-name "$1" >/dev/null
query ec2 describe-key-pairs --key-names "$1" --query 'KeyPairs[].KeyName'
query s3 mb "s3://$1" >/dev/null
echo hello | query s3 cp - "s3://$1/greeting"
query s3 cp "s3://$1/greeting" -
"""

#: euca-bundle-image, euca-upload-bundle and euca-register, as far as files and keys go.
BUNDLE = """
import os, pathlib, sys, time
import boto3
from nova_tx.image.bundles import bundle
name = sys.argv[1]
keys = [
    pathlib.Path(os.environ[each]).read_bytes()
    for each in ("EC2_PRIVATE_KEY", "EC2_CERT", "EUCALYPTUS_CERT")
]
pathlib.Path("disk").write_bytes(b"a disk")
ec2, s3 = boto3.client("ec2"), boto3.client("s3")
s3.create_bucket(Bucket=name)
user = os.environ["EC2_USER_ID"]
for path in bundle("disk", ".", "disk", "x86_64", None, None, *keys, user=user):
    s3.put_object(Bucket=name, Key=pathlib.Path(path).name, Body=pathlib.Path(path).read_bytes())
made = ec2.register_image(Name=name, ImageLocation=name + "/disk.manifest.xml")["ImageId"]
for _ in range(6000):
    [image] = ec2.describe_images(ImageIds=[made])["Images"]
    if image["State"] in ("available", "failed"):
        break
    time.sleep(0.02)
print(image["State"], image.get("StateReason", {}).get("Message", ""))
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """A cloud in which john has a project, as the seed's slides have it."""
    made = Daemons(tmp_path_factory.mktemp("novarc") / "cloud", "--use_project_ca")
    try:
        made.up(free_plan(made.directory))
        manage(made, "user", "create", "john", "my-access-key", "a-$uper-\"secret'-`key`")
        manage(made, "project", "create", "john_project", "john")
        for role in ("netadmin", "sysadmin"):
            manage(made, "role", "add", "john", role)
            manage(made, "role", "add", "john", role, "john_project")
        yield made
    finally:
        made.close()


def manage(cloud: Daemons, *words: str) -> None:
    assert nova_manage(["nova-manage", f"--flagfile={cloud.flagfile}", *words]) == 0


def unzipped(cloud: Daemons, directory: Path) -> Path:
    """A new zip of john's, unpacked by unzip into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    archive = directory / "nova.zip"
    manage(cloud, "project", "zipfile", "john_project", "john", str(archive))
    subprocess.run(["unzip", "-q", "-o", "nova.zip"], check=True, cwd=directory)
    archive.unlink()
    return directory


Run = Callable[[str, str, str], str]


@pytest.fixture
def run(cloud: Daemons, tmp_path: Path) -> Run:
    """Run a program in a shell that knows nothing but what it sourced; returns what it printed."""
    keys = unzipped(cloud, tmp_path / HOSTILE)
    work = tmp_path / "work"
    work.mkdir()

    def running(shell: str, program: str, name: str) -> str:
        done = subprocess.run(
            [shell, "-c", f'set -eu; . "$2/novarc"; {program}', shell, name, str(keys)],
            capture_output=True,
            text=True,
            cwd=work,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(work),
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "python": sys.executable,
            },
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return running


def python(text: str) -> str:
    """A shell's line that runs Python."""
    return f""""$python" - "$1" <<'END'\n{text}END\n"""


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("client", "program"), [("boto", python(BOTO)), ("boto3", python(BOTO3)), ("aws", AWS)]
)
def test_client(run: Run, shell: str, client: str, program: str) -> None:
    """Each client reaches both services from each shell, as john in john_project."""
    name = f"{client}-{shell}"
    assert run(shell, program, name).split() == ["nova", name, "hello"]


@pytest.mark.parametrize("shell", SHELLS)
def test_bundle(run: Run, shell: str) -> None:
    """What is bundled with the files beside the novarc becomes an image."""
    assert run(shell, python(BUNDLE), f"bundle-{shell}") == "available \n"


def test_revoked(cloud: Daemons, run: Run) -> None:
    """What is bundled with a revoked certificate becomes none; with a new zip's it does."""
    manage(cloud, "user", "revoke", "john", "john_project")
    said = run("dash", python(BUNDLE), "bundle-revoked")
    assert said == "failed the manifest is signed with a certificate that has been revoked\n"


def test_after_revocation(run: Run) -> None:
    """A new zip is as good as the first one was."""
    assert run("dash", python(BUNDLE), "bundle-anew") == "available \n"


def test_members(cloud: Daemons, tmp_path: Path) -> None:
    """The zip has the seed's members, private once they are unpacked, and overwrites silently."""
    keys = unzipped(cloud, unzipped(cloud, tmp_path / "keys"))
    assert sorted(os.listdir(keys)) == ["cacert.pem", "cert.pem", "novarc", "pk.pem"]
    for name in os.listdir(keys):
        assert (keys / name).stat().st_mode & 0o777 == 0o600
