"""The two data paths: the order of what is done to the kernel, and the replay of a capture."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP, fragment
from scapy.utils import rdpcap, wrpcap

from snat.config.interface import Standby, StandbyGroup
from snat.config.model import (
    AccessList,
    AddressRange,
    Configuration,
    ConfiguredRole,
    DynamicRule,
    Group,
    Interface,
    Nat,
    Pool,
    Side,
    Stateful,
    VirtualAddress,
)
from snat.config.networks import global_networks
from snat.config.refused import ConfigurationRefused
from snat.device.device import Device
from snat.net import datapath
from snat.net.capture_path import CAPTURE_TTL_STEP, CapturePath
from snat.net.datapath import TunPath, kernel_plan
from snat.net.gratuitous_arp import GratuitousArpCounters
from snat.net.host_plan import HostPlan
from snat.net.kernel_change import KernelChange, Kind
from snat.net.kernel_monitor import Restored
from snat.net.kernel_plan import INSIDE_TUN, OUTSIDE_TUN, KernelPlan
from snat.net.refused import KernelRefused
from snat.net.tun import Offload, TunCounters
from snat.net.virtual_links import name_of
from snat.redundancy.roles import Input
from snat.translate.fragments import LIFETIME
from snat.translate.translator import Verdict
from tests import packets
from tests.net.memory import Log, Reactor
from tests.simulation.network import MAPPING, POOL, configuration

GATEWAY = (IPv4Address("10.0.0.1"), "in0")
SHARED = global_networks(configuration(1, ConfiguredRole.PRIMARY, ()))
LOCAL = (IPv4Network("198.51.100.8/32"),)
INTERFACES = (Interface(name="in0", side=Side.INSIDE), Interface(name="out0", side=Side.OUTSIDE))


def routed() -> Configuration:
    """A pair's primary with a virtual address, and a rule of its own beside the shared one."""
    made = configuration(1, ConfiguredRole.PRIMARY, (2,))
    assert made.stateful is not None
    (group,) = made.stateful.groups
    group = replace(group, virtual_addresses=(VirtualAddress(address=GATEWAY[0], interface=GATEWAY[1]),))
    (address,) = LOCAL[0]
    return replace(
        made,
        stateful=Stateful(nat_id=1, groups=(group,)),
        interfaces=INTERFACES,
        pools=(*made.pools, Pool(name="L", ranges=(AddressRange(address, address),), prefix_length=24)),
        dynamic_rules=(*made.dynamic_rules, DynamicRule(overload=True, access_list="2", pool="L")),
        access_lists=(*made.access_lists, AccessList(name="2")),
    )


def device_of(made: Configuration) -> Device:
    return Device(made, incarnation=1, terms={}, ports=random.Random(1), ttl_step=CAPTURE_TTL_STEP, now=0.0)


