"""Every command of translation: good, abbreviated, incomplete, invalid with its column; and what it means."""

from typing import Any

import pytest

from cli.commands import TREE
from cli.commands.configuration import configuration_lines
from cli.configuration_file import read_configuration, usable
from cli.grammar import Fault, LineError
from cli.modes import CONFIG, POOL, PRIVILEGED
from cli.session import Path, Place
from cli.shell import Shell
from cli.tree import Rejected, canonical
from snat.config import lines
from snat.config.model import Configuration
from snat.config.verify import verify
from tests.cli.fake_router import FakeRouter, output

CONFIGURING: Path = (Place(PRIVILEGED), Place(CONFIG))
IN_POOL: Path = (*CONFIGURING, Place(POOL, "B"))

# line as the running configuration prints it, an abbreviation of it
RULES = [
    ("ip nat inside source list 1 pool P", "ip nat ins so li 1 po P"),
    ("ip nat inside source list 100 pool P overload", "ip nat in so l 100 p P o"),
    ("ip nat inside source list LAN pool P mapping-id 10 overload", "ip nat in so l LAN po P ov map 10"),
    ("ip nat inside source list 1 interface out0 overload", "ip nat in so l 1 int out0 ov"),
    ("ip nat inside source route-map SNAT pool P mapping-id 10", "ip nat in so r SNAT po P map 10"),
    ("ip nat inside source route-map R pool P reversible", "ip nat in so ro R p P rev"),
    (
        "ip nat inside source list 1 pool P redundancy LAN mapping-id 10 overload extended",
        "ip nat in so l 1 po P ext red LAN ov map 10",
    ),
    ("ip nat inside destination list 2 pool WEB", "ip nat in d l 2 p WEB"),
    (
        "ip nat inside destination list 2 pool WEB redundancy LAN mapping-id 3",
        "ip nat in de l 2 p WEB m 3 r LAN",
    ),
    ("ip nat outside source list 7 pool P", "ip nat o s l 7 p P"),
    ("ip nat outside source route-map R pool P mapping-id 4 add-route", "ip nat o s r R p P add m 4"),
    ("ip nat inside source static 10.0.0.9 203.0.113.20", "ip nat in so st 10.0.0.9 203.0.113.20"),
    ("ip nat inside source static 10.0.0.9 interface out0", "ip nat in so st 10.0.0.9 i out0"),
    (
        "ip nat inside source static tcp 10.0.0.9 80 203.0.113.20 8080 extendable",
        "ip nat in so st t 10.0.0.9 80 203.0.113.20 8080 ext",
    ),
    (
        "ip nat inside source static udp 10.0.0.9 53 interface out0 53 no-payload",
        "ip nat in so st udp 10.0.0.9 53 int out0 53 no-p",
    ),
    (
        "ip nat inside source static network 10.0.0.0 203.0.113.0 /24 mapping-id 5 no-alias",
        "ip nat in so st net 10.0.0.0 203.0.113.0 /24 no-a map 5",
    ),
    (
        "ip nat inside source static network 10.0.0.0 203.0.113.0 255.255.255.0",
        "ip nat in so st n 10.0.0.0 203.0.113.0 255.255.255.0",
    ),
    (
        "ip nat inside source static 10.0.0.9 203.0.113.20 route-map R reversible redundancy H mapping-id 1",
        "ip nat in so st 10.0.0.9 203.0.113.20 red H map 1 route-map R rev",
    ),
    ("ip nat outside source static 198.51.100.9 10.9.9.9 add-route", "ip nat o s st 198.51.100.9 10.9.9.9 a"),
    (
        "ip nat outside source static tcp 198.51.100.9 80 10.9.9.9 8080 mapping-id 3 extendable",
        "ip nat o s st tcp 198.51.100.9 80 10.9.9.9 8080 ext map 3",
    ),
    (
        "ip nat outside source static network 198.51.100.0 10.9.9.0 /24 no-payload",
        "ip nat o s st ne 198.51.100.0 10.9.9.0 /24 no-pay",
    ),
]
POOLS = [
    ("ip nat pool P 203.0.113.1 203.0.113.9 prefix-length 24", "ip nat po P 203.0.113.1 203.0.113.9 p 24"),
    (
        "ip nat pool P 203.0.113.1 203.0.113.9 netmask 255.255.255.0 add-route type rotary",
        "ip nat po P 203.0.113.1 203.0.113.9 n 255.255.255.0 t r a",
    ),
    (
        "ip nat pool P 203.0.113.1 203.0.113.9 prefix-length 24 type match-host",
        "ip nat po P 203.0.113.1 203.0.113.9 pre 24 type match",
    ),
    ("ip nat pool B prefix-length 24", "ip nat po B pref 24"),
    ("ip nat pool B netmask 255.255.255.0 type rotary", "ip nat pool B net 255.255.255.0 ty ro"),
]
RANGE = ("address 203.0.113.1 203.0.113.9", "a 203.0.113.1 203.0.113.9")
"""Below a pool."""
SETTINGS = [
    ("ip nat translation timeout 3600", "ip nat tr ti 3600"),
    ("ip nat translation udp-timeout never", "ip nat tr u n"),
    ("ip nat translation dns-timeout 30", "ip nat tr d 30"),
    ("ip nat translation pptp-timeout 30", "ip nat tr pp 30"),
    ("ip nat translation routemap-entry-timeout 30", "ip nat tr r 30"),
    ("ip nat translation arp-ping-timeout 30", "ip nat tr a 30"),
    ("ip nat translation port-timeout tcp 80 600", "ip nat tr po tcp 80 600"),
    ("ip nat translation port-timeout udp 53 never", "ip nat tr po u 53 n"),
    ("ip nat translation max-entries 1000", "ip nat tr m 1000"),
    ("ip nat translation max-entries all-host 100", "ip nat tr m a 100"),
    ("ip nat translation max-entries host 10.0.0.5 100", "ip nat tr m h 10.0.0.5 100"),
    ("ip nat translation max-entries list LAN 100", "ip nat tr max l LAN 100"),
    ("ip nat log translations syslog", "ip nat l t s"),
    ("ip nat log translations syslog bind-only", "ip nat log tr sys b"),
    ("ip nat filtering endpoint-independent", "ip nat f e"),
    ("ip nat filtering address-port-dependent", "ip nat fi address-p"),
    ("no ip nat create flow-entries", "no ip nat c f"),
    ("no ip nat settings pap", "no ip nat set p"),
    ("no ip nat switchover replication http", "no ip nat sw r h"),
    ("ip nat switchover replication http port 8080", "ip nat sw r h p 8080"),
    ("ip nat service sip udp port 5070", "ip nat serv s u p 5070"),
    ("ip nat service H225", "ip nat serv h"),
    ("ip nat service all-algs", "ip nat service all"),
    ("ip nat service list 10 ftp tcp port 2121", "ip nat service li 10 f t p 2121"),
    ("no ip nat service ftp", "no ip nat serv ft"),
    ("ip nat service fullrange udp port 500", "ip nat serv fu u p 500"),
    ("no ip nat tun offload", "no ip nat tu o"),
    ("ip nat tun queue-length 500", "ip nat tu q 500"),
]


