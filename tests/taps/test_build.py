"""What every daemon heeds, whatever rooms it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor

from nova_tx.taps import scheduler
from nova_tx.taps.build import daemon
from nova_tx.taps.crew import Lifeline
from nova_tx.taps.signals import heed_sighup, heed_sigterm


@pytest.fixture
def heeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What a daemon, once it is made, has the reactor call when it runs."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(reactor, "callWhenRunning", lambda *call: asked.append(call))
    return asked


def made(tmp_path: Path) -> Any:
    """A daemon without rooms; nothing is opened."""
    options = scheduler.Options()
    options.parseOptions([f"--state_path={tmp_path}", "--fake_rabbit"])
    return daemon(options, None)


def test_signals(heeded: list[tuple[Any, ...]], tmp_path: Path) -> None:
    """SIGTERM ends it, SIGHUP has its log and its parts renewed; nobody else is listened to."""
    it = made(tmp_path)
    renew = (it._log.reopen, it.reload)
    assert heeded == [(heed_sigterm, reactor), (heed_sighup, reactor, *renew)]


def test_one_of_a_crew(
    heeded: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first of a crew says to the others has them renew all that SIGHUP does."""
    monkeypatch.setenv("NOVA_TX_CREW_SOCKET", "3")
    it = made(tmp_path)
    [line] = [call[0].__self__ for call in heeded if not call[1:]]
    assert isinstance(line, Lifeline) and line._renew == (it._log.reopen, it.reload)