class World:
    """The kernel, the TUNs and the ARP announcements, all written down in one list; any can refuse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[Any] = []
        self.refusals: dict[str, KernelRefused] = {}
        self.addresses: dict[str, IPv4Address] = {}
        self.undone: dict[str, list[KernelChange]] = {}
        """What the kernel, or the host, finds that it must put back."""
        self.hindrances: list[KernelRefused] = []
        """What the kernel cannot put back."""
        self.whole = {"guard": True, "clamps": True}
        self.tuns: dict[str, World.Tun] = {}
        self.offload: Offload | None = None
        world = self

        class Kernel:
            def __init__(self, plan: KernelPlan) -> None:
                self.plan = plan
                self.changes: list[KernelChange] = []
                self.gone = frozenset({"in0"})

            def addresses(self) -> dict[str, IPv4Address]:
                return world.addresses

            def prepare(self) -> None:
                world.do("prepare", self.plan)

            def attach(self) -> None:
                world.do("attach")

            def restore(self, *, tables: bool) -> list[KernelRefused]:
                world.do("restore", tables)
                self.changes += world.undone.get("_kernel", [])
                return world.hindrances

            def claimed(self) -> Sequence[Any]:
                return (GATEWAY,)

            def has_whole_guard(self) -> bool:
                return world.whole["guard"]

            def check(self, addresses: Sequence[Any]) -> None:
                world.do("check", addresses)

            def claim(self, addresses: Sequence[Any], pools: Sequence[Any]) -> Sequence[Any]:
                world.do("claim", addresses, pools)
                return addresses

            def withdraw(self) -> None:
                world.do("withdraw")

            def take(self, link: str, addresses: Sequence[Any]) -> None:
                world.do("take", link, addresses)

            def leave(self, link: str) -> None:
                world.do("leave", link)

        class Arp:
            counters = GratuitousArpCounters()

            def __init__(self, _clock: object) -> None:
                pass

            def announce(self, addresses: Sequence[Any]) -> None:
                world.do("announce", addresses)

            def close(self) -> None:
                world.do("quiet for good")

            def withdraw(self) -> None:
                world.do("quiet")

        class Monitor:
            def __init__(self, _reactor: object, _restore: object, _ask_tables: object) -> None:
                pass

            def all_counters(self) -> dict[str, int]:
                return {"looks": 3}

            def start(self) -> None:
                world.do("watch")

            def stop(self) -> None:
                world.do("look away")

        class Host:
            """Says nothing of what every plan makes it do: tests/net/test_datapath_host.py listens."""

            def __init__(self) -> None:
                self.changes: list[KernelChange] = []

            def apply(self, plan: HostPlan) -> None:
                if plan.first:
                    world.do("host", plan)

            def restore(self, *, tables: bool) -> None:
                world.do("restore host", tables)
                self.changes += world.undone.get("_host", [])

            def has_whole_tables(self) -> bool:
                return world.whole["clamps"]

            def shut(self) -> None:
                pass

            def undo(self) -> None:
                pass

        monkeypatch.setattr(datapath, "Host", Host)
        monkeypatch.setattr(datapath, "KernelMonitor", Monitor)
        monkeypatch.setattr(datapath, "Kernel", Kernel)
        monkeypatch.setattr(datapath, "GratuitousArp", Arp)
        monkeypatch.setattr(datapath, "open_tun", self._open)
        monkeypatch.setattr(datapath, "Tun", self._tun)

    class Tun:
        """What the data path does with a TUN."""

        counters = TunCounters()

        def __init__(
            self,
            world: "World",
            name: str,
            received: Callable[[bytearray, int], None],
            late: Callable[[], bool],
        ) -> None:
            self.world = world
            self.name = name
            self.received = received
            self.late = late
            self.waiting: list[bytes] = []
            self.written: list[bytes] = []

        def serve(self) -> None:
            for data in self.waiting:
                buffer, length = packets.buffer(data)
                self.received(buffer, length)
            self.waiting.clear()

        def start(self) -> None:
            self.world.do("start", self.name)

        def close(self) -> None:
            self.world.do("close", self.name)

        def offload(self, wanted: Offload) -> None:
            self.world.offload = wanted

        def write(self, view: memoryview) -> None:
            self.written.append(bytes(view))

    def _open(self, name: str, offload: Offload) -> int:
        self.do("open", name)
        self.offload = offload
        return 7

    def _tun(
        self, _fd: int, name: str, _reactor: Any, received: Any, _batch_done: Any, _lost: Any, late: Any
    ) -> "World.Tun":
        self.tuns[name] = World.Tun(self, name, received, late)
        return self.tuns[name]

    def do(self, what: str, *details: Any) -> None:
        if what in self.refusals:
            raise self.refusals[what]
        self.done.append((what, *details) if details else what)

    @property
    def names(self) -> list[str]:
        return [one if isinstance(one, str) else one[0] for one in self.done]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.fixture
def path(world: World, reactor: Reactor) -> TunPath:
    live: Any = reactor
    return TunPath(device_of(routed()), live, lambda: None, lambda: None)


def started(path: TunPath, world: World) -> TunPath:
    path.start()
    world.done.clear()
    return path


def managing(path: TunPath, world: World) -> None:
    """Started, and with the role."""
    path.start()
    path.claim(groups_of(routed()))
    world.done.clear()


def groups_of(made: Configuration) -> tuple[Group, ...]:
    assert made.stateful is not None
    return made.stateful.groups


# The TUNs


def test_the_kernel_is_prepared_behind_open_tuns_and_checked_before_packets_are_read(
    world: World, path: TunPath
) -> None:
    path.start()
    assert world.done == [
        ("open", INSIDE_TUN),
        ("open", OUTSIDE_TUN),
        ("prepare", kernel_plan(routed())),
        "attach",
        ("check", (GATEWAY,)),
        "quiet",
        ("claim", (), LOCAL),
        ("announce", ()),
        ("start", INSIDE_TUN),
        ("start", OUTSIDE_TUN),
        "watch",
    ]


def test_the_plan_is_of_both_sides_and_all_pools() -> None:
    plan = kernel_plan(routed())
    assert (plan.inside, plan.outside) == (("in0",), ("out0",))
    assert plan.pool_networks == (*SHARED, *LOCAL)


@pytest.mark.parametrize("step", ["open", "prepare", "attach", "check"])
def test_a_start_that_is_refused_is_told_and_reads_no_packet(world: World, path: TunPath, step: str) -> None:
    world.refusals[step] = KernelRefused(f"no {step}", where="here", remedy="do that")
    with pytest.raises(KernelRefused, match=f"no {step} .here.: do that"):
        path.start()
    assert "start" not in world.names
    assert step not in world.names


def test_claims_are_of_exactly_the_groups_that_are_managed(world: World, path: TunPath) -> None:
    started(path, world)
    path.claim(groups_of(routed()))
    assert world.done == ["quiet", ("claim", (GATEWAY,), (*SHARED, *LOCAL)), ("announce", (GATEWAY,))]
    world.done.clear()
    path.claim(())
    assert world.done == ["quiet", ("claim", (), LOCAL), ("announce", ())]


def test_a_claim_that_is_refused_announces_nothing(world: World, path: TunPath) -> None:
    started(path, world)
    world.refusals["claim"] = KernelRefused("taken", where="in0", remedy="look")
    with pytest.raises(KernelRefused, match="taken"):
        path.claim(groups_of(routed()))
    assert world.names == ["quiet"]


def test_a_stop_withdraws_before_the_tuns_vanish(world: World, path: TunPath) -> None:
    started(path, world).stop()
    assert world.done == [
        "look away",
        "quiet for good",
        "withdraw",
        ("close", INSIDE_TUN),
        ("close", OUTSIDE_TUN),
    ]


def test_a_look_that_finds_all_well_announces_nothing(world: World, path: TunPath) -> None:
    managing(started(path, world), world)
    assert path.restore(False) == Restored(gone=frozenset({"in0"}), changes=[], refusals=[])
    assert world.done == [("restore host", False), ("restore", False)]


@pytest.mark.parametrize("who", ["_kernel", "_host"])
def test_what_was_put_back_is_told_and_announced(world: World, path: TunPath, who: str) -> None:
    managing(started(path, world), world)
    world.undone[who] = [KernelChange(Kind.RULES, "rule pref 1000")]
    assert path.restore(True).changes == world.undone[who]
    steps = [("restore host", True), ("restore", True)]
    assert world.done == [*steps, "quiet", ("announce", (GATEWAY,))]
    world.undone.clear()
    world.done.clear()
    assert path.restore(False).changes == [], "what was told is not told again"


def test_what_cannot_be_put_back_does_not_hinder_the_rest(world: World, path: TunPath) -> None:
    managing(started(path, world), world)
    address = KernelRefused("no address", where="in0", remedy="look")
    foreign = KernelRefused("a rule", where="pref 1000", remedy="move it")
    world.refusals["restore host"], world.hindrances = address, [foreign]
    world.undone["_kernel"] = [KernelChange(Kind.ROUTES, "route")]
    found = path.restore(False)
    assert (found.refusals, found.changes) == ([address, foreign], world.undone["_kernel"])
    assert world.done == [("restore", False), "quiet", ("announce", (GATEWAY,))]


@pytest.mark.parametrize("broken", [None, "guard", "clamps"])
def test_both_tables_of_nftables_are_asked_for(world: World, path: TunPath, broken: str | None) -> None:
    if broken:
        world.whole[broken] = False
    assert path._has_whole_tables() is (broken is None)


def test_another_configuration_is_followed_with_what_is_managed(world: World, path: TunPath) -> None:
    managing(path, world)
    wanted = replace(routed(), interfaces=(*INTERFACES, Interface(name="in1", side=Side.INSIDE)))
    path.configure(wanted, iter(groups_of(wanted)))
    assert world.done == [
        ("prepare", kernel_plan(wanted)),
        "attach",
        "quiet",
        ("claim", (GATEWAY,), (*SHARED, *LOCAL)),
        ("announce", (GATEWAY,)),
        ("check", (GATEWAY,)),
    ]


def test_another_virtual_address_is_claimed_while_the_role_is_held(world: World, path: TunPath) -> None:
    managing(path, world)
    wanted = with_virtual_address("10.0.0.2")
    path.configure(wanted, groups_of(wanted))
    other = (IPv4Address("10.0.0.2"), "in0")
    assert world.done[-3:] == [
        ("claim", (other,), (*SHARED, *LOCAL)),
        ("announce", (other,)),
        ("check", (other,)),
    ]
    path.configure(routed(), ())  # the role is gone with the group that held it
    assert ("claim", (), LOCAL) in world.done


def test_a_virtual_address_that_cannot_be_had_is_refused_though_another_manages(
    world: World, path: TunPath
) -> None:
    started(path, world)
    wanted = with_virtual_address("10.0.0.2")
    world.refusals["check"] = KernelRefused("is configured there already", where="in0", remedy="del")
    with pytest.raises(ConfigurationRefused, match="configured there already"):
        path.configure(wanted, ())
    assert path._configuration == routed()


def with_virtual_address(address: str) -> Configuration:
    made = routed()
    assert made.stateful is not None
    (group,) = groups_of(made)
    virtual = (VirtualAddress(address=IPv4Address(address), interface="in0"),)
    return replace(made, stateful=replace(made.stateful, groups=(replace(group, virtual_addresses=virtual),)))


def test_what_the_kernel_need_not_know_of_announces_nothing(world: World, path: TunPath) -> None:
    managing(path, world)
    path.configure(replace(routed(), hostname="other"), groups_of(routed()))
    assert world.done == []
    used = replace(routed(), dynamic_rules=())
    path.configure(used, groups_of(used))
    assert ("claim", (GATEWAY,), ()) in world.done, "a pool that no rule uses is not answered for"


@pytest.mark.parametrize("step", ["prepare", "attach", "claim", "check"])
def test_a_configuration_that_the_kernel_refuses_is_taken_back(
    world: World, path: TunPath, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Refused at any step: the kernel is told the old plan again, and the operator the first reason."""
    managing(path, world)
    wanted = replace(routed(), interfaces=(*INTERFACES, Interface(name="in9", side=Side.INSIDE)))
    do = world.do

    def refuse_new(what: str, *details: Any) -> None:
        if what == step and path._configuration == wanted:
            raise KernelRefused("no such interface", where="in9", remedy="make it")
        do(what, *details)

    monkeypatch.setattr(world, "do", refuse_new)
    with pytest.raises(ConfigurationRefused, match=r"no such interface \(in9\): make it"):
        path.configure(wanted, groups_of(wanted))
    assert world.done[-5:] == [
        ("prepare", kernel_plan(routed())),
        "attach",
        "quiet",
        ("claim", (GATEWAY,), (*SHARED, *LOCAL)),
        ("announce", (GATEWAY,)),
    ]