def read(line: str, path: Path = CONFIGURING) -> Configuration:
    return TREE.edit(TREE.match(path, line), Configuration())


def printed(configuration: Configuration) -> list[str]:
    return list(configuration_lines(configuration))


@pytest.mark.parametrize(("line", "typed"), [*RULES, *POOLS, *SETTINGS])
def test_a_line_is_understood_printed_and_read_back(line: str, typed: str) -> None:
    assert canonical(TREE.match(CONFIGURING, typed)) == line
    configuration = read(typed)
    assert line in printed(configuration)
    again, _ = read_configuration("".join(f"{one}\n" for one in printed(configuration)), "again")
    assert again == configuration


@pytest.mark.parametrize(("line", "_typed"), [*RULES, *POOLS, *SETTINGS])
def test_its_no_form_takes_it_back(line: str, _typed: str) -> None:
    configuration = read(line)
    opposite = line.removeprefix("no ") if line.startswith("no ") else f"no {line}"
    found = TREE.match(CONFIGURING, opposite)
    assert TREE.edit(found, configuration) == Configuration()


@pytest.mark.parametrize(("line", "_typed"), [*RULES, *POOLS])
def test_problems_name_the_line_that_the_shell_prints(line: str, _typed: str) -> None:
    configuration = read(line)
    made: list[str] = [lines.dynamic(one) for one in configuration.dynamic_rules]
    made += [lines.static(one) for one in configuration.static_rules]
    made += [lines.pool(one) for one in configuration.pools]
    assert made == [line]


