"""``debug ip nat`` and ``debug ip snat``, and the log of translations, on whole devices."""

import random
import re
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogLevel

from snat.config.access import AccessLine, AccessList, Ports
from snat.config.model import Configuration, ConfiguredRole, DynamicRule, Nat, StaticRule
from snat.device.device import Device
from snat.device.listed import permits
from snat.net.debugging import LINES_A_SECOND, Debugging
from snat.net.log import Budget
from snat.net.translation_log import LINES_A_SECOND as ENTRIES_A_SECOND
from snat.net.translation_log import TranslationLog
from snat.status import DebugStatus
from snat.translate.alg.reading import Rewrite
from snat.translate.translator import Translator
from tests.net.memory import Log, Member, Reactor, become_pair, pair
from tests.packets import buffer, echo, parse, tcp, udp
from tests.simulation.shape import configuration

INSIDE, OUTSIDE = "10.0.0.5", "198.51.100.7"
EVERY = IPv4Address("255.255.255.255")


def alone(*lists: AccessList) -> Configuration:
    """Translates for itself, without neighbors."""
    made = configuration(1, ConfiguredRole.PRIMARY, ())
    rule = DynamicRule(overload=True, access_list="1", pool="P")
    return replace(made, stateful=None, dynamic_rules=(rule,), access_lists=(*made.access_lists, *lists))


class Scene:
    """A device, its debugging and its log of translations."""

    def __init__(self, *lists: AccessList) -> None:
        self.clock = Clock()
        self.suppressed = 0
        self.configuration = alone(*lists)
        self.device = Device(
            self.configuration, incarnation=1, terms={}, ports=random.Random(1), ttl_step=1, now=0.0
        )
        self.debugging = Debugging(self.device, self.clock, lambda: self.configuration, self._count)
        self.entries = TranslationLog(self.device, self.clock, self._count)

    def _count(self, number: int) -> None:
        self.suppressed += number

    def send(self, packet: Any, *, from_outside: bool = False) -> Any:
        filled, end = buffer(packet)
        self.device.packet(filled, end, from_outside, self.clock.seconds())
        return parse(filled, end)


# --- debug ip nat


def test_packets_are_told_in_the_form_of_ios(log: Log) -> None:
    scene = Scene()
    scene.debugging.set(DebugStatus(nat=True))
    left = scene.send(udp(INSIDE, 40000, OUTSIDE, 53, id=6825))
    scene.send(udp(INSIDE, 40000, OUTSIDE, 53, id=6826))
    scene.send(udp(OUTSIDE, 53, left.src, left.sport, id=21852), from_outside=True)
    scene.send(udp(INSIDE, 40000, "10.0.0.6", 53, id=7, frag=9))
    assert log.lines() == [
        f"NAT: s={INSIDE}->{left.src}, d={OUTSIDE} [6825]",
        f"NAT*: s={INSIDE}->{left.src}, d={OUTSIDE} [6826]",
        f"NAT*: s={OUTSIDE}, d={left.src}->{INSIDE} [21852]",
        f"NAT: not translated, dropped s={INSIDE}, d=10.0.0.6 [7]",
    ]
    assert {event["log_level"] for event in log.events} == {LogLevel.debug}


def test_details_are_the_endpoints(log: Log) -> None:
    scene = Scene()
    scene.debugging.set(DebugStatus(nat=True, nat_detailed=True))
    left = scene.send(udp(INSIDE, 40000, OUTSIDE, 53, id=1))
    scene.send(udp(OUTSIDE, 53, left.src, left.sport, id=2), from_outside=True)
    assert log.lines() == [
        f"NAT: i: udp ({INSIDE}, 40000) -> ({OUTSIDE}, 53) [1]",
        f"NAT: s={INSIDE}->{left.src}, d={OUTSIDE} [1]",
        f"NAT*: o: udp ({OUTSIDE}, 53) -> ({left.src}, {left.sport}) [2]",
        f"NAT*: s={OUTSIDE}, d={left.src}->{INSIDE} [2]",
    ]


def test_what_is_routed_untranslated_is_not_told(log: Log) -> None:
    scene = Scene()
    scene.debugging.set(DebugStatus(nat=True))
    scene.send(udp("172.16.0.1", 1, OUTSIDE, 2))
    assert scene.device.translator.counters.passed == 1
    assert log.lines() == []


