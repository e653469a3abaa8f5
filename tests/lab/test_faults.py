"""The faults of a laboratory: every one ends with all as it was."""

from dataclasses import dataclass, field

import pytest

from snat.lab.failover import ARRANGEMENTS
from snat.lab.faults import FAULTS, MORE

SCRIPTS = [(one.routers, fault) for one in ARRANGEMENTS.values() for fault in one.possible]


def hosts(count: int) -> list[str]:
    return [f"r{number}" for number in range(1, count + 1)]


@pytest.mark.parametrize(("count", "fault"), SCRIPTS)
def test_a_fault_ends_with_the_first_router_managing_and_all_together(count: int, fault: str) -> None:
    steps = FAULTS[fault](hosts(count))
    assert steps[-1].whole
    assert steps[-1].everything
    assert steps[-1].manager == "r1"
    assert len({step.name for step in steps}) == len(steps)
    assert {step.manager for step in steps} <= set(hosts(count))


@pytest.mark.parametrize(
    ("fault", "manager"),
    [("kill", "r2"), ("inside", "r2"), ("outside", "r2"), ("replication", "r1"), ("partition", "r1")],
)
def test_the_role_moves_only_where_the_traffic_needs_it(fault: str, manager: str) -> None:
    assert FAULTS[fault](hosts(3))[0].manager == manager


@dataclass
class Recorded:
    """In the place of a site, its network and its traffic."""

    done: list[tuple[object, ...]] = field(default_factory=list)

    @property
    def network(self) -> "Recorded":
        return self

    @property
    def traffic(self) -> "Recorded":
        return self

    def link(self, host: str, interface: str, *, up: bool) -> None:
        self.done.append((host, interface, up))

    def part(self, segment: str, cut_off: list[str]) -> None:
        self.done.append((segment, *cut_off))

    def heal(self, segment: str) -> None:
        self.done.append((segment,))

    def open_more(self, flows: int) -> None:
        self.done.append((flows,))


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        ("inside", [("r1", "in0", False), ("r1", "in0", True)]),
        ("outside", [("r1", "out0", False), ("r1", "out0", True)]),
        ("replication", [("r1", "rep0", False), (MORE,), ("r1", "rep0", True)]),
        ("partition", [("replication", "r1"), (MORE,), ("replication",)]),
    ],
)
def test_what_a_fault_of_the_network_does(fault: str, done: list[tuple[object, ...]]) -> None:
    site = Recorded()
    for step in FAULTS[fault](hosts(3)):
        step.do(None, site)  # type: ignore[arg-type]
    assert site.done == done
