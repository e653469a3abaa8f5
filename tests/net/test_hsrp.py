"""HSRP and its interfaces: two routers on a cable of lists, with a clock of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from snat.config.interface import Interface, Standby, StandbyGroup, Track, TrackedObject
from snat.config.model import Configuration, Side
from snat.net import hsrp
from snat.net.hsrp import GATHER, Hsrp
from snat.net.hsrp_port import HsrpPortCounters
from snat.net.netlink import Link
from snat.net.refused import KernelRefused
from snat.net.virtual_links import name_of
from snat.redundancy.hsrp_events import Send
from snat.redundancy.hsrp_message import DESTINATIONS, Opcode, decode
from tests.net.memory import Log

VIRTUAL = IPv4Address("10.0.0.1")
GROUP = StandbyGroup(number=10, enabled=True, address=VIRTUAL, name="LAN", preempt=True, hello=0.2, hold=0.7)
LINK = name_of("in0", 10)
MAC = bytes((0, 0, 0x0C, 7, 0xAC, 10))


def configuration(priority: int = 100, **changes: Any) -> Configuration:
    group = replace(GROUP, priority=priority, **changes)
    standby = Standby(delay_minimum=0, delay_reload=0, groups=(group,))
    interfaces = (
        Interface(name="in0", side=Side.INSIDE, standby=standby),
        Interface(name="out0", side=Side.OUTSIDE),
    )
    return Configuration(interfaces=interfaces, tracked=(TrackedObject(number=1, interface="out0"),))


class Cable:
    """What routers send comes to the others, as soon as the test lets it."""

    def __init__(self) -> None:
        self.ports: list[Port] = []
        self.sent: list[Send] = []

    def carry(self, sender: "Port", hello: Send) -> None:
        self.sent.append(hello)
        for port in self.ports:
            if port is not sender:
                port.received(hello.data, hello.source)


class Port:
    """The sockets of an interface."""

    def __init__(self, cable: Cable, world: "World", index: int, received: Callable[..., None]) -> None:
        self.cable, self.world = cable, world
        self.index, self.version, self.lost = index, 1, False
        self.received = received
        self.counters = HsrpPortCounters()
        cable.ports.append(self)

    def close(self) -> None:
        self.cable.ports.remove(self)
        self.world.done.append("close")

    def send(self, hello: Send, own_mac_address: bytes) -> None:
        assert own_mac_address == self.world.links["in0"].mac_address
        self.cable.carry(self, hello)

    def announce(self, addresses: tuple[IPv4Address, ...], mac_address: bytes) -> None:
        self.world.done.append(f"announce {addresses[0]} {mac_address.hex()}")

    def answer(self, addresses: tuple[IPv4Address, ...], mac_address: bytes) -> None:
        self.world.done.append(f"answer {addresses[0]} {mac_address.hex()}")

    def silence(self, addresses: tuple[IPv4Address, ...]) -> None:
        self.world.done.append(f"silence {addresses[0]}")


class World:
    """One router's kernel, and what is done to it."""

    def __init__(self, cable: Cable, number: int, clock: MemoryReactorClock) -> None:
        self.done: list[str] = []
        self.links = {
            "in0": Link(
                index=2,
                name="in0",
                group=0,
                mtu=1500,
                kind="veth",
                mac_address=bytes((2, 0, 0, 0, 0, number)),
            ),
            "out0": Link(index=3, name="out0", group=0, mtu=1500, kind="veth"),
        }
        self.addresses = {"in0": IPv4Interface(f"10.0.0.{number + 1}/24")}
        self.cable = cable
        self.noticed: Callable[[], None] = lambda: None
        self.refusal: KernelRefused | None = None
        self.hsrp = Hsrp(clock, self, self._told, self._preempts)  # type: ignore[arg-type]

    def _told(self, name: str, active: bool) -> None:
        self.done.append(f"{name} {'active' if active else 'not active'}")

    def _preempts(self, name: str) -> None:
        self.done.append(f"{name} preempts")

    def take(self, link: str, addresses: tuple[IPv4Address, ...]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.done.append(f"take {link} {addresses[0]}")

    def leave(self, link: str) -> None:
        self.done.append(f"leave {link}")


class Net:
    """Routers, and their clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = MemoryReactorClock()
        self.cable = Cable()
        self.worlds = [World(self.cable, number, self.clock) for number in (1, 2)]
        self._at = self.worlds[0]
        monkeypatch.setattr(hsrp, "netlink", self._netlink)
        monkeypatch.setattr(hsrp, "subscribe", lambda: None)
        monkeypatch.setattr(hsrp, "KernelEvents", self._events)
        monkeypatch.setattr(hsrp, "HsrpPort", self._port)

    @contextmanager
    def _netlink(self) -> Iterator[Any]:
        world = self._at
        yield SimpleNamespace(links=world.links, addresses=lambda: list(world.addresses.items()))

    def _events(
        self, _socket: object, _reactor: object, noticed: Callable[[], None], _counters: object
    ) -> Any:
        self._at.noticed = noticed
        return SimpleNamespace(stop=lambda: None)

    def _port(
        self, _name: str, index: int, _version: int, _reactor: object, received: Callable[..., None]
    ) -> Port:
        return Port(self.cable, self._at, index, received)

    def configure(self, number: int, made: Configuration) -> World:
        self._at = world = self.worlds[number - 1]
        world.hsrp.configure(made)
        return world

    def changed(self, world: World) -> None:
        """The kernel tells of something."""
        self._at = world
        world.noticed()
        self.clock.advance(GATHER)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)

    def state(self, number: int) -> str:
        (one,) = self.worlds[number - 1].hsrp.status()
        return one.state


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    return Net(monkeypatch)


@pytest.fixture
def pair(net: Net) -> Net:
    net.configure(1, configuration(150))
    net.configure(2, configuration(100))
    net.run(3)
    assert (net.state(1), net.state(2)) == ("Active", "Standby")
    return net


def test_the_addresses_are_had_before_anybody_is_told(pair: Net) -> None:
    first, second = pair.worlds
    answer = f"answer {VIRTUAL} {MAC.hex()}"
    announce = f"announce {VIRTUAL} {MAC.hex()}"
    assert first.done[:4] == ["LAN active", f"take {LINK} {VIRTUAL}", answer, announce]
    assert set(first.done[4:]) == {announce}, "again: one may be lost"
    assert second.done == []


def test_hellos_of_the_active_come_from_the_virtual_mac_address(pair: Net) -> None:
    pair.cable.sent.clear()
    pair.run(1)
    by_source = {hello.source: hello for hello in pair.cable.sent}
    assert by_source[IPv4Address("10.0.0.2")].mac_address == MAC
    assert by_source[IPv4Address("10.0.0.3")].mac_address == b""
    assert {hello.destination for hello in pair.cable.sent} == {DESTINATIONS[1]}


def test_who_stops_resigns_after_it_has_left(pair: Net) -> None:
    first, second = pair.worlds
    first.done.clear()
    first.hsrp.stop()
    assert first.done == ["LAN not active", f"silence {VIRTUAL}", f"leave {LINK}", "close"]
    assert pair.state(2) == "Active", "at once, not after the hold time"
    assert "LAN active" in second.done
    first.hsrp.stop()


def test_an_interface_that_goes_down_is_left(pair: Net) -> None:
    first = pair.worlds[0]
    first.done.clear()
    first.links["in0"] = replace(first.links["in0"], running=False)
    pair.changed(first)
    assert pair.state(1) == "Init"
    assert f"leave {LINK}" in first.done
    assert "LAN not active" in first.done
    pair.run(2)
    assert pair.state(2) == "Active"
    first.links["in0"] = replace(first.links["in0"], running=True)
    pair.changed(first)
    pair.run(3)
    assert pair.state(1) == "Active"


def test_an_interface_that_is_created_anew_has_new_sockets(pair: Net) -> None:
    first = pair.worlds[0]
    first.done.clear()
    first.links["in0"] = replace(first.links["in0"], index=77)
    pair.changed(first)
    assert first.done == ["close"]
    assert [port.index for port in pair.cable.ports if port.world is first] == [77]
    pair.run(2)
    assert (pair.state(1), pair.state(2)) == ("Active", "Standby")


def test_an_interface_that_was_down_has_new_sockets(pair: Net) -> None:
    """The kernel ends packet sockets with it, and tells it to nobody but the reactor."""
    first = pair.worlds[0]
    for port in pair.cable.ports:
        port.lost = port.world is first
    first.done.clear()
    pair.changed(first)
    assert first.done == ["close"]
    assert [port.lost for port in pair.cable.ports if port.world is first] == [False]
    first.links["in0"] = replace(first.links["in0"], up=False)
    pair.changed(first)
    assert [port.world for port in pair.cable.ports] == [pair.worlds[1]]


@pytest.mark.parametrize("target", ["out0", "1"])
def test_a_tracked_interface_lowers_the_priority(net: Net, target: str) -> None:
    tracks = (Track(target=target, decrement=60),)
    first = net.configure(1, configuration(150, tracks=tracks))
    net.configure(2, configuration(100))
    net.run(3)
    assert net.state(1) == "Active"
    first.links["out0"] = replace(first.links["out0"], up=False)
    net.changed(first)
    net.run(3)
    assert net.state(2) == "Active"


def test_who_is_held_back_is_not_active_before_it_may_be(net: Net) -> None:
    first = net.worlds[0]
    first.hsrp.hold_back({"LAN"})
    net.configure(1, configuration(150))
    net.run(5)
    assert net.state(1) != "Active"
    first.hsrp.synchronise("LAN", True)
    net.run(3)
    assert net.state(1) == "Active"
    first.hsrp.hold_back({"LAN"})
    net.run(1)
    assert net.state(1) == "Active", "what was said of it stays"


def test_a_group_that_nobody_follows_any_more_is_held_back_no_more(net: Net) -> None:
    first = net.worlds[0]
    first.hsrp.hold_back({"LAN"})
    net.configure(1, configuration(150))
    first.hsrp.hold_back(set())
    net.run(3)
    assert net.state(1) == "Active"


def test_what_cannot_be_had_is_told(net: Net, log: Log) -> None:
    first = net.worlds[0]
    first.refusal = KernelRefused("no such TUN", where="interface snat-i", remedy="open it")
    net.configure(1, configuration(150))
    net.run(3)
    assert log.lines("no such TUN")


def test_states_are_in_the_log(pair: Net, log: Log) -> None:
    pair.worlds[0].hsrp.stop()
    assert log.lines("in0 Grp 10 state Standby -> Active")


def test_what_is_counted_is_named_by_interface(pair: Net) -> None:
    counters = pair.worlds[0].hsrp.counters()["hsrp in0"]
    assert counters["hellos_in"] > 0
    assert counters["hellos_out"] > 0
    assert counters["arp_answered"] == 0


def test_a_configuration_without_groups_listens_to_nothing(net: Net) -> None:
    world = net.configure(1, Configuration(interfaces=(Interface(name="in0"),)))
    assert world.hsrp.status() == ()
    assert net.cable.ports == []
    assert net.clock.getDelayedCalls() == []


def test_groups_that_are_taken_out_are_left(pair: Net) -> None:
    first = pair.worlds[0]
    first.done.clear()
    pair.configure(1, Configuration(interfaces=(Interface(name="in0"),)))
    assert f"leave {LINK}" in first.done
    assert [port.world for port in pair.cable.ports] == [pair.worlds[1]]
    assert pair.state(2) == "Active"


def test_who_preempts_asks_for_the_role_and_moves_no_address_before_it_has_it(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = net.worlds
    net.configure(2, configuration(100))
    net.run(3)
    first.hsrp.hold_back({"LAN"})
    net.configure(1, configuration(150))
    net.run(1)
    first.hsrp.synchronise("LAN", True)
    net.run(1)
    assert first.done.count("LAN preempts") >= 1
    assert (net.state(1), net.state(2)) == ("Standby", "Active")
    first.done.clear()
    second.done.clear()
    said: list[tuple[Opcode, str]] = []
    carry = net.cable.carry

    def carried(sender: Port, hello: Send) -> None:
        if sender.world is first:
            said.append((decode(hello.data, 1).message.opcode, " ".join(first.done)))
        carry(sender, hello)

    monkeypatch.setattr(net.cable, "carry", carried)
    first.hsrp.released("LAN")
    assert [opcode for opcode, _ in said] == [Opcode.COUP, Opcode.HELLO]
    assert " take snat-h" in said[0][1], "it has the addresses before it says a word"
    net.run(0.1)
    assert (net.state(1), net.state(2)) == ("Active", "Speak")
    assert "LAN not active" in second.done


def test_who_cannot_preempt_any_more_gives_the_role_back(net: Net) -> None:
    first = net.worlds[0]
    net.configure(2, configuration(100))
    net.run(3)
    first.hsrp.hold_back({"LAN"})
    net.configure(1, configuration(150))
    first.hsrp.synchronise("LAN", True)
    net.run(1)
    net.configure(2, configuration(200))
    net.run(0.5)
    first.done.clear()
    first.hsrp.released("LAN")
    assert first.done == ["LAN not active"]
    assert net.state(2) == "Active"


def test_a_group_that_nobody_follows_preempts_by_itself(net: Net) -> None:
    net.configure(2, configuration(100))
    net.run(3)
    first = net.configure(1, configuration(150))
    net.run(1)
    assert net.state(1) == "Active"
    assert "LAN preempts" not in first.done
