"""What a soak takes for a fault, and what it excuses."""

from __future__ import annotations

from typing import NoReturn

from botocore.exceptions import ClientError, EndpointConnectionError

from nova_tx.testing.journal import Journal


def refuse(code: str) -> NoReturn:
    """What boto3 raises when it is refused."""
    raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Ask")


def vanish() -> NoReturn:
    """What boto3 raises when nobody is there."""
    raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


def test_an_answer_is_handed_on() -> None:
    """What was asked as it should be is counted, and no fault."""
    journal = Journal()
    assert journal.ask("add", lambda a, b: a + b, a=1, b=2) == 3
    assert (journal.requests, journal.refusals, journal.faults) == (1, 0, [])


def test_a_refusal_without_a_death_is_a_fault() -> None:
    """While nobody dies nobody is sent away, and nobody finds the door closed."""
    journal = Journal()
    assert journal.ask("look", refuse, code="Unavailable") is None
    assert journal.ask("look", vanish) is None
    assert len(journal.faults) == 2 and journal.refusals == 2


def test_a_death_excuses_who_says_later_and_nobody_else() -> None:
    """After a death a part may be away; an internal error is a fault at any time."""
    journal = Journal()
    journal.died("nova-api")
    journal.ask("look", refuse, code="Unavailable")
    journal.ask("look", vanish)
    assert not journal.faults
    journal.ask("look", refuse, code="InternalError")
    assert len(journal.faults) == 1


def test_what_may_be_the_answer_is_no_fault() -> None:
    """A code that the client reckons with is counted as a refusal only."""
    journal = Journal()
    journal.ask("reboot", refuse, "IncorrectInstanceState", code="IncorrectInstanceState")
    assert not journal.faults
    [_, line] = journal.table()
    assert line.split()[:3] == ["reboot", "0", "1"] and "1 IncorrectInstanceState" in line
