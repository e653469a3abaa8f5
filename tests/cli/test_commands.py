"""Every command as a table: its good form, abbreviated, incomplete, and invalid with the caret's column."""

from ipaddress import IPv4Address

import pytest

from cli.commands import TREE
from cli.commands.configuration import configuration_lines
from cli.configuration_file import read_configuration
from cli.grammar import Fault, LineError
from cli.modes import (
    BACKUP,
    CONFIG,
    INTERFACE,
    LINE,
    PEERS,
    PRIMARY,
    PRIVILEGED,
    REDUNDANCY,
    STATEFUL,
    TRUSTPOINT,
    USER,
)
from cli.session import Path, Place
from cli.tree import Configures, Rejected, canonical, destination
from snat.config.model import ConfiguredRole
from tests.cli import test_interface_commands, test_list_commands, test_standby_commands
from tests.cli.fake_router import configuration
from tests.cli.places import PLACES
from tests.cli.test_logging_commands import LOGGING
from tests.cli.test_nat_commands import IN_POOL, POOLS, RANGE, RULES, SETTINGS
from tests.cli.test_system_commands import SYSTEM_LINES

ADDRESS = IPv4Address("192.168.77.1")
PATHS: dict[str, Path] = {
    "user": (Place(USER),),
    "exec": (Place(PRIVILEGED),),
    "config": (Place(PRIVILEGED), Place(CONFIG)),
    "trustpoint": (Place(PRIVILEGED), Place(CONFIG), Place(TRUSTPOINT, "SNAT")),
    "stateful": (Place(PRIVILEGED), Place(CONFIG), Place(STATEFUL)),
    "primary": (
        *(Place(PRIVILEGED), Place(CONFIG), Place(STATEFUL)),
        Place(PRIMARY, (ConfiguredRole.PRIMARY, ADDRESS)),
    ),
    "backup": (
        *(Place(PRIVILEGED), Place(CONFIG), Place(STATEFUL)),
        Place(BACKUP, (ConfiguredRole.BACKUP, ADDRESS)),
    ),
    "redundancy": (
        *(Place(PRIVILEGED), Place(CONFIG), Place(STATEFUL)),
        Place(REDUNDANCY, (ConfiguredRole.REDUNDANCY, "SNATHSRP")),
    ),
    "peers": (
        *(Place(PRIVILEGED), Place(CONFIG), Place(STATEFUL)),
        Place(PEERS, (ConfiguredRole.PEERS, "")),
    ),
    "interface": (Place(PRIVILEGED), Place(CONFIG), Place(INTERFACE, "in0")),
    "line": (Place(PRIVILEGED), Place(CONFIG), Place(LINE, ("vty", 0, 4))),
}