def test_the_first_reason_is_told_though_the_way_back_is_refused_too(world: World, path: TunPath) -> None:
    started(path, world)
    world.refusals["prepare"] = KernelRefused("first", where="a", remedy="b")
    with pytest.raises(ConfigurationRefused, match="first"):
        path.configure(replace(routed(), interfaces=()), ())


def test_packets_leave_by_the_other_tun_and_what_is_dropped_by_none(world: World, path: TunPath) -> None:
    started(path, world)
    path._device.translator.flows.manage(MAPPING, True, 0.0)
    inside, outside = world.tuns[INSIDE_TUN], world.tuns[OUTSIDE_TUN]
    filled, end = packets.buffer(packets.udp("10.0.0.5", 4000, "198.51.100.9", 53))
    inside.received(filled, end)
    (left,) = outside.written
    assert len(left) == end
    sent = packets.parse(bytearray(left), end)
    assert sent[IP].src in POOL
    filled, end = packets.buffer(packets.udp("198.51.100.9", 53, sent[IP].src, sent[UDP].sport))
    outside.received(filled, end)
    (back,) = inside.written
    assert packets.parse(bytearray(back), end)[IP].dst == "10.0.0.5"
    filled, end = packets.buffer(packets.udp("198.51.100.9", 53, POOL[0], 9))
    outside.received(filled, end)
    assert (len(inside.written), len(outside.written)) == (1, 1)


