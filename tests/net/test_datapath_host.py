"""What the data paths make of ``ip address``, ``shutdown`` and the like: in which order, and the way back."""

from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from snat.config.interface import Standby, StandbyGroup
from snat.config.model import Configuration, Interface, InterfaceAddress, Side
from snat.config.refused import ConfigurationRefused
from snat.net import datapath
from snat.net.capture_path import CapturePath
from snat.net.datapath import TunPath
from snat.net.host_plan import HostPlan
from snat.net.kernel_change import KernelChange
from snat.net.refused import KernelRefused
from tests.net.memory import Reactor
from tests.net.test_datapath import World, device_of, groups_of, routed

REFUSED = KernelRefused("no", where="here", remedy="do that")


def addressed() -> Configuration:
    made = routed()
    given = (InterfaceAddress(IPv4Interface("203.0.113.2/24")),)
    out0 = Interface(name="out0", side=Side.OUTSIDE, addresses=given, shutdown=False)
    return replace(made, interfaces=(made.interfaces[0], out0))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(monkeypatch)

    class Host:
        def __init__(self) -> None:
            self.changes: list[KernelChange] = []

        def apply(self, plan: HostPlan) -> None:
            made.do("host", bool(plan.first))

        def shut(self) -> None:
            made.do("shut")

        def undo(self) -> None:
            made.do("undo")

    monkeypatch.setattr(datapath, "Host", Host)
    return made


@pytest.fixture
def path(world: World, reactor: Reactor) -> TunPath:
    live: Any = reactor
    return TunPath(device_of(routed()), live, lambda: None, lambda: None)


def test_addresses_come_first_and_interfaces_go_down_last(world: World, path: TunPath) -> None:
    path.start()
    steps = ["open", "open", "host", "prepare", "attach", "check", "quiet", "claim", "announce", "shut"]
    assert world.names == [*steps, "start", "start", "watch"]


@pytest.mark.parametrize("step", ["host", "prepare", "attach", "check", "claim", "shut"])
def test_a_start_that_is_refused_takes_the_addresses_back(world: World, path: TunPath, step: str) -> None:
    world.refusals[step] = REFUSED
    with pytest.raises(KernelRefused, match=r"no \(here\)"):
        path.start()
    assert world.names[-1] == "undo"
    assert "start" not in world.names


def test_other_addresses_are_followed_and_the_kernel_is_looked_at_again(world: World, path: TunPath) -> None:
    path.start()
    world.done.clear()
    path.configure(addressed(), groups_of(addressed()))
    assert world.names[:3] == ["host", "prepare", "attach"]
    assert world.names[-1] == "shut"
    assert world.done[0] == ("host", True)


@pytest.mark.parametrize("step", ["host", "prepare", "attach", "claim", "shut"])
def test_addresses_that_are_refused_are_taken_back_before_the_rest(
    world: World, path: TunPath, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path.start()
    world.done.clear()
    wanted, do = addressed(), world.do

    def refuse_new(what: str, *details: Any) -> None:
        if what == step and path._configuration == wanted:
            raise REFUSED
        do(what, *details)

    monkeypatch.setattr(world, "do", refuse_new)
    with pytest.raises(ConfigurationRefused, match="do that"):
        path.configure(wanted, groups_of(wanted))
    back = world.names[world.names.index("undo") :]
    assert back[:4] == ["undo", "host", "prepare", "attach"]
    assert ("host", False) in world.done


def capture(made: Configuration, reactor: Reactor, directory: Path) -> CapturePath:
    paths = directory / "in.pcap", directory / "out.pcap"
    return CapturePath(device_of(made), reactor, lambda: None, *paths)


def test_a_capture_leaves_the_kernel_alone_and_says_so(reactor: Reactor, tmp_path: Path) -> None:
    match = r"--pcap.*\(interface out0\): leave out ip address"
    with pytest.raises(KernelRefused, match=match):
        capture(addressed(), reactor, tmp_path).start()
    running = capture(routed(), reactor, tmp_path)
    with pytest.raises(ConfigurationRefused, match=match):
        running.configure(addressed(), ())


def test_a_capture_has_no_interfaces_for_hsrp(reactor: Reactor, tmp_path: Path) -> None:
    group = StandbyGroup(number=10, enabled=True)
    in0 = Interface(name="in0", side=Side.INSIDE, standby=Standby(groups=(group,)))
    with pytest.raises(KernelRefused, match=r"--pcap.*\(interface in0\).*HSRP groups"):
        capture(replace(routed(), interfaces=(in0,)), reactor, tmp_path).start()
