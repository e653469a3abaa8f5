"""What the data path tells the device, and the kernel, of an address that the router shares."""

from ipaddress import IPv4Address
from typing import Any

import pytest

from cli.configuration_file import read_configuration
from snat.nat.own_ports import OwnPorts
from snat.nat.tracking import UDP
from snat.net import datapath
from snat.net.datapath import TunPath
from tests.net.memory import Reactor
from tests.net.test_datapath import World, device_of
from tests.packets import buffer, parse, udp

ADDRESS, OTHER = IPv4Address("203.0.113.1"), IPv4Address("203.0.113.77")
SERVER = "198.51.100.10"
TEXT = """\
interface in0
 ip nat inside
interface out0
 ip nat outside
access-list 1 permit 10.0.0.0 0.0.0.255
ip nat inside source list 1 interface out0 overload
"""


class Shared:
    """A data path in a kernel that can change."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = World(monkeypatch)
        self.own = OwnPorts()
        monkeypatch.setattr(datapath, "own_ports", lambda: self.own)
        self.world.addresses = {"in0": IPv4Address("10.0.0.1"), "out0": ADDRESS}
        self.device = device_of(read_configuration(TEXT, "test")[0])
        live: Any = Reactor()
        self.path = TunPath(self.device, live, lambda: None, lambda: None)
        self.path.start()

    def planned(self) -> tuple[IPv4Address, ...]:
        """The addresses that the kernel is to bring to us."""
        return self.path._kernel.plan.own

    def seen(self, port: int) -> tuple[str, int] | None:
        """What an outside host sees of an inside one's port; None: nothing."""
        filled, end = buffer(udp("10.0.0.2", port, SERVER, 53))
        if not self.device.packet(filled, end, False, 1.0):
            return None
        packet = parse(filled, end)
        return packet.src, packet.sport


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Shared:
    return Shared(monkeypatch)


def test_the_address_is_the_one_that_the_kernel_has(shared: Shared) -> None:
    assert shared.planned() == (ADDRESS,)
    assert shared.seen(5000) == (str(ADDRESS), 5000)


def test_a_look_follows_another_address(shared: Shared) -> None:
    shared.world.addresses = {"out0": OTHER}
    shared.path.restore(False)
    assert shared.planned() == (OTHER,)
    assert shared.seen(5000) == (str(OTHER), 5000)


def test_without_an_address_nothing_is_translated_and_nothing_brought_to_us(shared: Shared) -> None:
    shared.world.addresses = {"in0": IPv4Address("10.0.0.1")}
    shared.path.restore(False)
    assert shared.planned() == ()
    assert shared.seen(5000) is None
    assert shared.device.translator.counters.no_address == 1


def test_a_look_finds_what_the_router_began_to_listen_at(shared: Shared) -> None:
    assert shared.seen(5000) == (str(ADDRESS), 5000)
    shared.own = OwnPorts([(UDP, 5001)])
    shared.path.restore(False)
    seen = shared.seen(5001)
    assert seen is not None
    assert seen[1] != 5001
