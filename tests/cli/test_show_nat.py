"""``show ip nat``, ``show ip snat peer`` and clears: classic layouts, what parsers make of them, JSON."""

import json
import re
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import chain, islice, repeat
from typing import Any

import pytest
from ntc_templates.parse import parse_output

from cli.commands import TREE
from cli.grammar import Fault, LineError
from cli.modes import PRIVILEGED
from cli.session import Place as ModePlace
from cli.shell import Shell
from snat.config.model import DynamicRule, StaticRule
from snat.device.selection import EVERYTHING, Place, Selection
from snat.device.status import Detail, Endpoint, LimitStatus, NatStatus, Translation
from tests.cli.fake_router import POOL_STATUS, RULE, TABLE, FakeRouter, output, translation

HOST, GLOBAL = IPv4Address("10.0.0.5"), IPv4Address("203.0.113.10")
SERVER, OTHER = IPv4Address("198.51.100.7"), IPv4Address("198.51.100.8")
TITLE = "Pro Inside global      Inside local       Outside local      Outside global"
DETAIL = Detail(
    created=34.9,
    used=33.2,
    timeout=86400,
    left=26,
    rule=1,
    flags=("extended", "timing-out"),
    uses=0,
    paths=2,
    manager_nat_id=1,
    managed=True,
)


def privileged(router: FakeRouter) -> Shell:
    return Shell(router, privileged=True)


def shown(router: FakeRouter, command: str) -> list[str]:
    return output(Shell(router), f"show {command}").splitlines()


def row(protocol: int, port: int, outside: bool = True) -> Translation:
    host = Endpoint("66.66.66.66", port) if outside else None
    return translation(0)._replace(
        protocol=protocol,
        inside_global=Endpoint("33.33.33.33", port),
        inside_local=Endpoint("11.11.11.1", port),
        outside_local=host,
        outside_global=host,
    )


# --- translations


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (row(1, 5), "icmp 33.33.33.33:5     11.11.11.1:5       66.66.66.66:5      66.66.66.66:5"),
        (row(6, 80), "tcp 33.33.33.33:80     11.11.11.1:80      66.66.66.66:80     66.66.66.66:80"),
        (row(17, 53), "udp 33.33.33.33:53     11.11.11.1:53      66.66.66.66:53     66.66.66.66:53"),
        (row(0, 0, outside=False), "--- 33.33.33.33        11.11.11.1         ---                ---"),
        (row(6, 80, outside=False), "tcp 33.33.33.33:80     11.11.11.1:80      ---                ---"),
        (row(47, 0), "gre 33.33.33.33        11.11.11.1         66.66.66.66        66.66.66.66"),
        (row(132, 0), "132 33.33.33.33        11.11.11.1         66.66.66.66        66.66.66.66"),
    ],
)
def test_translations_have_the_classic_columns(entry: Translation, line: str) -> None:
    assert shown(FakeRouter(rows=iter([entry])), "ip nat translations") == [TITLE, line]


def test_the_longest_addresses_stay_apart() -> None:
    long = Endpoint("203.113.113.113", 65535)
    entry = translation(0)._replace(
        protocol=1, inside_global=long, inside_local=long, outside_local=long, outside_global=long
    )
    line = shown(FakeRouter(rows=iter([entry])), "ip nat translations")[1]
    assert line.split() == ["icmp", *["203.113.113.113:65535"] * 4]


def verbose(detail: Detail, **changes: Any) -> list[str]:
    entry = row(6, 80)._replace(number=10, detail=detail, **changes)
    title, _, *lines = shown(FakeRouter(rows=iter([entry])), "ip nat translations verbose")
    assert title == TITLE
    return lines


def test_verbose_is_that_of_ios_to_the_blank_and_then_ours() -> None:
    assert verbose(DETAIL) == [
        "    create 00:00:34, use 00:00:33 timeout:86400000, left 00:00:26, Map-Id(In): 1, ",
        "    flags: ",
        "extended, timing-out, use_count: 0, entry-id: 10, lc_entries: 2",
        "    owner NAT ID 1, mapping-id 10, state established, managed by this router",
    ]


def test_what_this_router_does_not_know_it_does_not_invent() -> None:
    standby = DETAIL._replace(created=None, used=None, left=None, paths=0, manager_nat_id=2, managed=False)
    assert verbose(standby, nat_id=2) == [
        "    create never, use never timeout:86400000, Map-Id(In): 1, ",
        "    flags: ",
        "extended, timing-out, use_count: 0, entry-id: 10, lc_entries: 0",
        "    owner NAT ID 2, mapping-id 10, state established, managed by NAT ID 2",
    ]
    nobody = verbose(standby._replace(manager_nat_id=0))[-1]
    assert nobody.endswith("managed by nobody")