@pytest.mark.parametrize(("line", "_typed"), [*RULES, *POOLS, *SETTINGS])
def test_a_line_that_cannot_be_in_force_is_left_out_of_a_file_and_nothing_else_is(
    line: str, _typed: str
) -> None:
    """Its problem must name the very line that is printed, or nobody could tell which to leave out."""
    configuration = read(line)
    assert {one.where for one in verify(configuration)} <= {one.strip() for one in printed(configuration)}
    reading = usable(f"hostname KEPT\n{line}\n", "file")
    while True:
        try:
            next(reading)
        except StopIteration as done:
            kept, problems = done.value
            break
    assert kept.hostname == "KEPT"
    assert verify(kept) == ()
    assert len(problems) == len(verify(configuration))


@pytest.mark.parametrize(
    "line",
    [
        "ip nat inside source",
        "ip nat inside source list",
        "ip nat inside source list 1",
        "ip nat inside source list 1 pool",
        "ip nat inside source list 1 pool P mapping-id",
        "ip nat inside source static",
        "ip nat inside source static 10.0.0.9",
        "ip nat inside source static tcp 10.0.0.9 80 203.0.113.20",
        "ip nat inside source static network 10.0.0.0 203.0.113.0",
        "ip nat outside source static 198.51.100.9",
        "ip nat inside destination list 2",
        "ip nat pool",
        "ip nat pool P 203.0.113.1 203.0.113.9",
        "ip nat translation port-timeout tcp 80",
        "ip nat translation max-entries host 10.0.0.5",
        "ip nat filtering",
        "ip nat service",
        "ip nat service fullrange udp",
        "ip nat tun queue-length",
    ],
)
def test_incomplete(line: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(CONFIGURING, line)
    assert caught.value.fault is Fault.INCOMPLETE


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ("ip nat inside source list 200 pool P", "200"),
        ("ip nat inside source list 1 pool P mapping-id 0", "0"),
        ("ip nat inside source list 1 pool P overload overload", "overload"),
        ("ip nat inside source static 10.0.0.999 203.0.113.20", "10.0.0.999"),
        ("ip nat inside source static tcp 10.0.0.9 0 203.0.113.20 80", "0"),
        ("ip nat inside source static network 10.0.0.0 203.0.113.0 /33", "/33"),
        ("ip nat inside source static network 10.0.0.0 203.0.113.0 255.0.255.0", "255.0.255.0"),
        ("ip nat inside destination list 2 interface out0", "interface"),
        ("ip nat pool P 203.0.113.1 203.0.113.9 prefix-length 33", "33"),
        ("ip nat pool P 203.0.113.1 203.0.113.9 prefix-length 24 type wide", "wide"),
        ("ip nat translation udp-timeout 0", "0"),
        ("ip nat translation port-timeout tcp 65536 600", "65536"),
        ("ip nat translation max-entries host 10.0.0 5", "10.0.0"),
        ("ip nat filtering nobody", "nobody"),
        ("ip nat service telnet", "telnet"),
        ("ip nat tun queue-length 9", "9"),
    ],
)
def test_invalid_with_the_column_of_the_bad_word(line: str, bad: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(CONFIGURING, line)
    assert (caught.value.fault, caught.value.column) == (Fault.INVALID, line.rindex(f" {bad}") + 1)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("ip nat inside source list 1 pool P vrf green", "vrf"),
        ("ip nat inside source list 1 pool P overload match-in-vrf", "match-in-vrf"),
        ("ip nat inside source list 1 interface out0 overload oer", "oer"),
        ("ip nat inside source static esp 10.0.0.9 interface out0", "esp"),
        ("ip nat inside source static 10.0.0.9 203.0.113.20 vrf green", "vrf"),
        ("ip nat outside source static 198.51.100.9 10.9.9.9 vrf green", "vrf"),
        ("ip nat pool P 203.0.113.1 203.0.113.9 prefix-length 24 accounting A", "accounting"),
        ("ip nat translation max-entries all-vrf 5", "all-vrf"),
        ("ip nat translation max-entries vrf green 5", "vrf"),
        ("ip nat log translations flow-export v9 udp destination 192.0.2.1 99", "flow-export"),
        ("ip nat service skinny tcp port 2000", "skinny"),
        ("ip nat service list 10 ESP spi-match", "ESP"),
        ("ip nat service list 10 IKE preserve-port", "IKE"),
        ("ip nat settings mode cgn", "mode"),
    ],
)
def test_what_is_not_supported_is_said(line: str, word: str) -> None:
    shell = Shell(FakeRouter(), privileged=True)
    assert output(shell, "conf t", line) == f"% Not supported by snat: {word}\n"
    assert not shell.ok