# mode, line as the running configuration prints it, an abbreviation of it
CONFIGURES = [
    ("config", "hostname R2", "ho R2"),
    ("config", "crypto pki trustpoint SNAT", "cr p t SNAT"),
    ("trustpoint", "ca-certificate /a/ca.pem", "ca /a/ca.pem"),
    ("trustpoint", "certificate /a/r1.pem", "ce /a/r1.pem"),
    ("trustpoint", "private-key /a/r1.key", "p /a/r1.key"),
    ("trustpoint", "crl /a/ca.crl", "cr /a/ca.crl"),
    ("config", "ip nat Stateful id 1", "ip nat stateful id 1"),
    ("config", "ip nat Stateful id 1", "IP NAT ST I 1"),
    ("stateful", "primary 192.168.77.1", "pri 192.168.77.1"),
    ("stateful", "primary 192.168.77.1 port 15556", "pr 192.168.77.1 po 15556"),
    ("stateful", "backup 192.168.77.1", "b 192.168.77.1"),
    (
        "primary",
        "peer 192.168.77.2 nat-id 2 name r2.snat.example",
        "pe 192.168.77.2 nat 2 na r2.snat.example",
    ),
    ("primary", "peer 192.168.77.2 nat-id 2 name r2 port 1", "pe 192.168.77.2 na 2 n r2 p 1"),
    ("backup", "mapping-id 10", "map 10"),
    ("stateful", "redundancy SNATHSRP", "red SNATHSRP"),
    ("stateful", "peers", "pee"),
    ("stateful", "peers WEST", "peers WEST"),
    ("redundancy", "local-address 192.168.77.1", "l 192.168.77.1"),
    ("redundancy", "local-address 192.168.77.1 port 15556", "l 192.168.77.1 p 15556"),
    ("redundancy", "protocol   udp", "prot u"),
    ("redundancy", "keepalived VI_1 fifo /run/f track-file /run/t", "keepa VI_1 f /run/f tr /run/t"),
    ("redundancy", "as-queuing disable", "as d"),
    ("redundancy", "mapping-id 10", "mapping 10"),
    ("redundancy", "peer 192.168.77.2 nat-id 2 name r2", "peer 192.168.77.2 na 2 n r2"),
    ("peers", "peer 192.168.77.2 nat-id 2 name r2", "pe 192.168.77.2 na 2 n r2"),
    ("peers", "defer", "defe"),
    ("peers", "retain 0", "r 0"),
    ("peers", "as-queuing disable", "as d"),
    ("primary", "virtual-address 10.0.0.1 interface in0", "v 10.0.0.1 i in0"),
    ("primary", "timers 2 6", "t 2 6"),
    ("primary", "timers msec 100 msec 350", "t m 100 m 350"),
    ("primary", "timers msec 500 2", "ti ms 500 2"),
    ("primary", "maximum entries 10", "max e 10"),
    ("backup", "maximum bytes 1024", "max b 1024"),
    ("primary", "update-interval msec 20", "u m 20"),
    ("backup", "update-interval triggered", "up t"),
    ("backup", "pull interval 60", "pu i 60"),
    ("config", "interface in0", "int in0"),
    ("interface", "ip nat inside", "ip nat ins"),
    ("interface", "ip nat outside", "i n o"),
    ("config", "ip nat translation udp-timeout 300", "ip nat tr u 300"),
    ("config", "ip nat translation tcp-timeout 300", "ip nat tr tc 300"),
    ("config", "ip nat translation syn-timeout 300", "ip nat tr s 300"),
    ("config", "ip nat translation finrst-timeout 300", "ip nat tr f 300"),
    ("config", "ip nat translation icmp-timeout 300", "ip nat tr i 300"),
    ("config", "ip nat translation closing-timeout 300", "ip nat tr c 300"),
    (
        "config",
        "ip nat pool P 203.0.113.1 203.0.113.9 prefix-length 24",
        "ip n p P 203.0.113.1 203.0.113.9 p 24",
    ),
    (
        "config",
        "ip nat pool P 203.0.113.1 203.0.113.9 netmask 255.255.255.0",
        "ip n p P 203.0.113.1 203.0.113.9 n 255.255.255.0",
    ),
    ("config", "ip nat inside source list 1 pool P overload", "ip nat ins so li 1 po P ov"),
    (
        "config",
        "ip nat inside source list 1300 pool P mapping-id 10 overload",
        "ip n i s l 1300 p P m 10 o",
    ),
    ("config", "access-list 1 permit 10.0.0.0 0.0.0.255", "acc 1 p 10.0.0.9 0.0.0.255"),
    ("config", "access-list 1 deny   10.0.0.1", "a 1 d 10.0.0.1"),
    ("config", "access-list 1 permit 10.0.0.1", "a 1 p h 10.0.0.1"),
    ("config", "access-list 1 permit any", "a 1 permit a"),
    ("config", "access-list 1 permit any", "a 1 permit 0.0.0.0 255.255.255.255"),
    *SYSTEM_LINES,
]