def pieces() -> list[IP]:
    """A datagram from inside in three fragments, the last first."""
    whole = packets.udp("10.0.0.5", 4000, "198.51.100.9", 53, bytes(500), flags=0)
    return list(fragment(whole, 200))[::-1]


def test_fragments_that_waited_are_written_after_the_first(world: World, path: TunPath) -> None:
    started(path, world)
    path._device.translator.flows.manage(MAPPING, True, 0.0)
    inside, outside = world.tuns[INSIDE_TUN], world.tuns[OUTSIDE_TUN]
    for piece in pieces():
        assert outside.written == []
        inside.received(*packets.buffer(piece))
    left = [packets.parse(bytearray(one), len(one)) for one in outside.written]
    assert [(one.src in POOL, one.frag) for one in left] == [(True, 0), (True, 25), (True, 50)]
    inside.received(*packets.buffer(packets.udp("10.0.0.5", 4000, "198.51.100.9", 53)))
    assert (len(outside.written), len(inside.written)) == (4, 0), "and only once"


def test_what_was_released_inwards_is_written_inside(world: World, path: TunPath) -> None:
    started(path, world)
    path._device.translator.more.append((Verdict.TO_INSIDE, b"one"))
    world.tuns[INSIDE_TUN].received(*packets.buffer(packets.udp("192.0.2.1", 1, "198.51.100.9", 53)))
    assert world.tuns[INSIDE_TUN].written == [b"one"]