# --- pools as blocks


def test_a_block_has_its_ranges_below_it() -> None:
    ranges = ("203.0.113.1 203.0.113.9", "203.0.113.20 203.0.113.29")
    text = "ip nat pool B prefix-length 24\n" + "".join(f" address {one}\n" for one in ranges)
    configuration, problems = read_configuration(text, "test")
    assert problems == ()
    shown = printed(configuration)
    begin = shown.index("ip nat pool B prefix-length 24")
    assert shown[begin + 1 : begin + 3] == [
        " address 203.0.113.1 203.0.113.9",
        " address 203.0.113.20 203.0.113.29",
    ]
    found = TREE.match(IN_POOL, "no addr 203.0.113.1 203.0.113.9")
    assert [str(one.start) for one in TREE.edit(found, configuration).pools[0].ranges] == ["203.0.113.20"]
    again = TREE.edit(TREE.match(CONFIGURING, "ip nat pool B prefix-length 24"), configuration)
    assert again == configuration  # entering the block again keeps its addresses


def test_a_block_that_was_removed_meanwhile_is_not_made_again_by_an_address() -> None:
    with pytest.raises(Rejected, match="Pool B has been removed"):
        TREE.edit(TREE.match(IN_POOL, "address 203.0.113.1 203.0.113.9"), Configuration())


def test_a_pool_in_use_is_not_removed() -> None:
    configuration = read("ip nat inside destination list 2 pool P")
    found = TREE.match(CONFIGURING, "no ip nat pool P")
    made = TREE.edit(TREE.match(CONFIGURING, POOLS[0][0]), configuration)
    with pytest.raises(Rejected, match="%Pool P in use, cannot destroy"):
        TREE.edit(found, made)


# --- statics that contradict


@pytest.mark.parametrize(
    ("first", "second", "clashes"),
    [
        ("10.0.0.9 203.0.113.20", "10.0.0.9 203.0.113.21", True),
        ("10.0.0.9 203.0.113.20", "10.0.0.8 203.0.113.20", True),
        ("10.0.0.9 203.0.113.20 extendable", "10.0.0.9 203.0.113.21 extendable", False),
        ("10.0.0.9 203.0.113.20 extendable", "10.0.0.8 203.0.113.20 extendable", True),
        ("tcp 10.0.0.9 80 203.0.113.20 80", "tcp 10.0.0.8 80 203.0.113.20 81", False),
        ("tcp 10.0.0.9 80 203.0.113.20 80", "udp 10.0.0.8 80 203.0.113.20 80", False),
        ("tcp 10.0.0.9 80 203.0.113.20 80", "tcp 10.0.0.8 80 203.0.113.20 80", True),
    ],
)
def test_similar_statics_are_refused(first: str, second: str, clashes: bool) -> None:
    def edit(configuration: Configuration, line: str) -> Any:
        return TREE.edit(TREE.match(CONFIGURING, f"ip nat inside source static {line}"), configuration)

    one = edit(Configuration(), first)
    assert len(one.static_rules) == 1
    if clashes:
        with pytest.raises(Rejected, match="similar static entry"):
            edit(one, second)
    else:
        assert len(edit(one, second).static_rules) == 2
    assert edit(one, first) == one