# mode, line: commands that do not configure
OTHERS = [
    ("user", "enable", "en"),
    ("user", "exit", "ex"),
    ("exec", "enable", "en"),
    ("exec", "disable", "di"),
    ("exec", "configure terminal", "conf t"),
    ("exec", "exit", "ex"),
    ("exec", "show running-config", "sh run"),
    ("user", "show ip nat translations", "sh ip nat tr"),
    ("user", "show ip nat translations", "show ip nat translation"),
    ("user", "show ip nat statistics", "sh ip nat st"),
    ("user", "show ip nat translations tcp verbose", "sh ip nat tr ve tc"),
    ("user", "show ip nat translations icmp total", "sh ip nat tr ic to"),
    (
        "user",
        "show ip nat translations inside 10.0.0.5 40000 outside 198.51.100.7 80 | json",
        "sh ip nat tr o 198.51.100.7 80 ins 10.0.0.5 40000 | j",
    ),
    (
        "user",
        "show ip nat translations filter range inside global 203.0.113.1 203.0.113.9 total",
        "sh ip nat t f r i g 203.0.113.1 203.0.113.9 to",
    ),
    ("user", "show ip nat pool name POOL1", "sh ip nat p n POOL1"),
    ("user", "show ip nat redundancy", "sh ip nat r"),
    ("user", "show ip snat", "sh ip sn"),
    ("user", "show ip snat peer 192.168.77.2", "sh ip sn p 192.168.77.2"),
    ("user", "show ip snat distributed", "sh ip snat dis"),
    ("user", "show ip snat distributed verbose", "sh ip sn d v"),
    ("exec", "show running-config | include ip nat | pool", "sh run | i ip nat | pool"),
    ("exec", "show running-config | json", "sh run | j"),
    ("exec", "clear ip nat translation *", "cl ip nat tr *"),
    ("exec", "clear ip nat translation forced", "cl ip nat tr f"),
    ("exec", "clear ip nat translation * forced", "cl ip nat tr * f"),
    (
        "exec",
        "clear ip nat translation inside 203.0.113.10 10.0.0.5",
        "cl ip nat tr in 203.0.113.10 10.0.0.5",
    ),
    (
        "exec",
        "clear ip nat translation udp inside 203.0.113.10 1 10.0.0.5 2 outside 8.8.8.8 3 1.2.3.4 5 forced",
        "cl ip nat tr u in 203.0.113.10 1 10.0.0.5 2 o 8.8.8.8 3 1.2.3.4 5 f",
    ),
    (
        "exec",
        "clear ip nat translation esp outside 198.51.100.7 198.51.100.8",
        "cl ip nat tr e o 198.51.100.7 198.51.100.8",
    ),
    ("exec", "clear ip nat statistics", "cl ip nat s"),
    ("exec", "clear ip snat sessions *", "cle ip snat s *"),
    ("exec", "clear ip snat sessions 192.168.77.2", "clear ip sn s 192.168.77.2"),
    ("exec", "clear ip snat translation distributed *", "cl ip snat tr d *"),
    ("exec", "clear ip snat translation peer 192.168.77.2", "cl ip snat tr p 192.168.77.2"),
    ("exec", "clear ip snat translation peer 192.168.77.2 refresh", "cl ip snat t p 192.168.77.2 r"),
    ("config", "do show running-config", "do show running-config"),
    ("config", "end", "end"),
    ("interface", "exit", "ex"),
]


@pytest.mark.parametrize(("mode", "line", "abbreviated"), CONFIGURES)
def test_a_configuration_command_is_understood_and_printed_in_full(
    mode: str, line: str, abbreviated: str
) -> None:
    assert canonical(TREE.match(PATHS[mode], line)) == line
    assert canonical(TREE.match(PATHS[mode], abbreviated)) == line
    assert canonical(TREE.match(PATHS[mode], f"  {line.swapcase()[:4]}{line[4:]}  ")) == line


