"""A Router without a device: keeps the configuration it is given, and shows what a test put into it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from cli.configuration_file import read_configuration
from cli.router import CommandRefused, ConfigurationRefused
from cli.shell import Shell
from snat.config.model import Configuration
from snat.device.selection import EVERYTHING, Selection
from snat.device.status import (
    Endpoint,
    FeedStatus,
    GroupStatus,
    LinkStatus,
    MemberStatus,
    NatStatus,
    PoolPorts,
    PoolStatus,
    PortUse,
    RuleStatus,
    Statistics,
    Translation,
)
from snat.status import StandbyStatus

CONFIGURATION = """\
hostname R1
!
crypto pki trustpoint SNAT
 ca-certificate /path/ca.pem
 certificate /path/r1.pem
 private-key /path/r1.key
!
ip nat Stateful id 1
  primary 192.168.77.1
    peer 192.168.77.2 nat-id 2 name r2.snat.example
    mapping-id 10
    virtual-address 10.0.0.1 interface in0
    timers msec 100 msec 350
!
interface in0
 ip nat inside
!
interface out0
 ip nat outside
!
ip nat translation udp-timeout 300
ip nat translation tcp-timeout 7440
ip nat translation syn-timeout 240
ip nat translation finrst-timeout 60
ip nat translation icmp-timeout 60
ip nat translation closing-timeout 240
ip nat pool POOL1 203.0.113.10 203.0.113.20 prefix-length 24
ip nat inside source list 1 pool POOL1 mapping-id 10 overload
access-list 1 permit 10.0.0.0 0.0.0.255
end
"""


def configuration(text: str = CONFIGURATION) -> Configuration:
    """A configuration that has no problems."""
    read, problems = read_configuration(text, "test")
    assert problems == ()
    return read


def translation(number: int, protocol: int = 6) -> Translation:
    """A row; the number is in the inside port."""
    outside = Endpoint("198.51.100.7", 80)
    return Translation(
        protocol=protocol,
        inside_global=Endpoint("203.0.113.10", 1024 + number % 60000),
        inside_local=Endpoint("10.0.0.5", 40000),
        outside_local=outside,
        outside_global=outside,
        nat_id=1,
        number=number,
        mapping_id=10,
        state="established",
    )


LINK = LinkStatus(
    neighbor="r2.snat.example",
    direction="out",
    local_address="192.168.77.1",
    destination_address="192.168.77.2",
    destination_port=15555,
    local_nat_id=1,
    destination_nat_id=2,
    process_id=0,
    mapping_ids=(10,),
    state="Establish",
    connection=5,
    messages_in=7,
    messages_out=9,
    bytes_in=700,
    bytes_out=900,
    queued_bytes=52,
    inbound_bytes=16384,
    incarnation=5,
)
MEMBER = MemberStatus(
    neighbor="r2.snat.example",
    nat_id=2,
    standing="LISTEN",
    term=3,
    sequence=41,
    lag_messages=3,
    lag_seconds=0.28,
)
FEED = FeedStatus(
    process_id=0,
    mapping_id=10,
    manager_nat_id=1,
    term=3,
    sequence=44,
    entries=120,
    digest=255,
    synchronised=True,
    verified_age=2.2,
    journal_messages=7,
    journal_bytes=1234,
    members=(MEMBER,),
)
GROUP = GroupStatus(
    mode="PRIMARY",
    standing="MANAGE",
    state="READY",
    local_address="192.168.77.1",
    local_nat_id=1,
    mapping_ids=(10,),
    feeds=(FEED,),
    links=(LINK,),
    alarms=("rules differ for mapping 10",),
)


RULE = RuleStatus(
    number=1,
    kind="inside source",
    access_list="1",
    route_map="",
    pool="POOL1",
    interface="",
    mapping_id=10,
    references=2,
)
POOL_STATUS = PoolStatus(
    name="POOL1",
    kind="generic",
    prefix_length=24,
    ranges=(("203.0.113.10", "203.0.113.20"),),
    addresses=11,
    allocated=1,
    misses=0,
    quarantined=4,
)
TABLE = NatStatus(total=3, static=1, extended=2, peak=8, peak_age=2117.4, rules=(RULE,), pools=(POOL_STATUS,))
PORTS = PoolPorts(
    name="POOL1",
    number=1,
    addresses=PortUse(1, 10),
    udp_low=PortUse(0, 11253),
    tcp_low=PortUse(1, 11252),
    udp_high=PortUse(2, 709630),
    tcp_high=PortUse(12, 709620),
    icmp=PortUse(3, 720882),
    quarantined=4,
)


@dataclass
class FakeStartup:
    """Satisfies cli.router.Startup."""

    text: str | None = None
    changed: bool = False
    free: int = 1000
    path: Path = Path("/etc/snat/router.conf")
    refusal: str = ""

    def look(self) -> str | None:
        return self.text

    def save(self, text: str) -> None:
        if self.refusal:
            raise CommandRefused(self.refusal)
        self.text = text

    def erase(self) -> None:
        self.text = None


@dataclass
class FakeRouter:
    """Satisfies cli.router.Router."""

    running: Configuration = field(default_factory=configuration)
    rows: Iterator[Translation | None] = field(default_factory=lambda: iter([translation(0)]))
    asked: list[tuple[Selection, bool]] = field(default_factory=list)
    """Which entries were wanted, and whether with details."""
    table: NatStatus = TABLE
    counted: dict[str, dict[str, int]] = field(
        default_factory=lambda: {"translate": {"hits": 47, "new_flows": 3}}
    )
    ports: PoolPorts = PORTS
    groups: tuple[GroupStatus, ...] = (GROUP,)
    startup: FakeStartup = field(default_factory=FakeStartup)
    standby_groups: tuple[StandbyStatus, ...] = ()
    refusal: str = ""
    """Why it refuses configurations and orders; empty: it does not."""
    applied: list[Configuration] = field(default_factory=list)
    ordered: list[str] = field(default_factory=list)
    """What operators ordered, as calls."""

    def running_configuration(self) -> Configuration:
        return self.running

    def apply(self, configuration: Configuration) -> None:
        if self.refusal:
            raise ConfigurationRefused(self.refusal)
        self.applied.append(configuration)
        self.running = configuration

    @property
    def nat(self) -> "FakeNat":
        return FakeNat(self)

    def distributed(self) -> tuple[GroupStatus, ...]:
        return self.groups

    def standby(self) -> tuple[StandbyStatus, ...]:
        return self.standby_groups

    def statistics(self) -> Statistics:
        return Statistics(counters=self.counted)

    def clear_statistics(self) -> None:
        self.order("clear_statistics()")

    def clear_sessions(self, address: IPv4Address | None) -> None:
        self.order(f"clear_sessions({address})")

    def refresh(self, address: IPv4Address | None, *, forget: bool) -> None:
        self.order(f"refresh({address}, forget={forget})")

    def order(self, call: str) -> None:
        if self.refusal:
            raise CommandRefused(self.refusal)
        self.ordered.append(call)


@dataclass
class FakeNat:
    """Satisfies cli.router.Nat. It selects nothing itself: it keeps what was asked for."""

    router: "FakeRouter"

    def translations(
        self, selection: Selection = EVERYTHING, *, verbose: bool = False
    ) -> Iterator[Translation | None]:
        self.router.asked.append((selection, verbose))
        return self.router.rows

    def total(self, selection: Selection) -> Iterator[int | None]:
        self.router.asked.append((selection, False))
        yield from (None, None, sum(row is not None for row in self.router.rows))

    def status(self) -> Iterator[NatStatus | None]:
        yield from (None, None, self.router.table)

    def pool_ports(self, name: str) -> Iterator[PoolPorts | None]:
        yield None
        yield self.router.ports

    def clear(self) -> None:
        self.router.order("nat.clear()")

    def clear_selected(self, selection: Selection) -> Iterator[None]:
        yield None
        self.router.asked.append((selection, False))
        self.router.order("nat.clear_selected()")


def output(shell: Shell, *lines: str) -> str:
    """The output of the last of some lines; those before must go well."""
    text = ""
    for number, line in enumerate(lines, start=1):
        text = "".join(said for said in shell.run(line) if isinstance(said, str))
        assert shell.ok or number == len(lines), f"{line}: {text}"
    return text
