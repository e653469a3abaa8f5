"""A primary and a backup as real daemons on loopback: killed, restarted, stopped, asked."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from snat.lab.configuration import issue_certificates
from snat.lab.router import same_rows
from tests.system.daemons import Daemon, made, members, poll, running, stands

HOLD = 0.6
"""Hold time of the laboratory's configurations, in seconds."""
READY = 15.0
MARGIN = 3.0
"""Seconds beyond the hold time in which a busy machine must have seen a takeover."""
CLEAN = (0, -signal.SIGTERM)
"""twistd, stopped in good order, ends by the very signal; systemd takes either for a clean end."""
FLOWS = 30
"""In the bundled capture."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Daemon, Daemon]]:
    """Both ready and verified, with the capture's flows in both tables."""
    one, other = members([("r1", 1, "primary"), ("r2", 2, "backup")])
    issue_certificates(tmp_path / "pki", [one, other])
    first, second = (made(a, [b], tmp_path / "pki", tmp_path) for a, b in ((one, other), (other, one)))
    with running(first, second):
        poll(lambda: stands(first, "MANAGE") and stands(second, "LISTEN"), seconds=READY, of=(first, second))
        poll(lambda: equal(first, second), seconds=5.0, of=(first, second))
        yield first, second


def equal(first: Daemon, second: Daemon) -> bool:
    rows = first.translations()
    return rows is not None and len(rows) == FLOWS and same_rows(rows, second.translations())


def test_a_pair_survives_the_death_of_either(pair: tuple[Daemon, Daemon]) -> None:
    first, second = pair
    rows = first.translations()

    killed = time.monotonic()
    first.kill()
    poll(lambda: (second.group() or {}).get("standing") == "MANAGE", seconds=HOLD + MARGIN, of=pair)
    assert time.monotonic() - killed < HOLD + MARGIN
    assert same_rows(rows, second.translations())

    first.start()
    poll(lambda: stands(first, "MANAGE") and stands(second, "LISTEN"), seconds=READY, of=pair)
    poll(lambda: equal(first, second), seconds=5.0, of=pair)
    (feed,) = (first.group() or {})["feeds"]
    assert (feed["manager_nat_id"], feed["term"]) == (1, 3)

    second.kill()
    second.start()
    poll(lambda: stands(first, "MANAGE") and stands(second, "LISTEN"), seconds=READY, of=pair)
    poll(lambda: equal(first, second), seconds=5.0, of=pair)
    (feed,) = (second.group() or {})["feeds"]
    assert feed["synchronised"]
    assert feed["verified_age"] is not None
    assert second.counters()["table"]["collisions"] == 0


def test_sigterm_says_goodbye_and_leaves_no_socket(pair: tuple[Daemon, Daemon]) -> None:
    first, second = pair
    assert first.control.is_socket()
    assert first.terminate() in CLEAN
    assert not first.control.exists()
    poll(lambda: any("the device stops" in line for line in second.log()), seconds=2.0, of=pair)
    poll(lambda: (second.group() or {}).get("standing") == "MANAGE", seconds=HOLD + MARGIN, of=pair)
    for daemon in pair:
        assert not [line for line in daemon.log() if "Traceback" in line or "Unhandled" in line]
    assert second.terminate() in CLEAN  # with nobody to say goodbye to


def test_sighup_reads_the_certificates_again_and_drops_no_link(pair: tuple[Daemon, Daemon]) -> None:
    first, second = pair
    before = first.counters()["links"]
    first.hang_up()
    poll(lambda: any("certificates reloaded" in line for line in first.log()), seconds=5.0, of=pair)
    assert first.counters()["links"] == before
    assert first.alive
    assert second.alive


def test_the_shell_tells_of_the_pair(pair: tuple[Daemon, Daemon]) -> None:
    first, second = pair
    shown = first.cli("show ip snat distributed", "show ip nat translations", "show running-config")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "MANAGE" in shown.stdout
    assert shown.stdout.count("198.51.100.") >= FLOWS
    assert "ip nat inside source list 1 pool POOL1 mapping-id 10 overload" in shown.stdout
    links = (second.group() or {})["links"]
    assert sorted((link["direction"], link["state"], link["neighbor"]) for link in links) == [
        ("in", "Establish", "r1.snat.example"),
        ("out", "Establish", "r1.snat.example"),
    ]
    wrong = first.cli("show ip nat nonsense")
    assert wrong.returncode == 1
    assert "^" in wrong.stderr
    told = json.loads(first.cli("show ip nat translations | json").stdout)
    assert same_rows(told, first.translations())
    first.kill()
    gone = first.cli("show ip nat translations")
    assert gone.returncode == 2
    assert "It has been killed: start it again" in gone.stderr
