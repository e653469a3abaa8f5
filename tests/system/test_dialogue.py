"""An engineer at two routers out of the box: a pseudo-terminal, a pair, saved, restarted, still there."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from snat.lab.configuration import issue_certificates, router_text
from tests.system.daemons import Daemon, members, poll, running, stands

READY = 20.0


@pytest.fixture
def routers(tmp_path: Path) -> Iterator[tuple[tuple[Daemon, str], tuple[Daemon, str]]]:
    """Two daemons with empty configurations, and what is to be typed into each."""
    one, other = members([("r1", 1, "primary"), ("r2", 2, "backup")])
    issue_certificates(tmp_path / "pki", [one, other])
    made = []
    for member, neighbor in ((one, other), (other, one)):
        text = router_text(member, [member, neighbor], certificates=tmp_path / "pki", virtual_address=False)
        captures = (tmp_path / f"{member.host}-none.pcap", tmp_path / f"{member.host}-out.pcap")
        made.append((Daemon(member.host, "", directory=tmp_path, captures=captures), text))
    first, second = made
    both = (first[0], second[0])
    with running(*both):
        poll(lambda: all(one.control.is_socket() for one in both), seconds=READY, of=both)
        yield first, second


def terminal(daemon: Daemon) -> Any:
    arguments = ["-m", "cli.terminal", "--control", str(daemon.control)]
    return pexpect.spawn(sys.executable, arguments, encoding="utf-8", timeout=10, dimensions=(50, 200))


def configure(daemon: Daemon, text: str) -> None:
    """Type a configuration, line by line, and save it."""
    child = terminal(daemon)
    child.expect("Router#")
    child.send("enable\r")
    child.expect("Router#")
    child.send("configure terminal\r")
    for line in [*text.splitlines(), "end"]:
        child.expect(r"\(\S+\)#")
        child.send(f"{line.strip()}\r")
    child.expect(f"{daemon.name}#")
    child.send("copy run start\r")
    child.expect("startup-config]")
    child.send("\r")
    child.expect("OK]")
    child.expect(f"{daemon.name}#")
    child.send("exit\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def configured(daemon: Daemon) -> str:
    """The running configuration without its heading, which has dates."""
    begin = f"hostname {daemon.name}"
    text = daemon.cli("show running-config").stdout
    return text[text.index(begin) :]


def test_from_an_empty_configuration_to_a_pair_that_is_still_there_after_a_restart(
    routers: tuple[tuple[Daemon, str], tuple[Daemon, str]],
) -> None:
    (first, text), (second, other) = routers
    configure(first, text)
    configure(second, other)
    both = (first, second)
    poll(lambda: stands(first, "MANAGE") and stands(second, "LISTEN"), seconds=READY, of=both)
    shown = configured(first)
    assert "mapping-id 10" in shown

    for daemon in both:
        daemon.terminate()
        daemon.start()
    poll(lambda: stands(first, "MANAGE") and stands(second, "LISTEN"), seconds=READY, of=both)
    assert configured(first) == shown
