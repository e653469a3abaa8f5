"""A pair that is making flows when either of the two is killed."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cli.terminal.frames import ControlError
from snat.lab import capture
from snat.lab.configuration import issue_certificates
from snat.lab.packets import UDP, Packet
from tests.system.control import counter, group_of
from tests.system.daemons import Daemon, made, members, poll, running

FLOWS: Final = 40_000
"""So many that their packets take longer than it takes to notice the first and to kill."""


def opens(number: int) -> Packet:
    """The first packet of a flow of its own."""
    host, port = divmod(number, 1000)
    return Packet(
        protocol=UDP,
        source=(f"10.0.0.{2 + host}", 2000 + port),
        destination=("198.51.100.7", 53),
        payload=b"?",
    )


def replays(member_file: Path, count: int) -> None:
    with member_file.open("wb") as file:
        capture.write(file, map(opens, range(count)))


def knows(daemon: Daemon) -> Any:
    """Its feed, with its group's standing."""
    group = group_of(daemon)
    return {**group["feeds"][0], "standing": group["standing"]}


def answered(question: Callable[[], bool]) -> Callable[[], bool]:
    """The question; not so while a daemon does not answer."""

    def ask() -> bool:
        with suppress(ControlError):
            return question()
        return False

    return ask


def equal(first: Daemon, second: Daemon) -> bool:
    one, other = knows(first), knows(second)
    return all(one[name] == other[name] for name in ("entries", "digest", "term", "sequence"))


def in_the_middle(first: Daemon, second: Daemon) -> bool:
    """The one manages and makes flows, of which the other has some."""
    one, other = knows(first), knows(second)
    assert one["entries"] < FLOWS, "the flows are made too fast for this test"
    return (one["standing"], other["standing"]) == ("MANAGE", "LISTEN") and bool(other["entries"] > 100)


def test_either_is_killed_while_flows_are_made(tmp_path: Path) -> None:
    one, other = members([("r1", 1, "primary"), ("r2", 2, "backup")])
    issue_certificates(tmp_path / "pki", [one, other])
    pair = first, second = tuple(
        made(a, [b], tmp_path / "pki", tmp_path) for a, b in ((one, other), (other, one))
    )
    replays(tmp_path / "r1-1-in.pcap", FLOWS)
    replays(tmp_path / "r2-2-in.pcap", 0)
    with running(*pair):
        poll(answered(lambda: in_the_middle(first, second)), seconds=20.0, of=pair)
        first.kill()
        poll(answered(lambda: knows(second)["standing"] == "MANAGE"), seconds=5.0, of=pair)
        kept = knows(second)["entries"]
        assert 100 < kept < FLOWS

        first.start()
        back = answered(lambda: knows(first)["standing"] == "MANAGE" and knows(first)["entries"] > kept)
        poll(back, seconds=20.0, of=pair)
        second.kill()
        second.start()
        poll(answered(lambda: knows(first)["entries"] == FLOWS), seconds=20.0, of=pair)
        poll(answered(lambda: knows(second)["standing"] == "LISTEN"), seconds=20.0, of=pair)
        poll(answered(lambda: equal(first, second)), seconds=10.0, of=pair)
        assert knows(second)["entries"] == FLOWS
        for daemon in pair:
            assert counter(daemon, "table collisions") == 0
            assert not [line for line in daemon.log() if "Traceback" in line or "Unhandled" in line]
