"""The rule for old and new clients."""

from __future__ import annotations

from datetime import datetime

import pytest

from nova_tx import states
from nova_tx.api.ec2 import dialect
from nova_tx.model.instances import InstanceDetails
from nova_tx.testing.rows import an_instance

STATES = (
    *(states.SCHEDULING, states.NETWORKING, states.RUNNING, states.REBOOTING),
    *(states.SHUTDOWN, states.TERMINATING, states.TERMINATED, states.ERROR),
)


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("2009-11-30", dialect.Old),
        ("2010-12-31", dialect.Old),
        ("2011-01-01", dialect.Newish),
        ("2016-11-14", dialect.Newish),
        ("2016-11-15", dialect.New),
        ("nova", dialect.New),
    ],
)
def test_of(version: str, kind: type) -> None:
    """Versions before 2011-01-01 are old, all others new, if with gaps before 2016-11-15."""
    assert type(dialect.of(version)) is kind
    assert issubclass(dialect.Newish, dialect.New)


def test_times() -> None:
    """Old times have no zone, new ones are ISO 8601 with milliseconds and Z."""
    when = datetime(2011, 2, 15, 7, 28, 32, 123456)
    assert dialect.Old().time(when) == "2011-02-15 07:28:32"
    assert dialect.New().time(when) == "2011-02-15T07:28:32.123Z"


def test_states() -> None:
    """Old clients see Nova's names and power numbers, new ones AWS's; a code is never empty."""
    old, new = {}, {}
    for state in STATES:
        instance = an_instance(state=states.POWER[state], state_description=state)
        for kind, seen in ((dialect.Old(), old), (dialect.New(), new)):
            found = kind.state(instance)
            seen[state] = (found["code"], found["name"])
    assert old == {state: (states.POWER[state] or 0, state) for state in STATES}
    assert new == {
        "scheduling": (0, "pending"),
        "networking": (0, "pending"),
        "running": (16, "running"),
        "rebooting": (16, "running"),
        "shutdown": (80, "stopped"),
        "terminating": (32, "shutting-down"),
        "terminated": (48, "terminated"),
        "error": (48, "terminated"),
    }


def test_key_names() -> None:
    """Old administrators see project and host behind the key, and None where there is none."""
    instance = an_instance(key_name="testkey", project_id="admin", host="HostB")
    assert dialect.Old().key_name(instance, True) == "testkey (admin, HostB)"
    assert dialect.Old().key_name(instance, False) == "testkey"
    bare = an_instance(project_id="admin")
    assert dialect.Old().key_name(bare, True) == "None (admin, None)"
    assert dialect.New().key_name(instance, True) == "testkey"


def test_reasons() -> None:
    """New clients learn why an instance is in error."""
    failed = an_instance(state_description=states.ERROR, reason="No hosts found")
    more = dialect.New().more(InstanceDetails(failed, None, None, (), None))
    assert more["stateReason"] == {"code": "Server.InternalError", "message": "No hosts found"}


def test_change() -> None:
    """Clients of 2011 keep the last state of a change, Libcloud takes the first: the current."""
    before, after = an_instance(state_description=states.RUNNING), an_instance()
    assert [*dialect.Old().change(before, after)][-1] == "currentState"
    assert next(iter(dialect.New().change(before, after))) == "currentState"
    for each in (dialect.Old(), dialect.New()):
        assert each.change(before, after)["currentState"] == each.state(after)