def test_nothing_is_asked_for_a_packet_while_nobody_looks(log: Log) -> None:
    scene = Scene()

    def bare() -> bool:
        translate: Any = scene.device._translate
        return translate.__func__ is Translator.translate

    assert bare()
    scene.debugging.set(DebugStatus(nat=True))
    assert not bare()
    scene.debugging.set(DebugStatus(snat=True))
    assert bare()
    scene.send(udp(INSIDE, 40000, OUTSIDE, 53))
    assert log.lines() == []
    assert scene.device.translator.counters.created == 1


def standard(name: str, *addresses: str, permit: bool = True) -> AccessList:
    return AccessList(
        name=name, lines=tuple(AccessLine(permit=permit, address=IPv4Address(one)) for one in addresses)
    )


@pytest.mark.parametrize(
    ("address", "shown"), [(INSIDE, True), (OUTSIDE, True), ("203.0.113.10", True), ("10.0.0.6", False)]
)
def test_a_list_chooses_packets_by_any_address_of_theirs(log: Log, address: str, shown: bool) -> None:
    scene = Scene(standard("LOOK", address))
    scene.debugging.set(DebugStatus(nat=True, nat_list="LOOK"))
    left = scene.send(udp(INSIDE, 40000, OUTSIDE, 53))
    scene.send(udp(OUTSIDE, 53, left.src, left.sport), from_outside=True)
    if address.startswith("203."):
        shown = left.src == address
    assert len(log.lines()) == (2 if shown else 0)


@pytest.mark.parametrize(
    ("address", "shown"),
    [("", True), (INSIDE, True), (OUTSIDE, True), ("203.0.113.9", True), ("10.0.0.6", False)],
)
def test_details_are_what_a_gateway_rewrote_too(log: Log, address: str, shown: bool) -> None:
    scene = Scene(standard("LOOK", *([address] if address else [])))
    flow = (
        bytes(16) + bytes([10, 0, 0, 5, 1, 2, 6, 203, 0, 113, 9, 1, 2]) + bytes([198, 51, 100, 7, 0, 21]) * 2
    )
    rewrite = Rewrite("ftp", flow, False, b"10,0,0,5,1,2", b"203,0,113,9,1,2")
    scene.debugging.set(DebugStatus(nat=True, nat_detailed=True, nat_list="LOOK" if address else ""))
    saw = scene.device.translator.reader.saw
    assert saw is not None
    saw(rewrite)
    line = f"NAT: ftp i: tcp ({INSIDE}, 258) [10,0,0,5,1,2] -> [203,0,113,9,1,2]"
    assert log.lines() == ([line] if shown else [])


def test_what_a_gateway_rewrote_is_a_detail() -> None:
    scene = Scene()
    scene.debugging.set(DebugStatus(nat=True))
    assert scene.device.translator.reader.saw is None


def test_a_list_that_is_removed_chooses_nothing(log: Log) -> None:
    scene = Scene(standard("LOOK", INSIDE))
    scene.debugging.set(DebugStatus(nat=True, nat_list="LOOK"))
    scene.configuration = alone()
    scene.send(udp(INSIDE, 40000, OUTSIDE, 53))
    assert log.lines() == []


LINE = AccessLine(permit=True, address=IPv4Address(0), wildcard=EVERY)
SEEN = bytes([10, 0, 0, 5, 198, 51, 100, 7]) + (40000).to_bytes(2, "big") + (80).to_bytes(2, "big")


