"""Dialling: addresses in turn, and a back-off that only an established session resets."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from snat.config.model import ConfiguredRole, Peer, Stateful
from snat.net import tls
from snat.net.neighbor import ABSENT_DELAY, CONNECT_TIME, FIRST_DELAY
from tests.net.memory import PORT, Log, Member, Reactor, address, configured, pair, trustpoint
from tests.net.strangers import waits

PROOF = 5.0
"""Seconds that a dial waits for TCP and TLS."""


@pytest.fixture
def first(reactor: Reactor, tmp_path: Path, authority: Path) -> Member:
    return Member(reactor, tmp_path / "r1", configured(1, ConfiguredRole.PRIMARY, (2,), authority))


def fixed(monkeypatch: pytest.MonkeyPatch, jitter: Callable[[float, float], float]) -> None:
    monkeypatch.setattr("snat.net.neighbor.random.uniform", jitter)


def delays(reactor: Reactor) -> list[float]:
    return [round(b - a, 2) for (a, _), (b, _) in zip(reactor.dials, reactor.dials[1:], strict=False)]


def test_the_delay_doubles_up_to_the_last(
    reactor: Reactor, first: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed(monkeypatch, lambda *_: 1.0)
    first.service.startService()
    reactor.elapse(10.0, step=0.01)
    found = delays(reactor)
    wanted = [min(FIRST_DELAY * 2**number, ABSENT_DELAY) for number in range(len(found))]
    assert len(found) >= 11
    assert found == pytest.approx(wanted, abs=0.03)


def test_the_delay_jitters_within_bounds(reactor: Reactor, first: Member) -> None:
    first.service.startService()
    reactor.elapse(60.0, step=0.05)
    found = delays(reactor)
    for number, delay in enumerate(found):
        middle = min(FIRST_DELAY * 2**number, ABSENT_DELAY)
        assert middle * 0.5 <= delay + 0.06
        assert delay <= middle * 1.5 + 0.06
    assert len({round(delay, 1) for delay in found[4:]}) > 3


def test_two_routers_do_not_dial_in_step(
    reactor: Reactor, first: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, float]] = []
    fixed(monkeypatch, lambda low, high: asked.append((low, high)) or 1.0)  # type: ignore[func-returns-value]
    first.service.startService()
    reactor.elapse(1.0)
    assert set(asked) == {(0.5, 1.5)}


def test_tcp_that_is_accepted_and_a_certificate_that_is_refused_reset_nothing(
    reactor: Reactor, first: Member, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed(monkeypatch, lambda *_: 1.0)
    waits(reactor, tls.options(trustpoint(authority, "r3.example")), address(2))
    first.service.startService()
    reactor.elapse(20.0)
    assert first.counters("dialler")["not_neighbor"] >= 7
    found = delays(reactor)
    assert found == sorted(found)
    assert found[-1] > 5.0


def test_a_good_certificate_without_a_session_resets_nothing(
    reactor: Reactor, first: Member, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other end completes TLS and hangs up, as one that refuses us by TLS 1.3 does."""
    fixed(monkeypatch, lambda *_: 1.0)
    strangers = waits(reactor, tls.options(trustpoint(authority, "r2.example")), address(2))
    first.service.startService()
    for _ in range(600):
        reactor.elapse(0.02)
        for one in strangers:
            if one.heard and not one.over:
                assert one.transport is not None
                one.transport.abortConnection()  # type: ignore[attr-defined]
    found = delays(reactor)
    assert found == sorted(found)
    assert found[-1] > 3.0


def test_an_established_session_resets_the_delay(
    reactor: Reactor, tmp_path: Path, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed(monkeypatch, lambda *_: 1.0)
    first, second = pair(reactor, tmp_path, authority)
    first.service.startService()
    reactor.elapse(4.0)
    second.service.startService()  # R1 hears from it, and dials at once
    reactor.run_until(lambda: first.ready, most=1.5)
    second.die()
    reactor.dials.clear()
    reactor.elapse(2.0)
    assert delays(reactor)[:3] == pytest.approx([0.2, 0.4, 0.8], abs=0.05)


def test_addresses_are_dialled_in_turn(
    reactor: Reactor, tmp_path: Path, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A neighbor of two groups, at another address in each."""
    made = configured(1, ConfiguredRole.PRIMARY, (2,), authority)
    assert made.stateful is not None
    (group,) = made.stateful.groups
    other = replace(
        group,
        address=IPv4Address("192.168.78.1"),
        peers=(Peer(address=IPv4Address("192.168.78.2"), nat_id=2, name="r2.example"),),
        mapping_ids=(20,),
    )
    stateful = Stateful(nat_id=1, groups=(group, other))
    member = Member(reactor, tmp_path, replace(made, stateful=stateful))
    sources: list[object] = []
    connect = reactor.connectTCP

    def record(
        host: str,
        port: int,
        factory: object,
        timeout: float = 30,
        bindAddress: object = None,  # noqa: N803
    ) -> object:
        sources.append((bindAddress, port))
        return connect(host, port, factory, timeout, bindAddress)

    monkeypatch.setattr(reactor, "connectTCP", record)
    member.service.startService()
    reactor.elapse(2.0)
    assert [host for _, host in reactor.dials][:4] == [address(2), "192.168.78.2"] * 2
    assert sources[:2] == [((address(1), 0), PORT), (("192.168.78.1", 0), PORT)]


def test_a_host_that_does_not_answer_is_given_up_and_dialled_again(
    reactor: Reactor, first: Member, log: Log
) -> None:
    reactor.unanswered.add(address(2))
    first.service.startService()
    reactor.elapse(2.5 * CONNECT_TIME)
    assert len(reactor.dials) == 3
    assert first.counters("dialler")["not_connected"] == 2
    assert len(log.lines("link to r2.example (out) closed")) in (1, 2)


def test_tls_that_completes_after_the_session_was_given_up_is_too_late(
    reactor: Reactor, tmp_path: Path, authority: Path, log: Log
) -> None:
    first, second = pair(reactor, tmp_path, authority)
    second.service.startService()
    reactor.unanswered.add(address(2))
    first.service.startService()
    reactor.elapse(1.0)
    ((_, _, factory, _, _),) = [client for client in reactor.tcpClients if client[0] == address(2)]
    for connector in reactor.connectors:  # TCP takes a second
        connector.stoppedConnecting = True
    cable = reactor.join(factory, address(1), address(2))
    cable.stalled = True
    reactor.elapse(PROOF - 1.0 + 0.1)  # and TLS four more
    assert log.lines("link to r2.example (out) closed: no")
    reactor.unanswered.clear()
    cable.stalled = False
    reactor.settle()
    assert not cable.alive
    assert first.outgoing(2) != "Establish"
    reactor.run_until(lambda: first.ready and second.ready)


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.3, 2.0])
@pytest.mark.parametrize("unanswered", [True, False])
def test_a_stop_cancels_whatever_waits(
    reactor: Reactor, first: Member, moment: float, unanswered: bool
) -> None:
    if unanswered:
        reactor.unanswered.add(address(2))
    first.service.startService()
    reactor.elapse(moment)
    first.service.stopService()
    dials = len(reactor.dials)
    assert reactor.waiting == []
    if unanswered:
        assert [connector.stoppedConnecting for connector in reactor.connectors] == [True]
    reactor.elapse(30.0, step=0.5)
    assert len(reactor.dials) == dials
