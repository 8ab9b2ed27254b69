"""A user, his project and his cloud; and what a shell makes of a novarc of his."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from nova_tx.auth import credentials
from nova_tx.auth.credentials import Endpoints, FileNames
from nova_tx.flags import AuthFlags, Ec2Flags, S3Flags
from nova_tx.model.users import Membership, Project, User

EC2 = Ec2Flags(ec2_host="api.example.com", ec2_dmz_host="10.1.1.1")
S3 = S3Flags(s3_dmz="10.1.1.2")
AUTH = AuthFlags(osapi_host="10.1.1.3")
PLACE = Endpoints("nova", "http://10.1.1.1:8773/services/Cloud", "http://10.1.1.1:3333", "http://o")
FILES = FileNames("pk.pem", "cert.pem", "cacert.pem")
JOHN = User("john", "my-access-key", "a-super-secret-key", False)
PROJECT = Project("john_project", "john", "")
WHO = Membership(JOHN, PROJECT, True)


def novarc(user: User = JOHN) -> str:
    return credentials.rc_text(replace(WHO, user=user), PLACE, AUTH, FILES)


def sourced(shell: str, text: str, directory: Path, there: Path) -> dict[str, str]:
    """The environment of a shell that stands in C{there} and sources a novarc of C{directory}."""
    directory.mkdir(exist_ok=True, parents=True)
    (directory / "novarc").write_text(text)
    script = f'set -eu; cd "$1"; . "$2/novarc"; {shutil.which("env")} -0'
    argv = [shell, "-c", script, shell, str(there), str(directory)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env={"PATH": "/bin"})
    assert done.stderr == ""
    entries = (entry.partition("=") for entry in done.stdout.split("\0") if entry)
    return {name: value for name, _, value in entries}
