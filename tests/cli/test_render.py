"""The layouts of show commands."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from cli.shell import Shell
from snat.device.status import FeedStatus, MemberStatus
from tests.cli.fake_router import FEED, GROUP, LINK, FakeRouter, output

FEED_LINE = (
    "Feed process 0 mapping 10: manager 1 (this router), term 3, sequence 44, entries 120, "
    "lag 0 messages, 0.0 s, verified equal 2 s ago"
)
MEMBER_LINE = "Member 2 r2.snat.example: LISTEN, term 3, sequence 41, lag 3 messages, 0.3 s"


def shown(router: FakeRouter, command: str) -> list[str]:
    return output(Shell(router), f"show {command}").splitlines()


def test_distributed_begins_as_ios_and_goes_on_with_ours(router: FakeRouter) -> None:
    assert shown(router, "ip snat distributed") == [
        "",
        "Stateful NAT Connected Peers",
        "",
        "SNAT: Mode PRIMARY",
        "    : State READY",
        "    : Local Address 192.168.77.1",
        "    : Local NAT id 1",
        "    : Peer Address 192.168.77.2",
        "    : Peer NAT id 2",
        "    : Mapping List 10",
        "    : Standing MANAGE",
        f"    : {FEED_LINE}",
        f"    :   {MEMBER_LINE}",
        "    : Link out r2.snat.example: Establish",
        "    : Alarm rules differ for mapping 10",
        "",
    ]


def feed_lines(feed: FeedStatus) -> list[str]:
    """The lines of a feed and its members."""
    lines = shown(FakeRouter(groups=(replace(GROUP, feeds=(feed,)),)), "ip snat distributed")
    return [line for line in lines if "Feed" in line or "Member" in line]


def test_distributed_without_groups_is_only_the_title() -> None:
    assert shown(FakeRouter(groups=()), "ip snat distributed") == ["", "Stateful NAT Connected Peers", ""]


def test_two_links_to_one_neighbor_are_one_peer() -> None:
    group = replace(GROUP, links=(LINK, replace(LINK, direction="in")))
    lines = shown(FakeRouter(groups=(group,)), "ip snat distributed")
    assert sum("Peer Address" in line for line in lines) == 1


def test_what_is_not_well_is_said() -> None:
    feed = replace(FEED, manager_nat_id=0, synchronised=False, verified_age=None)
    link = replace(LINK, state="Connect", needs_resync=True, last_refusal="wrong name")
    group = replace(GROUP, why="not synchronised yet", standing="LISTEN", feeds=(feed,), links=(link,))
    text = "\n".join(shown(FakeRouter(groups=(group,)), "ip snat distributed"))
    assert "Standing LISTEN: not synchronised yet" in text
    assert "manager nobody" in text
    assert "verified equal never, not synchronised\n" in text
    assert "Connect, needs resync" in text
    assert "Refused r2.snat.example: wrong name" in text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "entries 120, lag 0 messages, 0.0 s, verified equal 2 s ago"),
        ({"lag_messages": 512, "lag_seconds": 1.26}, "lag 512 messages, 1.3 s, verified equal 2 s ago"),
        ({"repairs": 1}, "verified equal 2 s ago, repairs 1"),
        ({"synchronised": False, "repairs": 1}, "verified equal 2 s ago, not synchronised, repairs 1"),
        ({"synchronised": False, "diverged": True, "repairs": 3}, "2 s ago, diverged, repairs 3"),
    ],
)
def test_a_feed_tells_its_lag_and_what_became_of_repairs(changes: dict[str, Any], told: str) -> None:
    feed = replace(FEED, manager_nat_id=2, members=(), **changes)
    (line,) = feed_lines(feed)
    assert line.startswith("    : Feed process 0 mapping 10: manager 2, term 3, sequence 44, entries 120")
    assert line.endswith(told)


def test_every_member_has_a_line_below_its_feed() -> None:
    silent = MemberStatus(
        neighbor="r3.snat.example", nat_id=3, standing="", term=0, sequence=0, lag_messages=44
    )
    pulls = replace(silent, neighbor="r4.snat.example", nat_id=4, standing="LISTEN", pulls=True)
    _, *lines = feed_lines(replace(FEED, members=(*FEED.members, silent, pulls)))
    assert [line.removeprefix("    :   ") for line in lines] == [
        MEMBER_LINE,
        "Member 3 r3.snat.example: unknown, term 0, sequence 0, lag 44 messages, 0.0 s",
        "Member 4 r4.snat.example: LISTEN, term 0, sequence 0, lag 44 messages, 0.0 s, pulls",
    ]


def test_alarms_come_last_verbose_or_not(router: FakeRouter) -> None:
    for command in ("ip snat distributed", "ip snat distributed verbose"):
        *_, alarm, empty = shown(router, command)
        assert (alarm, empty) == ("    : Alarm rules differ for mapping 10", "")


def test_verbose_shows_the_connection_management_structure(router: FakeRouter) -> None:
    lines = shown(router, "ip snat distributed verbose")
    assert lines[lines.index("    : Peer NAT id 2") + 1] == "    : InMsgs 7, OutMsgs 9, tcb 0x5, listener 0x0"
    at = lines.index("    : Link out r2.snat.example: Establish")
    assert [line.removeprefix("    :   ") for line in lines[at + 1 : at + 6]] == [
        "InMsgs 7, OutMsgs 9",
        "InBytes 700, OutBytes 900, queued 52, inbound 16384",
        "Local Address 192.168.77.1, Local NAT id 1",
        "Destination Address 192.168.77.2, port 15555, NAT id 2, incarnation 5",
        "Process id 0, Mapping ids 10",
    ]


def test_verbose_shows_digest_and_journal_of_a_feed(router: FakeRouter) -> None:
    lines = shown(router, "ip snat distributed verbose")
    at = lines.index(f"    : {FEED_LINE}")
    assert lines[at + 1] == "    :   Digest 00000000000000ff, journal 7 messages, 1234 bytes"


def test_verbose_only_adds_lines(router: FakeRouter) -> None:
    brief, verbose = shown(router, "ip snat distributed"), shown(router, "ip snat distributed verbose")
    remaining = iter(verbose)
    assert all(line in remaining for line in brief)
    assert len(verbose) > len(brief)


def test_json_carries_all_that_is_known(router: FakeRouter) -> None:
    (group,) = json.loads(output(Shell(router), "show ip snat distributed | json"))
    assert group == json.loads(json.dumps(asdict(GROUP)))
    assert group["feeds"][0]["members"][0]["lag_messages"] == 3
    assert group["links"][0]["incarnation"] == 5


def test_the_size_of_the_running_configuration_is_that_of_its_lines(router: FakeRouter) -> None:
    text = output(Shell(router, privileged=True), "show running-config")
    heading, body = text.split("!\n", 1)
    assert heading == f"Building configuration...\n\nCurrent configuration : {len(body)} bytes\n"
