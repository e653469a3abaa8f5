"""Planned changes of the active router of an HSRP group: nobody notices."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.daemons import Daemon, poll
from tests.system.redundant import SECONDS, Probes, Site, group_lines, redundant
from tests.system.test_startup import User

pytestmark = pytest.mark.root

TEXT = """
interface in0
 ip nat inside
 standby version 2
 standby delay minimum 0 reload 0
 standby 10 ip 10.0.0.1
 standby 10 name LAN
 standby 10 priority {priority}
 standby 10 preempt
 standby 10 timers msec 200 msec 700
interface out0
 ip nat outside
ip nat Stateful id {number}
{group}
ip nat pool P 203.0.113.10 203.0.113.20 prefix-length 24
ip nat inside source list 1 pool P mapping-id 10 overload
access-list 1 permit 10.0.0.0 0.0.0.255
end
"""
PLANNED = 1.0
"""Seconds that a planned change may take on a machine that is busy with other tests; 0.3 when it is not."""
MANAGES, LISTENS = {10: "MANAGE"}, {10: "LISTEN"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    texts = [
        TEXT.format(number=number, priority=160 - 10 * number, group=group_lines(number, 2, "LAN", 10))
        for number in (1, 2)
    ]
    with redundant(tmp_path, texts, ["10.0.0.1"]) as made:
        first_manages(made)
        yield made


def first_manages(site: Site) -> None:
    site.await_all(MANAGES, LISTENS)
    hsrp(site, "Active", "Standby")


def hsrp(site: Site, *wanted: str) -> None:
    """Until the HSRP group is in these states."""
    poll(
        lambda: all(site.states(number) == {"LAN": state} for number, state in enumerate(wanted)),
        seconds=SECONDS,
        of=site.daemons,
    )


def changes(daemon: Daemon) -> list[str]:
    """What the log says of roles: of HSRP, and of the group."""
    return [
        line.partition("state " if "Grp" in line else ": ")[2]
        for line in daemon.log()
        if " Grp 10 state " in line or line.startswith("group ")
    ]


def quiet(probes: Probes, site: Site) -> float:
    """Until traffic flows; the time from which a fault counts."""
    poll(lambda: probes.outage(time.monotonic() - 0.5) < 0.05, seconds=SECONDS, of=site.daemons)
    return time.monotonic()


def test_who_comes_back_preempts_after_the_role_was_handed_over(site: Site) -> None:
    first, second = site.daemons
    with Probes(site.clients[0], site.server) as probes:
        first.kill()
        site.await_all({}, MANAGES)
        began = quiet(probes, site)
        said = len(changes(second)), len(first.log())
        first.start()
        first_manages(site)
        quiet(probes, site)
        assert probes.outage(began) < PLANNED
        assert probes.refused(began) < PLANNED
    assert changes(second)[said[0] : said[0] + 2] == ["MANAGE -> LISTEN (claimed)", "Active -> Speak"]
    back = [line for line in changes(first) if "CLAIM" in line or "-> Active" in line][-3:]
    assert back == ["LISTEN -> CLAIM (may claim)", "CLAIM -> MANAGE (released)", "Listen -> Active"]


def test_a_priority_that_changes_moves_the_role_there_and_back(site: Site) -> None:
    first, _ = site.daemons
    with Probes(site.clients[0], site.server) as probes:
        for priority, wanted in ((90, (LISTENS, MANAGES)), (150, (MANAGES, LISTENS))):
            began = quiet(probes, site)
            first.cli("configure terminal", "interface in0", f"standby 10 priority {priority}")
            site.await_all(*wanted)
            quiet(probes, site)
            assert probes.outage(began) < PLANNED
            assert probes.refused(began) < PLANNED
    assert "CLAIM -> MANAGE (claim expired)" not in changes(first) + changes(site.daemons[1])


def test_a_planned_end_of_the_active_hands_over(site: Site) -> None:
    first, second = site.daemons
    with Probes(site.clients[0], site.server) as probes:
        began = quiet(probes, site)
        first.terminate()
        site.await_all({}, MANAGES)
        quiet(probes, site)
        assert probes.outage(began) < PLANNED
        assert probes.refused(began) < PLANNED
    assert changes(second)[-2:] == ["Standby -> Active", "LISTEN -> MANAGE (manager lost)"]


def test_a_reload_of_the_active_hands_over_and_takes_back(site: Site) -> None:
    first, _ = site.daemons
    with Probes(site.clients[0], site.server) as probes:
        began = quiet(probes, site)
        before = len(changes(first))
        user = User(first.control)
        assert user.say("reload", "") == "Proceed with reload? [confirm]"
        user.close()
        poll(
            lambda: "CLAIM -> MANAGE (released)" in changes(first)[before:], seconds=SECONDS, of=site.daemons
        )
        first_manages(site)
        quiet(probes, site)
        assert probes.outage(began) < PLANNED
        assert probes.refused(began) < PLANNED


def test_who_cannot_learn_the_table_does_not_take_the_role_from_who_has_it(site: Site) -> None:
    """The replication network of the better router is down: it listens, then waits for a free role."""
    first, second = site.daemons
    with Probes(site.clients[0], site.server) as probes:
        first.kill()
        site.await_all({}, MANAGES)
        site.routers[0].ip("link", "set", "rep0", "down")
        began = quiet(probes, site)
        first.start()
        poll(lambda: told(first) == ("Listen", "not synchronised"), seconds=SECONDS, of=site.daemons)
        poll(lambda: told(first)[0] == "Standby", seconds=SECONDS, of=site.daemons)
        poll(
            lambda: told(first) == ("Standby", "claims the role, to preempt"),
            seconds=SECONDS,
            of=site.daemons,
        )
        assert "nobody to learn from was found" in reason(first)
        assert changes(first)[-1] == "Speak -> Standby", "it asked nobody for the role"
        assert site.states(1) == {"LAN": "Active"}
        assert site.standings(1) == MANAGES
        site.routers[0].ip("link", "set", "rep0", "up")
        first_manages(site)
        quiet(probes, site)
        assert probes.outage(began) < PLANNED
        assert reason(second) == "r1.snat.example manages"


def told(daemon: Daemon) -> tuple[str, str]:
    """State and reason of the HSRP group."""
    rows = daemon.show("show standby") or []
    return (rows[0]["state"], rows[0]["why"]) if rows else ("", "")


def reason(daemon: Daemon) -> str:
    """Why the redundancy group does not manage."""
    group = daemon.group()
    return "" if group is None else group["why"]


def test_a_standby_whose_table_is_cleared_listens_until_it_has_it_again(site: Site) -> None:
    _, second = site.daemons
    with Probes(site.clients[0], site.server) as probes:
        began = quiet(probes, site)
        before = len(changes(second))
        second.cli("clear ip snat translation distributed *")
        first_manages(site)
        poll(lambda: len(changes(second)) >= before + 5, seconds=SECONDS, of=site.daemons)
        quiet(probes, site)
        assert probes.outage(began) < PLANNED
    said = changes(second)[before:]
    assert said[:3] == [
        "LISTEN -> START (unsynchronised)",
        "Standby -> Listen",
        "START -> LISTEN (synchronised)",
    ]
    assert said[-2:] == ["Listen -> Speak", "Speak -> Standby"]