# --- what a no form takes


@pytest.mark.parametrize(
    ("kept", "typed"),
    [
        ("ip nat inside source static tcp 10.0.0.9 80 203.0.113.20 80", "static 10.0.0.9 203.0.113.20"),
        (
            "ip nat inside source static udp 10.0.0.9 80 203.0.113.20 80",
            "static tcp 10.0.0.9 80 203.0.113.20 80",
        ),
        ("ip nat inside source static network 10.0.0.0 203.0.113.0 /24", "static 10.0.0.0 203.0.113.0"),
        (
            "ip nat inside source static network 10.0.0.0 203.0.113.0 /24",
            "static network 10.0.0.0 203.0.113.0 /25",
        ),
        ("ip nat inside source route-map R pool P", "list R"),
    ],
)
def test_no_of_another_rule_leaves_this_one(kept: str, typed: str) -> None:
    configuration = read(kept)
    found = TREE.match(CONFIGURING, f"no ip nat inside source {typed}")
    assert TREE.edit(found, configuration) == configuration


def test_a_static_is_named_without_its_options() -> None:
    configuration = read("ip nat inside source static 10.0.0.9 203.0.113.20 extendable no-alias")
    found = TREE.match(CONFIGURING, "no ip nat inside source static 10.0.0.9 203.0.113.20")
    assert TREE.edit(found, configuration) == Configuration()


def test_no_max_entries_is_of_the_whole_and_leaves_those_of_hosts() -> None:
    configuration = Configuration()
    for limit in ("5", "all-host 4", "host 10.0.0.5 3", "list LAN 2"):
        found = TREE.match(CONFIGURING, f"ip nat translation max-entries {limit}")
        configuration = TREE.edit(found, configuration)
    before = configuration.nat.limits
    found = TREE.match(CONFIGURING, "no ip nat translation max-entries")
    after = TREE.edit(found, configuration).nat.limits
    assert (after.total, after.all_host, after.hosts, after.lists) == (
        0,
        before.all_host,
        before.hosts,
        before.lists,
    )


@pytest.mark.parametrize("line", [line for line, _ in POOLS])
def test_a_pool_is_removed_by_its_name(line: str) -> None:
    configuration = read(line)
    name = configuration.pools[0].name
    assert TREE.edit(TREE.match(CONFIGURING, f"no ip nat pool {name}"), configuration) == Configuration()
    assert TREE.edit(TREE.match(CONFIGURING, "no ip nat pool X"), configuration) == configuration


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        (POOLS[0][0], "ip nat pool P 203.0.113.1 203.0.113.8 prefix-length 24"),
        (POOLS[0][0], "ip nat pool P prefix-length 24"),
        ("ip nat pool B prefix-length 24", "ip nat pool B prefix-length 25"),
        ("ip nat pool B prefix-length 24", "ip nat pool B 203.0.113.1 203.0.113.8 prefix-length 24"),
    ],
)
def test_a_pool_that_is_described_wrongly_stays(line: str, typed: str) -> None:
    with pytest.raises(Rejected, match=f"% The configured line differs: {line}"):
        TREE.edit(TREE.match(CONFIGURING, f"no {typed}"), read(line))


def test_names_are_offered() -> None:
    text = (
        "interface out0\n ip nat outside\nip nat pool POOL1 203.0.113.1 203.0.113.9 prefix-length 24\n"
        "access-list 7 permit any\n"
    )
    configuration, _ = read_configuration(text, "test")
    for begun, offered in {
        "ip nat inside source list ": ("7",),
        "ip nat inside source list 7 pool PO": ("POOL1",),
        "ip nat inside source list 7 interface o": ("out0",),
        "no ip nat pool P": ("POOL1",),
        "ip nat inside source static 10.0.0.9 interface ": ("out0",),
        "ip nat translation max-entries list ": ("7",),
    }.items():
        assert TREE.complete(CONFIGURING, begun, configuration) == offered
