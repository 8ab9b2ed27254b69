"""What every daemon heeds, whatever rooms it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.task import Clock

from nova_tx.db.engine import Database
from nova_tx.taps import api, objectstore, scheduler
from nova_tx.taps.build import daemon
from nova_tx.taps.crew import Lifeline
from nova_tx.taps.monitoring import Monitoring
from nova_tx.taps.parts import Parts
from nova_tx.taps.signals import heed_sighup, heed_sigterm


@pytest.fixture
def heeded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What a daemon, once it is made, has the reactor call when it runs."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(reactor, "callWhenRunning", lambda *call: asked.append(call))
    return asked


def read(tmp_path: Path, *words: str, of: Any = scheduler) -> Any:
    """A daemon's options, after its command line was read."""
    options = of.Options()
    options.parseOptions([f"--state_path={tmp_path}", "--fake_rabbit", *words])
    return options


def made(tmp_path: Path, *words: str) -> Any:
    """A daemon without rooms; nothing is opened."""
    return daemon(read(tmp_path, *words), None)


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


@pytest.mark.usefixtures("heeded")
def test_what_is_to_be_said(tmp_path: Path) -> None:
    """What was wrong with the flags is said at the start, where there is a log."""
    it = made(tmp_path, "--vlan_interface=eth7")
    [warning] = it._warnings
    assert warning.startswith("--vlan_interface belongs to VLAN networks")


@pytest.mark.usefixtures("heeded")
async def test_a_stop_waits_for_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its parts are closed, work that waits for a database that is away is given up."""
    told: list[object] = []
    monkeypatch.setattr(Database, "hurry", lambda database: told.append(database))
    await made(tmp_path).stopService()
    assert len(told) == 1


@pytest.mark.usefixtures("heeded")
def test_monitoring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is opened before all else, of which it tells; each of a crew has a port of its own."""
    for number, port in (("0", 9101), ("2", 9103)):
        monkeypatch.setenv("NOVA_TX_CREW_NUMBER", number)
        first, *_ = made(tmp_path, "--metrics_port=9101")._parts
        first._keeper.forget()
        assert isinstance(first, Monitoring)
        assert first._listener._where == ("127.0.0.1", port)


@pytest.mark.parametrize(("room", "door"), [(api, "ec2"), (objectstore, "s3")])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_tls_that_nobody_is_told_of(room: Any, door: str, scheme: str, tmp_path: Path) -> None:
    """A door with TLS, to which credentials and services are led without, is told of."""
    words = (f"--{door}_ssl_cert=c", f"--{door}_ssl_key=k", f"--{door}_scheme={scheme}")
    options = read(tmp_path, "--my_ip=127.0.0.1", *words, of=room)
    room.room(Parts(options.flags, Clock(), None))
    found = [each for each in options.flags.warnings if f"--{door}_scheme is not https" in each]
    assert len(found) == (scheme == "http")