def test_a_fragment_that_waits_is_forgotten_by_a_turn(world: World, path: TunPath) -> None:
    started(path, world)
    device = path._device
    device._next_keepalive = float("inf")
    assert device.next_deadline() > LIFETIME
    world.tuns[INSIDE_TUN].received(*packets.buffer(pieces()[0]))
    assert device.next_deadline() <= path._reactor.seconds() + LIFETIME
    device.turn(path._reactor.seconds() + LIFETIME)
    assert device.translator.counters.fragments_timed_out == 1


def test_counters_are_by_tun_and_for_arp(world: World, path: TunPath) -> None:
    assert set(path.counters()) == {"arp", "kernel"}
    assert set(started(path, world).counters()) == {INSIDE_TUN, OUTSIDE_TUN, "arp", "kernel"}


# Packets from before a role (replication.md 7, pitfall 25)


def test_a_role_begins_with_the_packets_that_come_then(world: World, path: TunPath) -> None:
    """One that waited passes if its flow is known, and opens none."""
    started(path, world)
    device, inside, outside = path._device, world.tuns[INSIDE_TUN], world.tuns[OUTSIDE_TUN]
    known, unknown = (bytes(packets.udp("10.0.0.5", port, "198.51.100.7", 53)) for port in (1024, 1025))
    device.translator.flows.manage(MAPPING, True, 0.0)
    buffer, length = packets.buffer(known)
    inside.received(buffer, length)
    inside.waiting = [known, unknown]
    written, refused = len(outside.written), device.translator.counters.not_managed
    path.claim(groups_of(routed()))
    assert len(outside.written) == written + 1
    assert device.translator.counters.not_managed == refused + 1
    assert len(device.table) == 1
    buffer, length = packets.buffer(unknown)
    inside.received(buffer, length)
    assert len(device.table) == 2