@pytest.mark.parametrize(
    ("changes", "protocol", "detail", "permitted"),
    [
        ({}, 6, 2, True),
        ({"permit": False}, 6, 2, False),
        ({"protocol": 17}, 6, 2, False),
        ({"protocol": 6}, 6, 2, True),
        ({"address": IPv4Address("10.0.0.9"), "wildcard": IPv4Address("0.0.0.12")}, 6, 2, True),
        ({"address": IPv4Address("10.0.0.9"), "wildcard": IPv4Address("0.0.0.4")}, 6, 2, False),
        ({"destination": IPv4Address(OUTSIDE), "destination_wildcard": IPv4Address(0)}, 6, 2, True),
        ({"destination": IPv4Address(INSIDE), "destination_wildcard": IPv4Address(0)}, 6, 2, False),
        ({"destination_ports": Ports("eq", 80, 80)}, 6, 2, True),
        ({"destination_ports": Ports("neq", 80, 80)}, 6, 2, False),
        ({"destination_ports": Ports("range", 80, 90)}, 6, 2, True),
        ({"destination_ports": Ports("range", 81, 90)}, 6, 2, False),
        ({"ports": Ports("gt", 39999, 39999)}, 6, 2, True),
        ({"ports": Ports("lt", 40000, 40000)}, 6, 2, False),
        ({"established": True}, 6, 2, False),
        ({"established": True}, 6, 16, True),
        ({"established": True}, 17, 16, False),
        ({"icmp_type": 8}, 1, 8, True),
        ({"icmp_type": 8}, 1, 0, False),
    ],
)
def test_what_a_line_permits(changes: dict[str, Any], protocol: int, detail: int, permitted: bool) -> None:
    listed = AccessList(name="L", lines=(replace(LINE, **changes),))
    assert permits(listed, SEEN, protocol, detail) is permitted


def test_the_first_line_decides_and_none_means_deny() -> None:
    both = AccessList(name="L", lines=(replace(LINE, permit=False), LINE))
    assert not permits(both, SEEN, 6, 0)
    assert not permits(AccessList(name="L"), SEEN, 6, 0)


# --- too many


def test_lines_are_bounded_and_the_rest_is_counted(log: Log) -> None:
    scene = Scene()
    scene.debugging.set(DebugStatus(nat=True))
    for _ in range(LINES_A_SECOND + 50):
        scene.send(udp(INSIDE, 40000, OUTSIDE, 53))
    assert len(log.lines()) == LINES_A_SECOND
    scene.clock.advance(1.0)
    assert log.lines()[-1] == "50 lines of debugging in a second were too many and left out"
    assert scene.suppressed == 50
    scene.send(udp(INSIDE, 40000, OUTSIDE, 53))
    assert len(log.lines()) == LINES_A_SECOND + 2
    scene.debugging.stop()
    assert scene.clock.getDelayedCalls() == []


def test_a_budget_that_stops_tells_and_waits_for_nothing() -> None:
    clock = Clock()
    told: list[int] = []
    budget = Budget(clock, 2, told.append)
    assert [budget.take() for _ in range(4)] == [True, True, False, False]
    budget.stop()
    assert (told, clock.getDelayedCalls()) == ([2], [])
    clock.advance(1.0)
    assert budget.take()
    budget.stop()
    assert told == [2]


# --- debug ip snat


@pytest.fixture
def ready(reactor: Reactor, tmp_path: Path, authority: Path) -> tuple[Member, Member]:
    members = pair(reactor, tmp_path, authority)
    become_pair(reactor, *members)
    return members


def test_messages_are_told_on_their_way(reactor: Reactor, ready: tuple[Member, Member], log: Log) -> None:
    first, second = ready
    first.service.debugging.set(DebugStatus(snat=True))
    first.traffic(1)
    reactor.settle()
    assert "SNAT (Send):Enqueuing SYNC Message for Router-Id 2" in log.lines()
    assert not log.lines("write2net")
    first.service.debugging.set(DebugStatus())
    log.events.clear()
    second.service.debugging.set(DebugStatus(snat=True))
    first.traffic(1, first=5000)
    reactor.settle()
    assert log.lines() == [
        "SNAT (readfromnet):Enqueuing SYNC Message msg to readQ",
        "SNAT (Receive):Processed SYNC Message from Router-Id:1 for Router-Id:1's entry/entries",
    ]


def test_keepalives_and_what_is_written_are_details(
    reactor: Reactor, ready: tuple[Member, Member], log: Log
) -> None:
    first, _ = ready
    first.service.debugging.set(DebugStatus(snat=True))
    reactor.elapse(1.0)
    assert not log.lines("KEEPALIVE")
    first.service.debugging.set(DebugStatus(snat_detailed=True))
    reactor.elapse(1.0)
    assert "SNAT (Send):Enqueuing KEEPALIVE Message for Router-Id 2" in log.lines()
    assert log.lines("SNAT(write2net):192.168.77.1 <---> 192.168.77.2 send message")
    written = re.compile(r"SNAT\(write2net\):ver 1, id 1, opcode 11, len [0-9]+")
    assert any(written.fullmatch(line) for line in log.lines())


