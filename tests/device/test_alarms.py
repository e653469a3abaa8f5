"""Each alarm is in the log once when it begins and once when it ends, however long it lasts."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from snat.config.model import ConfiguredRole
from snat.device import report
from tests.device.groups import FEED, neighbor, queued, settled, to
from tests.records import record
from tests.simulation.network import Network

Cause = Callable[[Network, pytest.MonkeyPatch], AbstractContextManager[None]]


@pytest.fixture
def network() -> Network:
    """R1 manages, R2 listens; everything they log is kept."""
    network = Network(5, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP}, trace=[])
    network.run_until(network.quiet)
    network.run(1.0)
    return network


def logged(network: Network, begin: str) -> list[str]:
    """What the log says after ``begin``, each line once for each time."""
    return [line.split(begin, 1)[1] for line in network.trace or () if begin in line]


@contextmanager
def silent(network: Network, _: pytest.MonkeyPatch) -> Iterator[None]:
    network.part(1, 2)
    yield
    network.heal()


@contextmanager
def down(network: Network, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """R2 cannot dial."""
    with patch.context() as patched:
        patched.setattr(network, "_apart", lambda dialler, _: dialler.nat_id == 2)
        network.routers[2].wires[to(network.routers[2], 1)].cut()
        yield


@contextmanager
def slow_member(network: Network, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """R2 applies nothing of what it receives."""
    with patch.context() as patched:
        patched.setattr(network.routers[2].device, "_apply_inbound", lambda _: None)
        network.routers[1].device.table.add([record(1)])
        network.routers[1].settle()
        yield


@contextmanager
def lost_message(network: Network, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """R2 misses a message and is not answered."""
    router = network.routers[1]
    with patch.context() as patched:
        patched.setattr(router.device, "_serve", lambda: None)
        router.device.table.add([record(1)])
        router.device.turn(network.now)
        assert len(queued(to(router, 2))) == 1
        yield


@contextmanager
def wrong_digest(network: Network, _: pytest.MonkeyPatch) -> Iterator[None]:
    """No dump of R1 is what R1 says that it is."""
    digest = network.routers[1].device.groups[0].feeds[FEED].digest
    digest.value ^= 1
    yield
    digest.value ^= 1


@contextmanager
def other_configuration(network: Network, _: pytest.MonkeyPatch) -> Iterator[None]:
    router = network.routers[2]
    was = router.configuration
    router.device.configure(
        replace(was, nat=replace(was.nat, timeouts=replace(was.nat.timeouts, udp=30))), network.now
    )
    yield
    router.device.configure(was, network.now)


@contextmanager
def slow_keepalive(network: Network, _: pytest.MonkeyPatch) -> Iterator[None]:
    other = neighbor(network.routers[1], 2)
    was = other.hello
    assert was is not None
    other.hello = was._replace(keepalive=600)
    yield
    other.hello = was


@contextmanager
def nobody_to_learn_from(network: Network, _: pytest.MonkeyPatch) -> Iterator[None]:
    for router in network.routers.values():
        router.kill()
    network.routers[1].start()
    network.run_until(lambda: network.routers[1].manages)
    yield
    network.routers[2].start()


@pytest.mark.parametrize(
    ("cause", "router", "text"),
    [
        (silent, 1, r"r2\.example is silent"),
        (silent, 2, r"r1\.example is silent"),
        (down, 1, r"the link from r2\.example is down"),
        (down, 2, r"the link to r1\.example is down"),
        (slow_member, 1, r"r2\.example lags by 1 messages, [123] s, in mapping 10"),
        (lost_message, 1, r"r2\.example lags by 1 messages, [123] s, in mapping 10"),
        (lost_message, 2, r"mapping 10 lags by 1 messages, [123] s"),
        (wrong_digest, 2, r"mapping 10 has diverged: \d repairs did not make it equal"),
        (other_configuration, 2, r"mapping 10 is configured differently on r1\.example"),
        (slow_keepalive, 1, r"r2\.example sends a keepalive every 600 ms: the hold time here is not longer"),
        (
            nobody_to_learn_from,
            1,
            r"unverified: .* without a synchronised member to learn from",
        ),
    ],
)
def test_an_alarm_is_in_the_log_when_it_begins_and_when_it_ends(
    network: Network, monkeypatch: pytest.MonkeyPatch, cause: Cause, router: int, text: str
) -> None:
    def found(begin: str) -> int:
        return sum(re.fullmatch(text, line) is not None for line in logged(network, f"R{router} {begin}: "))

    with cause(network, monkeypatch):
        network.run(3.0)
        assert (found("alarm"), found("alarm over")) == (1, 0)
        (group,) = report.groups(network.routers[router].device, network.now)
        assert [one for one in group.alarms if re.fullmatch(text, one)]
    network.run(10.0)
    assert (found("alarm"), found("alarm over")) == (1, 1)
    assert network.quiet()
    settled(network)
    assert [report.groups(one.device, network.now)[0].alarms for one in network.routers.values()] == [(), ()]


def test_a_start_is_no_alarm_and_nobody_there_is_one_after_the_hold_time(network: Network) -> None:
    assert logged(network, "alarm") == []
    for router in network.routers.values():
        router.kill()
    network.routers[1].start()
    network.run(0.5)
    assert logged(network, "alarm") == []
    network.run(0.5)
    assert logged(network, "alarm: ") == ["r2.example is silent"]


def test_a_silent_neighbor_is_said_to_be_silent_and_no_more(network: Network) -> None:
    """That its links are down and that it lags is no news."""
    router = network.routers[1]
    network.routers[2].kill(silently=True)
    router.device.table.add([record(1)])
    router.settle()
    network.run(3.0)
    assert logged(network, "alarm: ") == ["r2.example is silent"]
