"""A Router without a device: keeps the configuration it is given, and shows what a test put into it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface

from cli.configuration_file import read_configuration
from cli.router import CommandRefused, ConfigurationRefused
from cli.session import Pause, Question, Redirect, Said
from cli.shell import Shell
from snat.config.model import Configuration, Logging
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
from snat.status import (
    AddressStatus,
    ArpStatus,
    Change,
    Clock,
    DebugStatus,
    InterfaceCounters,
    InterfaceStatus,
    LogHost,
    LogStatus,
    Memory,
    PendingReload,
    Processor,
    ProcessorTime,
    Resolver,
    RouteStatus,
    StandbyStatus,
    StartupText,
    Thread,
    User,
    Version,
)

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


NOW = Clock(seconds=1445281058.3475)  # 18:57:38.347 UTC Mon Oct 19 2015
USERS = (User(line=0, user="admin", idle=0.2), User(line=3, user="eve", idle=4000.0))


@dataclass
class FakeMachine:
    """Satisfies cli.router.Machine."""

    now: Clock = NOW
    users_now: tuple[User, ...] = USERS
    domain: str = "snat.example"
    reload_reason: str = ""

    def clock(self, later: float = 0.0) -> Clock:
        return replace(self.now, seconds=self.now.seconds + later)

    def version(self, configuration: Configuration) -> Version:
        return Version(
            version="0.1.0",
            hostname=configuration.hostname,
            uptime=93900.0,
            reload_reason=self.reload_reason,
            image="snatd-0.1.0",
            board=4279256517,
            interfaces=len(configuration.interfaces),
            kernel="Linux 6.1.0",
            python="3.11.2",
            twisted="26.4.0",
        )

    def users(self) -> tuple[User, ...]:
        return self.users_now

    def processor(self) -> Processor:
        use = ProcessorTime(five_seconds=12.3, one_minute=4.56, five_minutes=1.0)
        threads = (
            Thread(number=4711, name="snatd", milliseconds=5000, switches=200, use=use),
            Thread(number=4712, name="PoolThread-0", milliseconds=1, switches=0, use=replace(use)),
        )
        return Processor(use=use, system=3.0, threads=threads)

    def memory(self) -> Memory:
        return Memory(total=8000000000, available=5000000000, process=4711, resident=60000000, peak=70000000)

    def resolver(self) -> Resolver:
        return Resolver(domain=self.domain, servers=("192.0.2.53", "192.0.2.54"))


@dataclass
class FakeStoring:
    """Satisfies cli.router.Storing: done when it was looked at a few times."""

    refusal: str = ""
    looks: int = 3

    @property
    def done(self) -> bool:
        self.looks -= 1
        return self.looks < 0


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
    """Satisfies cli.router.Startup, in memory."""

    text: str | None = None
    stored: Configuration | None = None
    last_change: Change | None = None
    conflicting: str = ""
    refusal: str = ""

    def changed(self, user: str) -> None:
        self.last_change = Change(at=NOW, user=user)

    def is_stored(self, configuration: Configuration) -> bool:
        return configuration == self.stored

    def read(self) -> StartupText | None:
        return None if self.text is None else StartupText(path="/r1.conf", text=self.text, capacity=16777216)

    def conflict(self) -> str:
        return self.conflicting

    def store(self, text: str, configuration: Configuration) -> FakeStoring:
        if not self.refusal:
            self.text, self.stored, self.conflicting = text, configuration, ""
        return FakeStoring(refusal=self.refusal)

    def erase(self) -> FakeStoring:
        self.text = self.stored = None
        return FakeStoring(refusal=self.refusal)


@dataclass
class FakeReloads:
    """Satisfies cli.router.Reloads."""

    order: tuple[float, str, int] | None = None

    def schedule(self, seconds: float, user: str, line: int) -> None:
        self.order = seconds, user, line

    def cancel(self) -> bool:
        order, self.order = self.order, None
        return order is not None

    def pending(self) -> PendingReload | None:
        if self.order is None:
            return None
        seconds, user, line = self.order
        at = replace(NOW, seconds=NOW.seconds + seconds)
        return PendingReload(at=at, seconds_left=seconds, user=user, line=line)


INSIDE = InterfaceStatus(
    name="in0",
    description="to the hosts",
    hardware="veth",
    addresses=(
        AddressStatus(address=IPv4Interface("10.0.0.1/24")),
        AddressStatus(address=IPv4Interface("10.0.0.2/24"), secondary=True),
    ),
    up=True,
    line_protocol=True,
    mtu=1500,
    mac_address=bytes.fromhex("562df8716672"),
    queue=1000,
    megabits=10000,
    full_duplex=True,
    side="inside",
    adjust_mss=1300,
    counters=InterfaceCounters(
        packets_in=11, bytes_in=1100, errors_in=5, drops_in=7, multicast_in=3, crc=1, frame=2, overrun=4,
        missed=6, runts_and_giants=8, packets_out=21, bytes_out=2100, errors_out=9, drops_out=10,
        collisions=12, underruns=13, lost_carrier=14, resets=15,
    ),
)  # fmt: skip
OUTSIDE = InterfaceStatus(
    name="out0.10",
    hardware="vlan",
    addresses=(AddressStatus(address=IPv4Interface("203.0.113.1/30"), configured=False),),
    up=True,
    line_protocol=False,
    mtu=1492,
    mac_address=bytes.fromhex("562df8716673"),
    side="outside",
)
SHUT = InterfaceStatus(name="tunl0", hardware="ipip", up=False, line_protocol=False, mtu=1480)


@dataclass
class FakeInterfaces:
    """Satisfies cli.router.Interfaces."""

    statuses: tuple[InterfaceStatus, ...] = (INSIDE, OUTSIDE, SHUT)
    routed: tuple[RouteStatus, ...] = ()
    neighbours: tuple[ArpStatus, ...] = ()

    def interfaces(self) -> tuple[InterfaceStatus, ...]:
        return self.statuses

    def routes(self) -> tuple[RouteStatus, ...]:
        return self.routed

    def arp(self) -> tuple[ArpStatus, ...]:
        return self.neighbours


LOG = LogStatus(
    settings=Logging(),
    console=41,
    monitor=2,
    buffered=40,
    trap=7,
    dropped=3,
    rate_limited=5,
    hosts=(LogHost(address="192.0.2.9", port=514, sent=6, dropped=1),),
    lines=("*Mar  1 00:00:04.123: %SNAT-5-PROCESS: Id 1, System fully converged",),
)


@dataclass
class FakeLog:
    """Satisfies cli.router.Log."""

    now: LogStatus = LOG

    def status(self) -> LogStatus:
        return self.now

    def clear(self) -> None:
        self.now = replace(self.now, lines=())


@dataclass
class FakeDebugging:
    """Satisfies cli.router.Debugging."""

    now: DebugStatus = DebugStatus()

    def status(self) -> DebugStatus:
        return self.now

    def set(self, status: DebugStatus) -> None:
        self.now = status


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
    standby_groups: tuple[StandbyStatus, ...] = ()
    refusal: str = ""
    """Why it refuses configurations and orders; empty: it does not."""
    applied: list[Configuration] = field(default_factory=list)
    ordered: list[str] = field(default_factory=list)
    """What operators ordered, as calls."""
    machine: FakeMachine = field(default_factory=FakeMachine)
    network: FakeInterfaces = field(default_factory=FakeInterfaces)
    reloads: FakeReloads = field(default_factory=FakeReloads)
    startup: FakeStartup = field(default_factory=FakeStartup)
    log: FakeLog = field(default_factory=FakeLog)
    debugging: FakeDebugging = field(default_factory=FakeDebugging)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def note(self, mnemonic: str, text: str) -> None:
        self.notes.append((mnemonic, text))

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


@dataclass
class Dialogue:
    """What a command said, and what it was answered."""

    text: str = ""
    """With the questions, each as it stands before the answer that was typed."""
    silent: list[str] = field(default_factory=list)
    """Questions whose answers are not shown."""
    redirects: list[Redirect] = field(default_factory=list)
    paused: float = 0.0


def converse(shell: Shell, line: str, *answers: str) -> Dialogue:
    """Run a line and answer its questions; every answer must be asked for, and no more."""
    dialogue, left = Dialogue(), list(answers)
    running = shell.run(line)
    answer: str | None = None
    while True:
        try:
            said: Said = running.send(answer)
        except StopIteration:
            break
        answer = None
        match said:
            case Question():
                dialogue.text += said.text
                dialogue.silent += [] if said.echo else [said.text]
                assert left, f"it asks once more: {said.text}"
                answer = left.pop(0)
            case Redirect():
                dialogue.redirects.append(said)
            case Pause():
                dialogue.paused += said.seconds
            case str():
                dialogue.text += said
    assert not left, f"never asked for: {left}"
    return dialogue
