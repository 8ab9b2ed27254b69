"""Templates of what users take home."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from john import AUTH, FILES, JOHN, PLACE, WHO

from nova_tx.auth import credentials
from nova_tx.errors import InvalidInput


def test_template(tmp_path: Path) -> None:
    """An operator's own template gets every value by name; %% is a per cent sign."""
    path = tmp_path / "rc"
    names = ("access", "project", "secret", "ec2", "s3", "os", "user", "nova", "cert", "key")
    path.write_text("100%%\n" + "".join(f"%({name})s\n" for name in (*names, "region")))
    auth = replace(AUTH, credentials_template=str(path))
    assert credentials.rc_text(WHO, PLACE, auth, FILES).splitlines() == [
        *("100%", "my-access-key", "john_project", "a-super-secret-key", PLACE.ec2, PLACE.s3),
        *("http://o", "john", "cacert.pem", "cert.pem", "pk.pem", "nova"),
    ]


def test_trust(tmp_path: Path) -> None:
    """It has the lines of https where it wants them, and none in a cloud without."""
    path = tmp_path / "rc"
    path.write_text("%(trust)s")
    auth = replace(AUTH, credentials_template=str(path))
    assert credentials.rc_text(WHO, PLACE, auth, FILES) == ""
    text = credentials.rc_text(WHO, PLACE, auth, replace(FILES, trusted="/a $b"))
    assert 'export AWS_CA_BUNDLE="/a \\$b"' in text.splitlines()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%(wealth)s", "wants 'wealth'; there are access, project"),
        (b"100%", "has a % that is neither"),
        (b"%s", "has a % that is neither"),
        (b"\xff\xfe", "is no text"),
        (None, "can't read"),
    ],
)
def test_bad_template(tmp_path: Path, content: bytes | None, said: str) -> None:
    """A template that is no good is one sentence, with its flag, its file and no secret."""
    path = tmp_path / "rc"
    if content is not None:
        path.write_bytes(content)
    auth = replace(AUTH, credentials_template=str(path))
    with pytest.raises(InvalidInput, match=said) as caught:
        credentials.rc_text(WHO, PLACE, auth, FILES)
    assert str(caught.value).startswith(f"--credentials_template: {'can' if not content else path}")
    assert JOHN.secret_key not in str(caught.value)
