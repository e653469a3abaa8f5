"""Errors of our own leave by the data path, towards who is told."""

from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.utils import rdpcap, wrpcap

from snat.config.model import Configuration, Interface, InterfaceAddress, Side
from snat.device.own_address import inside_address, silent_sides
from snat.net.datapath import TunPath
from snat.net.kernel_plan import INSIDE_TUN, OUTSIDE_TUN
from snat.translate.packet import START
from tests import packets
from tests.net.memory import Reactor
from tests.net.test_datapath import GATEWAY, Replay, World, device_of, routed, started
from tests.simulation.network import MAPPING, POOL
from tests.translate.errors import sums_are_right

INSIDE, OUTSIDE = "10.0.0.5", "198.51.100.9"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.fixture
def path(world: World, reactor: Reactor) -> TunPath:
    live: Any = reactor
    made = started(TunPath(device_of(routed()), live, lambda: None, lambda: None), world)
    made._device.translator.flows.manage(MAPPING, True, 0.0)
    return made


def test_who_sent_a_packet_that_ends_here_is_told_by_the_tun_it_came_from(
    world: World, path: TunPath
) -> None:
    inside, outside = world.tuns[INSIDE_TUN], world.tuns[OUTSIDE_TUN]
    for tun, packet, source in (
        (inside, packets.udp(INSIDE, 4000, OUTSIDE, 53, ttl=1), str(GATEWAY[0])),
        (outside, packets.udp(OUTSIDE, 53, POOL[0], 4000, ttl=1), POOL[0]),
    ):
        tun.received(*packets.buffer(packet))
        (written,) = tun.written
        assert written[:START] == bytes(START)
        answer = IP(written[START:])
        assert (answer.src, answer.dst, answer[ICMP].type) == (source, packet.src, 11)
        tun.written.clear()
    assert inside.written == outside.written == []
    assert path._device.translator.more == []
    assert path._device.counters()["own_errors"]["time_exceeded"] == 2


def test_a_replay_writes_them_after_the_packet(reactor: Reactor, tmp_path: Path) -> None:
    replay = Replay(reactor, tmp_path)
    wrpcap(
        str(replay.source),
        [packets.udp(INSIDE, 4000, OUTSIDE, 53, ttl=ttl) for ttl in (64, 1, 63)],
    )
    replay.manage()
    replay.path.start()
    reactor.elapse(0.5)
    sent = rdpcap(str(replay.target))
    assert [ICMP in packet for packet in sent] == [False, True, False]
    answer = bytes(sent[1][IP])
    assert sums_are_right(answer)
    assert IP(answer).dst == INSIDE
    replay.path.stop()


def test_inside_hosts_know_the_virtual_address_else_that_of_an_interface() -> None:
    assert inside_address(routed()) == GATEWAY[0].packed
    assert inside_address(Configuration()) is None
    given = (InterfaceAddress(IPv4Interface("10.0.0.9/24")),)
    bare = Interface(name="in1", side=Side.INSIDE)
    made = replace(
        Configuration(),
        interfaces=(
            replace(bare, name="out0", side=Side.OUTSIDE, addresses=given),
            bare,
            replace(bare, name="in2", addresses=(InterfaceAddress(IPv4Interface("10.2.0.9/24")), *given)),
        ),
    )
    assert inside_address(made) == bytes((10, 2, 0, 9))


def test_another_configuration_has_another_address() -> None:
    device = device_of(routed())
    assert device.translator.own_errors.inside_address == GATEWAY[0].packed
    device.configure(replace(routed(), stateful=None), 0.0)
    assert device.translator.own_errors.inside_address is None


def test_i9_a_side_is_silent_if_one_of_its_interfaces_is() -> None:
    inside, outside = (Interface(name=side.value, side=side) for side in Side)
    mute = [replace(one, name=f"{one.name}1", unreachables=False) for one in (inside, outside)]
    nowhere = Interface(name="eth9", unreachables=False)
    for interfaces, silent in (
        ((inside, outside, nowhere), set()),
        ((inside, outside, mute[0]), {False}),
        ((inside, outside, mute[1]), {True}),
        ((inside, outside, *mute), {False, True}),
    ):
        assert silent_sides(replace(Configuration(), interfaces=interfaces)) == silent


def test_i9_another_configuration_turns_them_off_and_on() -> None:
    device = device_of(routed())
    assert device.translator.own_errors.silent == frozenset()
    configured = routed()
    muted = Interface(name="eth9", side=Side.OUTSIDE, unreachables=False)
    device.configure(replace(configured, interfaces=(*configured.interfaces, muted)), 0.0)
    assert device.translator.own_errors.silent == {True}
    device.configure(configured, 0.0)
    assert device.translator.own_errors.silent == frozenset()
    assert device_of(replace(configured, interfaces=(muted,))).translator.own_errors.silent == {True}