@pytest.mark.parametrize(("mode", "line", "abbreviated"), OTHERS)
def test_another_command_means_the_same_abbreviated(mode: str, line: str, abbreviated: str) -> None:
    full, short = TREE.match(PATHS[mode], line), TREE.match(PATHS[mode], abbreviated)
    assert (full.command, full.values) == (short.command, short.values)


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("exec", "show"),
        ("exec", "sh ip nat"),
        ("user", "show ip snat peer"),
        ("user", "show ip nat pool name"),
        ("user", "show ip nat translations inside"),
        ("user", "show ip nat translations filter range inside global 203.0.113.1"),
        ("exec", "clear ip nat translation inside 203.0.113.10"),
        ("exec", "clear ip nat translation udp inside 203.0.113.10 53"),
        ("exec", "clear ip nat translation tcp"),
        ("exec", "clear ip nat translation inside 203.0.113.10 10.0.0.5 outside 198.51.100.7"),
        ("exec", "show running-config |"),
        ("exec", "clear"),
        ("exec", "clear ip nat translation"),
        ("exec", "clear ip snat sessions"),
        ("exec", "clear ip snat translation"),
        ("exec", "clear ip snat translation distributed"),
        ("exec", "clear ip snat translation peer"),
        ("exec", "show run | include"),
        ("config", "hostname"),
        ("config", "crypto pki trustpoint"),
        ("trustpoint", "ca-certificate"),
        ("trustpoint", "certificate"),
        ("trustpoint", "private-key"),
        ("trustpoint", "crl"),
        ("config", "ip nat stateful id"),
        ("stateful", "primary"),
        ("stateful", "backup 192.168.77.1 port"),
        ("primary", "peer 192.168.77.2"),
        ("primary", "peer 192.168.77.2 nat-id 2"),
        ("primary", "peer 192.168.77.2 nat-id 2 name"),
        ("primary", "mapping-id"),
        ("primary", "virtual-address 10.0.0.1"),
        ("primary", "timers 1"),
        ("primary", "timers 1 msec"),
        ("primary", "maximum"),
        ("primary", "maximum entries"),
        ("primary", "maximum bytes"),
        ("primary", "update-interval"),
        ("primary", "update-interval msec"),
        ("backup", "pull interval"),
        ("config", "interface"),
        ("interface", "ip nat"),
        ("config", "ip nat translation udp-timeout"),
        ("config", "ip nat pool P"),
        ("config", "ip nat pool P 203.0.113.1 203.0.113.9"),
        ("config", "ip nat pool P 203.0.113.1 203.0.113.9 netmask"),
        ("config", "ip nat inside source list 1"),
        ("config", "ip nat inside source list 1 pool P mapping-id"),
        ("config", "access-list 1"),
        ("config", "access-list 1 permit"),
        ("config", "access-list 1 permit host"),
        ("config", "do"),
        ("config", "no"),
        ("config", "no ip nat pool"),
    ],
)
def test_incomplete(mode: str, line: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(PATHS[mode], line)
    assert caught.value.fault is Fault.INCOMPLETE
    assert caught.value.reason.startswith("missing: ")


@pytest.mark.parametrize(
    ("mode", "line", "bad"),
    [
        ("exec", "foo", "foo"),
        ("exec", "sh foo", "foo"),
        ("exec", "enable me", "me"),
        ("exec", "conf x", "x"),
        ("exec", "show running-config x", "x"),
        ("exec", "show ip nat translations now", "now"),
        ("exec", "show ip nat statistics now", "now"),
        ("exec", "show ip snat distributed brief", "brief"),
        ("exec", "show run | tail x", "tail"),
        ("exec", "show run | json x", "x"),
        ("exec", "interface in0", "interface"),
        ("exec", "disable all", "all"),
        ("exec", "exit now", "now"),
        ("exec", "clear ip nat translation forced now", "now"),
        ("exec", "clear ip nat translation inside 203.0.113.10 1 10.0.0.5", "1"),
        ("exec", "clear ip nat translation tcp inside 203.0.113.10 65536 10.0.0.5", "65536"),
        ("exec", "clear ip nat translation udp inside 203.0.113.10 10.0.0.5 inside", "inside"),
        ("exec", "clear ip nat statistics now", "now"),
        ("user", "show ip nat translations tcp udp", "udp"),
        ("user", "show ip nat translations inside 10.0.0.5 x", "x"),
        ("user", "show ip nat translations filter range outside", "outside"),
        ("user", "show ip nat pool POOL1", "POOL1"),
        ("user", "show ip nat pool name POOL1 x", "x"),
        ("user", "show ip nat redundancy x", "x"),
        ("user", "show ip snat peer r2", "r2"),
        ("user", "show ip snat verbose", "verbose"),
        ("exec", "clear ip nat translation * *", "*"),
        ("exec", "clear ip snat sessions r2", "r2"),
        ("exec", "clear ip snat sessions 224.0.0.1", "224.0.0.1"),
        ("exec", "clear ip snat translation *", "*"),
        ("exec", "clear ip snat translation peer *", "*"),
        ("exec", "clear ip snat translation peer 192.168.77.2 now", "now"),
        ("user", "clear ip nat translation *", "clear"),
        ("config", "clear ip nat translation *", "clear"),
        ("user", "show running-config", "running-config"),
        ("user", "configure terminal", "configure"),
        ("config", "show run", "show"),
        ("config", "end now", "now"),
        ("config", "hostname -x", "-x"),
        ("config", "hostname a b", "b"),
        ("config", "crypto pki trustpoint SNAT x", "x"),
        ("trustpoint", "ca-certificate ca.pem", "ca.pem"),
        ("trustpoint", "certificate r1.pem", "r1.pem"),
        ("trustpoint", "private-key /a/r 1.key", "1.key"),
        ("trustpoint", "crl ca.crl", "ca.crl"),
        ("config", "ip nat stateful id 0", "0"),
        ("config", "ip nat stateful id 2147483648", "2147483648"),
        ("config", "ip nat stateful id one", "one"),
        ("stateful", "primary 192.168.77", "192.168.77"),
        ("stateful", "primary 224.0.0.1", "224.0.0.1"),
        ("stateful", "primary 0.0.0.0", "0.0.0.0"),
        ("stateful", "backup 192.168.77.1 port 0", "0"),
        ("stateful", "backup 192.168.77.1 port 65536", "65536"),
        ("primary", "peer 192.168.77.2 nat-id 0 name r2", "0"),
        ("primary", "peer 192.168.77.2 nat-id 2 name *.example", "*.example"),
        ("primary", "peer 192.168.77.2 nat-id 2 name r2 port http", "http"),
        ("primary", "mapping-id 0", "0"),
        ("backup", "mapping-id ten", "ten"),
        ("primary", "virtual-address 10.0.0.256 interface in0", "10.0.0.256"),
        ("primary", "virtual-address 10.0.0.1 interface a/b", "a/b"),
        ("primary", "timers msec 9 1", "9"),
        ("primary", "timers 0 3", "0"),
        ("primary", "timers 1 msec 60001", "60001"),
        ("primary", "maximum entries 0", "0"),
        ("primary", "maximum entries 1001", "1001"),
        ("primary", "maximum bytes 1023", "1023"),
        ("primary", "maximum bytes 32769", "32769"),
        ("primary", "maximum seconds 5", "seconds"),
        ("primary", "update-interval msec 4", "4"),
        ("primary", "update-interval msec 101", "101"),
        ("primary", "update-interval 20", "20"),
        ("backup", "pull interval 0", "0"),
        ("backup", "pull interval 3601", "3601"),
        ("backup", "pull 60", "60"),
        ("config", "interface abcdefghijklmnop", "abcdefghijklmnop"),
        ("config", "interface ..", ".."),
        ("interface", "ip nat sideways", "sideways"),
        ("interface", "ip nat inside x", "x"),
        ("config", "ip nat translation udp-timeout 0", "0"),
        ("config", "ip nat translation udp-timeout 536871", "536871"),
        ("config", "ip nat pool P 203.0.113.1 x prefix-length 24", "x"),
        ("config", "ip nat pool P 203.0.113.1 203.0.113.9 prefix-length 33", "33"),
        ("config", "ip nat pool P 203.0.113.1 203.0.113.9 netmask 255.0.255.0", "255.0.255.0"),
        ("config", "ip nat pool P 203.0.113.1 203.0.113.9 type rotary", "type"),
        ("config", "ip nat inside source list 1 pool P mapping-id 0 overload", "0"),
        ("config", "access-list 1 permit 10.0.0", "10.0.0"),
        ("config", "access-list 1 permit host any", "any"),
        ("config", "no end", "end"),
        ("config", "no access-list 5000", "5000"),
        ("trustpoint", "ip nat pool P 1.2.3.4 x", "x"),
    ],
)
def test_invalid_with_the_column_of_the_bad_word(mode: str, line: str, bad: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(PATHS[mode], line)
    assert caught.value.fault is Fault.INVALID
    assert line[caught.value.column :].split()[0] == bad
    assert bad in caught.value.reason


@pytest.mark.parametrize(
    ("mode", "line", "column", "meant"),
    [
        ("exec", "e", 0, "'e' may be enable or erase or exit"),
        ("exec", "co", 0, "'co' may be configure or copy"),
        ("user", "  e", 2, "'e' may be enable or exit"),
        ("config", "e", 0, "'e' may be enable or end or exit"),
        ("stateful", "e", 0, "'e' may be end or exit"),
        ("trustpoint", "c /a", 0, "'c' may be ca-certificate or certificate or crl"),
        ("trustpoint", "no c", 3, "'c' may be ca-certificate or certificate or crl"),
        ("primary", "ma 10", 0, "'ma' may be mapping-id or maximum"),
    ],
)
def test_ambiguous(mode: str, line: str, column: int, meant: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(PATHS[mode], line)
    assert caught.value.fault is Fault.AMBIGUOUS
    assert (caught.value.column, caught.value.reason) == (column, meant)


# the line, its value in the block, the same default in words
REPLICATION = [
    ("maximum entries 10", ("maximum_entries", 10), None),
    ("maximum bytes 1024", ("maximum_bytes", 1024), "maximum bytes 16384"),
    ("update-interval msec 20", ("update_interval", 0.02), "update-interval triggered"),
    ("pull interval 60", ("pull_interval", 60.0), None),
]
SHARED = "ip nat stateful id 1\n backup 192.168.77.1\n"


@pytest.mark.parametrize(("line", "value", "default"), REPLICATION)
def test_a_line_about_replication_is_kept_printed_and_taken_back(
    line: str, value: tuple[str, float], default: str | None
) -> None:
    before, _ = read_configuration(SHARED, "test")
    wanted = TREE.edit(TREE.match(PATHS["backup"], line), before)
    assert wanted.stateful is not None
    assert getattr(wanted.stateful.groups[0], value[0]) == value[1]
    assert [one.strip() for one in set(configuration_lines(wanted)) - set(configuration_lines(before))] == [
        line
    ]
    words = line.split()
    short = " ".join(words[: 1 if "-" in words[0] else 2])
    for taken_back in (f"no {short}", f"no {line}", default):
        if taken_back is not None:
            assert TREE.edit(TREE.match(PATHS["backup"], taken_back), wanted) == before


def test_the_no_form_with_another_value_is_refused() -> None:
    before, _ = read_configuration(f"{SHARED}  maximum entries 10\n", "test")
    with pytest.raises(Rejected, match="% The configured line differs: maximum entries 10"):
        TREE.edit(TREE.match(PATHS["backup"], "no maximum entries 11"), before)


NO_FORMS = [
    ("config", "no hostname", "hostname Router"),
    ("config", "no ip nat translation udp-timeout", "ip nat translation udp-timeout 300"),
    ("config", "no ip nat translation udp-timeout 300", "ip nat translation udp-timeout 300"),
]

# mode, the no form, the line that it removes
REMOVALS = [
    ("config", "no crypto pki trustpoint SNAT", "crypto pki trustpoint SNAT"),
    ("trustpoint", "no ca-certificate", " ca-certificate /path/ca.pem"),
    ("trustpoint", "no certificate /path/r1.pem", " certificate /path/r1.pem"),
    ("trustpoint", "no private-key", " private-key /path/r1.key"),
    ("config", "no ip nat stateful id 1", "ip nat Stateful id 1"),
    ("stateful", "no primary 192.168.77.1", "  primary 192.168.77.1"),
    ("stateful", "no primary 192.168.77.1 port 15555", "  primary 192.168.77.1"),
    ("primary", "no peer 192.168.77.2", "    peer 192.168.77.2 nat-id 2 name r2.snat.example"),
    (
        "primary",
        "no peer 192.168.77.2 nat-id 2 name r2.snat.example port 15555",
        "    peer 192.168.77.2 nat-id 2 name r2.snat.example",
    ),
    ("primary", "no mapping-id 10", "    mapping-id 10"),
    ("primary", "no virtual-address 10.0.0.1", "    virtual-address 10.0.0.1 interface in0"),
    ("primary", "no timers", "    timers msec 100 msec 350"),
    ("primary", "no timers msec 100 msec 350", "    timers msec 100 msec 350"),
    ("config", "no interface in0", "interface in0"),
    ("interface", "no ip nat inside", " ip nat inside"),
    (
        "config",
        "no ip nat inside source list 1",
        "ip nat inside source list 1 pool POOL1 mapping-id 10 overload",
    ),
    (
        "config",
        "no ip nat inside source list 1 pool POOL1 mapping-id 10 overload",
        "ip nat inside source list 1 pool POOL1 mapping-id 10 overload",
    ),
    ("config", "no access-list 1", "access-list 1 permit 10.0.0.0 0.0.0.255"),
    ("config", "no access-list 1 permit 10.0.0.77 0.0.0.255", "access-list 1 permit 10.0.0.0 0.0.0.255"),
]


@pytest.mark.parametrize(("mode", "line", "removed"), REMOVALS)
def test_the_no_form_removes_the_line(mode: str, line: str, removed: str) -> None:
    before = configuration()
    after = TREE.edit(TREE.match(PATHS[mode], line), before)
    assert removed in list(configuration_lines(before))
    assert removed not in list(configuration_lines(after))
    if mode == "config":
        assert TREE.edit(TREE.match(PATHS[mode], line), after) == after


@pytest.mark.parametrize(("mode", "line", "default"), NO_FORMS)
def test_the_no_form_goes_back_to_the_default(mode: str, line: str, default: str) -> None:
    after = TREE.edit(TREE.match(PATHS[mode], line), configuration())
    assert default in list(configuration_lines(after))


def test_every_configuration_command_is_in_the_tables() -> None:
    tabled = {id(TREE.match(PATHS[mode], line).command) for mode, line, _ in CONFIGURES}
    tabled |= {id(TREE.match(IN_POOL, line).command) for line, _ in (*RULES, *POOLS, *SETTINGS, RANGE)}
    others = (*test_interface_commands.LINES, *test_list_commands.LINES, *test_standby_commands.LINES)
    tabled |= {id(TREE.match(PLACES[place], line).command) for place, line, _ in others}
    tabled |= {id(TREE.match(PATHS["config"], line.removeprefix("no ")).command) for line, _, _ in LOGGING}
    tabled.add(id(TREE.match(PATHS["config"], "logging 192.0.2.9").command))
    tabled.add(id(TREE.match(PATHS["config"], "enable algorithm-type sha256 secret x").command))
    declared = {
        id(command)
        for commands in TREE.modes.values()
        for command in commands
        if isinstance(command, Configures)
    }
    assert tabled == declared


@pytest.mark.parametrize(
    ("mode", "line", "leads_to"),
    [
        ("config", "interface out0", "(config-if)#"),
        ("interface", "interface out0", "(config-if)#"),
        ("primary", "backup 192.168.77.9", "(config-ipnat-snat-bkp)#"),
        ("backup", "primary 192.168.77.9", "(config-ipnat-snat-pri)#"),
        ("interface", "ip nat pool P 203.0.113.1 203.0.113.2 prefix-length 24", "(config)#"),
        ("interface", "ip nat inside source list 1 pool P overload", "(config)#"),
        ("interface", "ip nat inside", "(config-if)#"),
        ("primary", "crypto pki trustpoint SNAT", "(ca-trustpoint)#"),
        ("primary", "no mapping-id 3", "(config-ipnat-snat-pri)#"),
        ("interface", "no interface in0", "(config)#"),
        ("trustpoint", "hostname R9", "(config)#"),
    ],
)
def test_a_line_of_a_mode_around_leaves_the_sub_mode(mode: str, line: str, leads_to: str) -> None:
    assert destination(TREE.match(PATHS[mode], line))[-1].mode.prompt == leads_to