def test_packets_wait_as_before_when_a_role_goes(world: World, path: TunPath) -> None:
    managing(path, world)
    inside = world.tuns[INSIDE_TUN]
    inside.waiting = [bytes(packets.udp("10.0.0.5", 1024, "198.51.100.7", 53))]
    path.claim(())
    assert inside.waiting


def test_who_was_paused_asks_for_no_packet_that_waited(world: World, path: TunPath, reactor: Reactor) -> None:
    """Until it has heard what happened meanwhile; a router without groups has lost nothing."""
    started(path, world)
    late = world.tuns[OUTSIDE_TUN].late
    device = path._device
    device.turn(reactor.seconds())
    assert not late()
    reactor.advance(device.groups[0].configuration.hold_time * 3)
    assert late()
    device.turn(reactor.seconds())
    assert not late()
    reactor.advance(device.groups[0].configuration.hold_time * 3)
    device.groups.clear()
    assert not late()


# The capture


class Replay:
    """A capture of three flows from inside, and a device that manages nothing yet."""

    def __init__(self, reactor: Reactor, directory: Path) -> None:
        self.reactor = reactor
        self.source, self.target = directory / "in.pcap", directory / "out.pcap"
        self.device = device_of(configuration(1, ConfiguredRole.PRIMARY, (2,)))
        self.batches = 0
        self.path = CapturePath(self.device, reactor, self._done, self.source, self.target)

    def _done(self) -> None:
        self.batches += 1

    def write_source(self) -> None:
        wrpcap(
            str(self.source),
            [packets.udp("10.0.0.5", port, "198.51.100.9", 53) for port in (4000, 4001, 4002)],
        )

    def manage(self) -> None:
        group = self.device.groups[0]
        group._enter(Input.ALONE, 0.0)
        self.device.translator.flows.manage(MAPPING, True, self.reactor.seconds())


@pytest.fixture
def replay(reactor: Reactor, tmp_path: Path) -> Replay:
    return Replay(reactor, tmp_path)


def test_a_capture_waits_for_the_role_and_for_the_file(replay: Replay, reactor: Reactor, log: Log) -> None:
    replay.path.start()
    reactor.elapse(1.0)
    assert not replay.target.exists()
    replay.manage()
    reactor.elapse(1.0)
    assert not replay.target.exists()
    assert replay.path.counters() == {}
    replay.write_source()
    reactor.elapse(0.5)
    assert [packet[IP].src in POOL for packet in rdpcap(str(replay.target))] == [True] * 3
    assert replay.path.counters()["capture"]["written"] == 3
    assert replay.batches > 0
    assert log.lines("replayed ")
    replay.path.stop()
    assert reactor.waiting == []


def test_a_file_without_the_role_is_not_touched(replay: Replay, reactor: Reactor) -> None:
    replay.write_source()
    replay.target.write_bytes(b"precious")
    replay.path.start()
    reactor.elapse(1.0)
    assert replay.target.read_bytes() == b"precious"
    replay.path.stop()
    assert reactor.waiting == []


def test_what_is_no_capture_is_reported_and_the_target_is_not_touched(
    replay: Replay, reactor: Reactor, log: Log
) -> None:
    replay.source.write_bytes(b"not a capture at all")
    replay.target.write_bytes(b"precious")
    replay.manage()
    replay.path.start()
    (line,) = log.lines("replay of")
    assert "is no pcap or pcapng file" in line
    assert replay.target.read_bytes() == b"precious"
    replay.path.stop()
    assert reactor.waiting == []