def test_a_static_entry_has_no_rule_and_no_time_out() -> None:
    static = DETAIL._replace(timeout=None, left=None, rule=0, flags=("static",), uses=2)
    assert verbose(static, nat_id=0)[:3] == [
        "    create 00:00:34, use 00:00:33 timeout:0, ",
        "    flags: ",
        "static, use_count: 2, entry-id: 10, lc_entries: 2",
    ]
    assert verbose(static, nat_id=0)[3].startswith("    owner local (not shared), state")
    assert verbose(static._replace(flags=()))[2].startswith("none, use_count: 2")


@pytest.mark.parametrize("command", ["show ip nat translations", "show ip nat translations verbose"])
def test_a_parser_reads_every_entry(command: str) -> None:
    detail = DETAIL if command.endswith("verbose") else None
    entries = [row(6, 80), row(17, 53), row(1, 5), row(0, 0, outside=False)]
    router = FakeRouter(rows=iter([entry._replace(detail=detail) for entry in entries]))
    parsed = parse_output(
        platform="cisco_ios", command="show ip nat translations", data=output(Shell(router), command)
    )
    assert [one["protocol"] for one in parsed] == ["tcp", "udp", "icmp", "---"]
    assert [one["inside_global_ip"] for one in parsed] == ["33.33.33.33"] * 4
    assert [one["inside_local_port"] for one in parsed] == ["80", "53", "5", ""]
    assert [one["outside_global_ip"] for one in parsed] == ["66.66.66.66"] * 3 + ["---"]


@pytest.mark.parametrize(
    ("words", "selection"),
    [
        ("", EVERYTHING),
        ("tcp", Selection(protocol=6)),
        ("gre", Selection(protocol=47)),
        ("inside 10.0.0.5", Selection(inside=Place(HOST))),
        ("udp inside 10.0.0.5 0", Selection(protocol=17, inside=Place(HOST, 0))),
        (
            "outside 198.51.100.7 80 inside 203.0.113.10",
            Selection(inside=Place(GLOBAL), outside=Place(SERVER, 80)),
        ),
        ("filter range inside global 203.0.113.10 203.0.113.10", Selection(global_range=(GLOBAL, GLOBAL))),
    ],
)
def test_the_entries_that_are_meant(words: str, selection: Selection) -> None:
    router = FakeRouter(rows=iter(()))
    for more in ("", " verbose", " total"):
        output(Shell(router), f"show ip nat translations {words}{more}")
    assert router.asked == [(selection, False), (selection, True), (selection, False)]


