"""Two daemons that know nothing are made a pair by typing, and changed by typing."""

from collections.abc import Sequence
from pathlib import Path

from cli.terminal.client import Connection
from cli.terminal.frames import End
from snat.lab.capture import bundled_capture
from snat.lab.configuration import Member, issue_certificates, router_text
from snat.lab.router import same_rows
from tests.system.daemons import Daemon, members, poll, running, stands

READY = 15.0
FLOWS = 30
"""In the bundled capture."""


def type_in(daemon: Daemon, lines: Sequence[str]) -> list[str]:
    """Type lines into one session of the shell's configuration mode; what is said about them."""
    connection = Connection(str(daemon.control))
    said: list[str] = []
    try:
        for line in ("configure terminal", *lines, "end"):
            for part in connection.run(line):
                if isinstance(part, End):
                    assert part.ok, (line, said)
                else:
                    said.append(str(part))
    finally:
        connection.close()
    return said


def empty(member: Member, directory: Path) -> Daemon:
    """A daemon without a configuration; it replays a capture when there is one."""
    captures = (directory / f"{member.host}-in.pcap", directory / f"{member.host}-out.pcap")
    return Daemon(member.host, f"hostname {member.host}\nend\n", directory=directory, captures=captures)


def test_a_pair_is_typed_into_empty_routers_and_changed_while_it_runs(tmp_path: Path) -> None:
    one, other = members([("r1", 1, "primary"), ("r2", 2, "backup")])
    issue_certificates(tmp_path / "pki", [one, other])
    pair = first, second = empty(one, tmp_path), empty(other, tmp_path)
    with running(*pair):
        poll(lambda: all(daemon.counters() for daemon in pair), seconds=READY, of=pair)
        for daemon, member in ((first, one), (second, other)):
            text = router_text(member, [one, other], certificates=tmp_path / "pki", virtual_address=False)
            type_in(daemon, text.splitlines()[:-1])
        poll(lambda: stands(first, "MANAGE") and stands(second, "LISTEN"), seconds=READY, of=pair)
        (tmp_path / "r1-in.pcap").write_bytes(bundled_capture())
        poll(lambda: equal(first, second), seconds=READY, of=pair)
        assert (first.group() or {})["alarms"] == []

        links = first.counters()["links"]
        timers = [f"primary {one.address} port {one.port}", "timers msec 300 msec 900", "maximum entries 10"]
        type_in(first, ["ip nat Stateful id 1", *timers])
        assert first.counters()["links"] == links

        for daemon, member in ((first, one), (second, other)):
            block = f"{member.role} {member.address} port {member.port}"
            type_in(daemon, ["ip nat Stateful id " + str(member.nat_id), block, "mapping-id 20"])
        poll(lambda: stands(first, "MANAGE") and stands(second, "LISTEN"), seconds=READY, of=pair)
        assert [feed["mapping_id"] for feed in (second.group() or {})["feeds"]] == [10, 20]
        assert equal(first, second)
        for daemon in pair:
            assert not [line for line in daemon.log() if "Traceback" in line or "Unhandled" in line]


def equal(first: Daemon, second: Daemon) -> bool:
    rows = first.translations()
    return rows is not None and len(rows) == FLOWS and same_rows(rows, second.translations())