def test_a_target_that_cannot_be_written_is_reported(replay: Replay, log: Log) -> None:
    replay.write_source()
    replay.target.mkdir()
    replay.manage()
    replay.path.start()
    (line,) = log.lines("replay of")
    assert "Is a directory" in line
    replay.path.stop()


def test_packets_to_a_pool_come_from_outside(replay: Replay, reactor: Reactor) -> None:
    wrpcap(
        str(replay.source),
        [
            packets.udp("10.0.0.5", 4000, "198.51.100.9", 53),
            packets.udp("198.51.100.9", 53, POOL[0], 1),  # nobody asked for it
        ],
    )
    replay.manage()
    replay.path.start()
    reactor.elapse(0.2)
    assert len(rdpcap(str(replay.target))) == 1
    assert replay.path.counters()["capture"]["dropped"] == 1
    replay.path.stop()


def test_fragments_that_waited_are_in_the_capture_after_the_first(replay: Replay, reactor: Reactor) -> None:
    wrpcap(str(replay.source), pieces())
    replay.manage()
    replay.path.start()
    reactor.elapse(0.2)
    left = rdpcap(str(replay.target))
    assert [(one[IP].src in POOL, one[IP].frag) for one in left] == [(True, 0), (True, 25), (True, 50)]
    counters = replay.path.counters()["capture"]
    assert (counters["dropped"], counters["written"]) == (2, 3)
    replay.path.stop()


def test_pools_are_those_of_the_mappings_asked_for() -> None:
    made = routed()
    assert global_networks(made) == (*SHARED, *LOCAL)
    assert global_networks(made, {MAPPING}) == SHARED
    assert global_networks(made, {0}) == LOCAL
    assert global_networks(made, set()) == ()


def test_a_verdict_that_drops_is_false() -> None:
    """The replay asks for a truth value."""
    assert [bool(one) for one in Verdict] == [one is not Verdict.DROP for one in Verdict]


# ip nat tun


def test_tuns_are_opened_with_the_offload_that_is_configured(world: World, reactor: Reactor) -> None:
    live: Any = reactor
    for wanted, offload in ((True, Offload.AUTO), (False, Offload.OFF)):
        made = replace(routed(), nat=Nat(tun_offload=wanted))
        TunPath(device_of(made), live, lambda: None, lambda: None).start()
        assert world.offload is offload


def test_offload_and_queue_change_while_packets_pass(world: World, path: TunPath) -> None:
    started(path, world)
    wanted = replace(routed(), nat=Nat(tun_offload=False, tun_queue=77))
    path.configure(wanted, ())
    changed = world.offload
    assert kernel_plan(wanted).queue == 77
    assert ("prepare", kernel_plan(wanted)) in world.done
    path.configure(routed(), ())
    assert (changed, world.offload) == (Offload.OFF, Offload.AUTO)


def test_offload_alone_is_followed_too(world: World, path: TunPath) -> None:
    started(path, world)
    path.configure(replace(routed(), nat=Nat(tun_offload=False)), ())
    assert world.offload is Offload.OFF


def test_a_rule_that_follows_an_hsrp_group_is_answered_for_while_it_is_active(
    world: World, reactor: Reactor
) -> None:
    made = routed()
    group = StandbyGroup(number=10, enabled=True, name="LAN")
    in0, *others = made.interfaces
    in0 = replace(in0, standby=Standby(groups=(group,)))
    rules = tuple(replace(rule, redundancy="LAN") if rule.mapping_id else rule for rule in made.dynamic_rules)
    live: Any = reactor
    device = device_of(replace(made, interfaces=(in0, *others), dynamic_rules=rules))
    path = TunPath(device, live, lambda: None, lambda: None)
    path.start()
    link = name_of("in0", 10)
    world.done.clear()
    path.take(link, (IPv4Address("10.0.0.1"),))
    assert ("claim", (), (*SHARED, *LOCAL)) in world.done
    path.claim(groups_of(routed()))
    assert ("claim", (GATEWAY,), (*SHARED, *LOCAL)) in world.done
    world.done.clear()
    path.leave(link)
    assert ("claim", (GATEWAY,), LOCAL) in world.done