def test_a_range_that_ends_before_it_begins() -> None:
    command = "show ip nat translations filter range inside global 203.0.113.10 203.0.113.9"
    assert (
        output(Shell(FakeRouter()), command)
        == "% The range ends before it begins: 203.0.113.10 203.0.113.9\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "show ip nat translations vrf RED",
        "show ip nat translations tcp vrf RED",
        "clear ip nat translation vrf RED *",
    ],
)
def test_there_are_no_vrfs(line: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match((ModePlace(PRIVILEGED),), line)
    assert (caught.value.fault, caught.value.reason) == (Fault.UNSUPPORTED, "vrf")


def test_the_total() -> None:
    router = FakeRouter(rows=iter([row(6, 80), row(6, 81)]))
    assert shown(router, "ip nat translations total") == ["Total number of translations: 2"]
    assert json.loads(output(Shell(router), "show ip nat translations total | json")) == {"total": 0}


def test_entries_that_are_not_meant_hold_nobody_up() -> None:
    """Wherever the walk has nothing to say, the shell gives others their turn."""
    rows = chain([row(6, 80)], repeat(None, 3), [row(6, 81)])
    chunks = list(Shell(FakeRouter(rows=rows)).run("show ip nat translations inside 11.11.11.1"))
    assert [str(chunk).count("\n") for chunk in chunks] == [2, 0, 0, 1, 0]
    endless = Shell(FakeRouter(rows=repeat(None))).run("show ip nat translations tcp | json")
    assert list(islice(endless, 50)) == ["[\n", *[""] * 49]


def test_json_of_entries() -> None:
    router = FakeRouter(rows=iter([None, row(6, 80)._replace(detail=DETAIL), None]))
    (entry,) = json.loads(output(Shell(router), "show ip nat translations verbose | json"))
    assert entry["detail"]["created"] == 34.9
    assert entry["detail"]["flags"] == ["extended", "timing-out"]


# --- statistics


def test_statistics_have_the_form_of_15m_and_then_ours(router: FakeRouter) -> None:
    router.counted = {
        "translate": {"hits": 40, "slow": 7, "created": 2, "not_syn": 3, "passed": 9, "expired": 5},
        "table": {"entries": 3},
    }
    assert shown(router, "ip nat statistics") == [
        "Total active translations: 3 (1 static, 2 dynamic; 2 extended)",
        "Peak translations: 8, occurred 00:35:17 ago",
        *("Outside interfaces:", "  out0", "Inside interfaces: ", "  in0"),
        "Hits: 45  Misses: 5",
        "CEF Translated packets: 40, CEF Punted packets: 7",
        "Expired translations: 5",
        "Dynamic mappings:",
        "-- Inside Source",
        "[Id: 1] access-list 1 pool POOL1 refcount 2",
        " pool POOL1: netmask 255.255.255.0",
        "\tstart 203.0.113.10 end 203.0.113.20",
        "\ttype generic, total addresses 11, allocated 1 (9%), misses 0",
        "\tmapping-id 10, quarantined ports 4",
        "Counters of translate:",
        *("  hits = 40", "  slow = 7", "  created = 2", "  not syn = 3", "  passed = 9", "  expired = 5"),
        "Counters of table:",
        "  entries = 3",
    ]


def test_no_line_of_ours_looks_like_one_that_parsers_look_for(router: FakeRouter) -> None:
    """Genie takes words alone for interfaces, and fails at a ``name: value`` that it does not know."""
    lines = [line.strip() for line in shown(router, "ip nat statistics")]
    ours = [line for line in lines if "=" in line or line.startswith(("Counters", "mapping-id"))]
    assert len(ours) > 3
    for line in ours:
        assert not re.fullmatch(r"[\w/,\s]+", line)
        assert not re.match(r"[\w|\s-]+: +\w", line)


def test_every_kind_of_rule_has_its_heading_and_inside_source_comes_first(router: FakeRouter) -> None:
    interface = replace(RULE, number=2, kind="inside destination", pool="", interface="out0", mapping_id=0)
    outside = replace(RULE, number=3, kind="outside source", access_list="", route_map="MAP")
    router.table = NatStatus(
        total=0, static=0, extended=0, peak=0, peak_age=0.0, rules=(interface, outside), pools=(POOL_STATUS,)
    )
    lines = shown(router, "ip nat statistics")
    assert [line for line in lines if line.startswith(("--", "["))] == [
        "-- Inside Source",
        "-- Outside Source",
        "[Id: 3] route-map MAP pool POOL1 refcount 2",
        "-- Inside Destination",
        "[Id: 2] access-list 1 interface out0 refcount 2",
    ]
    assert lines[lines.index("[Id: 2] access-list 1 interface out0 refcount 2") + 1] == "\tmapping-id none"


@pytest.mark.parametrize(
    ("limits", "lines"),
    [
        (LimitStatus(100, 0, 7, 2), [" max entry: max allowed 100, used 7, missed 2"]),
        (
            LimitStatus(0, 5, 7, 2),
            [" max entry: max allowed 2147483647, used 7, missed 2", " All Host Max allowed: 5"],
        ),
    ],
)
def test_limits_have_the_form_of_xe(router: FakeRouter, limits: LimitStatus, lines: list[str]) -> None:
    router.table = replace(router.table, limits=limits)
    told = shown(router, "ip nat statistics")
    at = told.index("nat-limit statistics:") + 1
    assert told[at : at + len(lines)] == lines
    assert ("All Host" in "".join(told)) is bool(limits.all_host)


def test_without_limits_nothing_is_said_of_them(router: FakeRouter) -> None:
    assert "nat-limit statistics:" not in shown(router, "ip nat statistics")


def test_json_of_statistics(router: FakeRouter) -> None:
    told = json.loads(output(Shell(router), "show ip nat statistics | json"))
    assert told["counters"]["translate"]["hits"] == 47
    assert told["table"]["peak"] == TABLE.peak
    assert told["table"]["rules"][0]["references"] == 2


# --- pools, redundancy, peers


def test_a_pool_has_the_form_of_xe(router: FakeRouter) -> None:
    assert shown(router, "ip nat pool name POOL1") == [
        *("NAT Pool Statistics", "", "Pool name POOL1, id 1"),
        "                              Assigned            Available",
        "  Addresses                          1                   10",
        "  UDP Low Ports                      0                11253",
        "  TCP Low Ports                      1                11252",
        "  UDP High Ports                     2               709630",
        "  TCP High Ports                    12               709620",
        "",
        "(Low ports are less than 1024. High ports are greater than or equal to 1024.)",
        "(ICMP identifiers: 3 assigned. Ports in quarantine: 4.)",
    ]
    told = json.loads(output(Shell(router), "show ip nat pool name POOL1 | json"))
    assert told["tcp_high"] == {"assigned": 12, "available": 709620}


def test_a_pool_that_is_not_configured(router: FakeRouter) -> None:
    assert output(Shell(router), "show ip nat pool name P") == "% There is no pool P; configured: POOL1\n"


def test_redundancy_lists_addresses_with_their_group(router: FakeRouter) -> None:
    static = StaticRule(local=HOST, global_=GLOBAL, redundancy="SNATHSRP", mapping_id=10)
    plain = StaticRule(local=OTHER, global_=SERVER)
    dynamic = DynamicRule(access_list="1", pool="POOL1", redundancy="SNATHSRP", mapping_id=10)
    router.running = replace(router.running, static_rules=(static, plain), dynamic_rules=(dynamic,))
    assert shown(router, "ip nat redundancy") == [
        "IP       Redundancy-Name    ID     Use-count",
        "203.0.113.10 SNATHSRP         10         2",
        "198.51.100.7 NONE         0         1",
    ]
    first, _ = json.loads(output(Shell(router), "show ip nat redundancy | json"))
    assert first == {"address": "203.0.113.10", "name": "SNATHSRP", "mapping_id": 10, "rules": 2}


def test_the_entries_that_a_peer_made() -> None:
    entry = row(0, 0, outside=False)._replace(
        inside_global=Endpoint("192.168.25.20", 0), inside_local=Endpoint("192.168.122.20", 0)
    )
    router = FakeRouter(rows=iter([None, entry]))
    assert shown(router, "ip snat peer 192.168.77.2") == [
        "Show NAT Entries created by peer: 192.168.77.2",
        "",
        "Pro Inside global        Inside local        Outside local        Outside global",
        "--- 192.168.25.20        192.168.122.20      ---                  ---",
    ]
    assert router.asked == [(Selection(nat_id=2), False)]
    assert json.loads(output(Shell(router), "show ip snat peer 192.168.77.2 | json")) == []


def test_a_peer_that_is_not_configured(router: FakeRouter) -> None:
    answer = "% No peer has the address 192.168.77.9; configured: 192.168.77.2\n"
    assert output(Shell(router), "show ip snat peer 192.168.77.9") == answer


def test_plain_show_ip_snat_is_the_distributed_one(router: FakeRouter) -> None:
    assert shown(router, "ip snat") == shown(router, "ip snat distributed")
    assert json.loads(output(Shell(router), "show ip snat | json"))[0]["links"][0]["connection"] == 5


# --- clear


@pytest.mark.parametrize(
    ("words", "selection"),
    [
        ("inside 203.0.113.10 10.0.0.5", Selection(inside_global=Place(GLOBAL), inside_local=Place(HOST))),
        (
            "tcp inside 203.0.113.10 1024 10.0.0.5 40000 forced",
            Selection(protocol=6, inside_global=Place(GLOBAL, 1024), inside_local=Place(HOST, 40000)),
        ),
        (
            "udp inside 203.0.113.10 1 10.0.0.5 2 outside 198.51.100.7 3 198.51.100.8 4",
            Selection(
                protocol=17,
                inside_global=Place(GLOBAL, 1),
                inside_local=Place(HOST, 2),
                outside_local=Place(SERVER, 3),
                outside_global=Place(OTHER, 4),
            ),
        ),
        (
            "esp outside 198.51.100.7 198.51.100.8",
            Selection(protocol=50, outside_local=Place(SERVER), outside_global=Place(OTHER)),
        ),
        (
            "outside 198.51.100.7 198.51.100.8",
            Selection(outside_local=Place(SERVER), outside_global=Place(OTHER)),
        ),
    ],
)
def test_chosen_entries_are_cleared_without_a_word(
    router: FakeRouter, words: str, selection: Selection
) -> None:
    shell = privileged(router)
    assert output(shell, f"clear ip nat translation {words}") == ""
    assert shell.ok
    assert router.asked == [(selection, False)]
    assert router.ordered == ["nat.clear_selected()"]


def test_entries_that_are_not_there_are_told_in_words_that_no_tool_takes_for_a_fault(
    router: FakeRouter,
) -> None:
    router.refusal = "No such translation: see show ip nat translations"
    shell = privileged(router)
    assert output(shell, "clear ip nat translation inside 203.0.113.10 10.0.0.5") == f"% {router.refusal}\n"
    assert not shell.ok


@pytest.mark.parametrize("words", ["*", "forced", "* forced"])
def test_everything_is_cleared(router: FakeRouter, words: str) -> None:
    assert output(privileged(router), f"clear ip nat translation {words}") == ""
    assert router.ordered == ["nat.clear()"]


def test_statistics_are_cleared(router: FakeRouter) -> None:
    assert output(privileged(router), "clear ip nat statistics") == ""
    assert router.ordered == ["clear_statistics()"]