def test_links_made_later_are_watched_too(reactor: Reactor, ready: tuple[Member, Member], log: Log) -> None:
    first, _ = ready
    first.service.debugging.set(DebugStatus(snat=True))
    first.service.clear_sessions(None)
    reactor.run_until(lambda: first.ready)
    assert "SNAT:Establish TCP peers for PRIMARY" in log.lines()
    log.events.clear()
    first.traffic(1)
    reactor.settle()
    assert log.lines("Enqueuing SYNC")


# --- ip nat log translations syslog


def told(log: Log) -> list[tuple[str, str]]:
    """What the log says of entries: mnemonic and text."""
    named = zip((event.get("mnemonic", "") for event in log.events), log.lines(), strict=True)
    return [(mnemonic, line) for mnemonic, line in named if mnemonic.startswith("IPNAT-6")]


def test_entries_are_told_when_they_are_made_and_when_they_end(log: Log) -> None:
    scene = Scene()
    scene.entries.configure(Nat(log_translations=True))
    left = scene.send(tcp(INSIDE, 40000, OUTSIDE, 80))
    scene.send(tcp(OUTSIDE, 80, left.src, left.sport, "SA"), from_outside=True)  # an update
    text = f"tcp {INSIDE}:40000 {left.src}:{left.sport} {OUTSIDE}:80 {OUTSIDE}:80"
    assert told(log) == [("IPNAT-6-CREATED", text)]
    scene.device.clear(scene.clock.seconds())
    assert told(log)[1:] == [("IPNAT-6-DELETED", text)]
    scene.entries.configure(Nat())
    scene.send(echo(INSIDE, OUTSIDE, 9))
    assert len(told(log)) == 2


def test_entries_of_static_rules_are_not_told(log: Log) -> None:
    scene = Scene()
    scene.entries.configure(Nat(log_translations=True))
    static = StaticRule(local=IPv4Address(INSIDE), global_=IPv4Address("192.0.2.77"))
    changed = replace(scene.configuration, static_rules=(static,))
    for configured in (changed, scene.configuration):
        scene.device.configure(configured, 1.0)
    assert told(log) == []
    scene.device.configure(changed, 1.0)
    scene.send(udp(INSIDE, 40000, OUTSIDE, 53))
    assert [line.split()[2] for _, line in told(log)] == ["192.0.2.77:40000"]


def test_bind_only_tells_of_the_first_flow_of_an_endpoint_and_of_the_last(log: Log) -> None:
    scene = Scene()
    scene.entries.configure(Nat(log_translations=True, log_bind_only=True))
    left = scene.send(udp(INSIDE, 40000, OUTSIDE, 53))
    scene.send(udp(INSIDE, 40000, OUTSIDE, 54))
    text = f"udp {INSIDE}:40000 {left.src}:{left.sport} 0.0.0.0:0 0.0.0.0:0"
    assert told(log) == [("IPNAT-6-CREATED", text)]
    first, second = scene.device.table.records()
    scene.device.table.remove([first])
    assert len(told(log)) == 1
    scene.device.table.add([first])
    assert len(told(log)) == 1
    scene.device.table.remove([first, second])
    assert told(log)[1:] == [("IPNAT-6-DELETED", text)]
    scene.device.table.add([first, second])
    assert told(log)[2:] == [("IPNAT-6-CREATED", text)]


def test_of_shared_entries_the_manager_alone_tells(
    reactor: Reactor, ready: tuple[Member, Member], log: Log
) -> None:
    for member in ready:
        running = member.service.running_configuration()
        logged = replace(running.nat, log_translations=True)
        member.service.apply(replace(running, nat=logged))
    ready[0].traffic(3)
    reactor.settle()
    assert ready[1].table == ready[0].table
    assert [mnemonic for mnemonic, _ in told(log)] == ["IPNAT-6-CREATED"] * 3


def test_lines_about_entries_are_bounded(log: Log) -> None:
    scene = Scene()
    scene.entries.configure(Nat(log_translations=True))
    scene.send(udp(INSIDE, 40000, OUTSIDE, 53))
    (record,) = scene.device.table.records()
    log.events.clear()
    for _ in range(ENTRIES_A_SECOND):
        scene.entries.changed([], [record])
    scene.entries.stop()
    assert len(told(log)) == ENTRIES_A_SECOND - 1
    assert scene.suppressed == 1
    assert log.lines()[-1] == "1 lines about entries in a second were too many and left out"
