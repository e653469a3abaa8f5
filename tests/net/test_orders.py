"""Orders of operators, by the address of a peer, over real TLS in memory."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from snat.device.refused import CommandRefused
from tests.net.memory import Member, Reactor, address, become_pair, pair

PRIMARY, BACKUP = (IPv4Address(address(nat_id)) for nat_id in (1, 2))


@pytest.fixture
def ready(reactor: Reactor, tmp_path: Path, authority: Path) -> tuple[Member, Member]:
    members = pair(reactor, tmp_path, authority)
    become_pair(reactor, *members)
    members[0].traffic(10)
    reactor.settle()
    return members


@pytest.mark.parametrize("peer", [BACKUP, None])
def test_sessions_that_were_cleared_are_dialled_anew_without_a_takeover(
    reactor: Reactor, ready: tuple[Member, Member], peer: IPv4Address | None
) -> None:
    first, second = ready
    first.service.clear_sessions(peer)
    reactor.settle()
    assert [member.device.neighbors[other].links() for member, other in ((first, 2), (second, 1))] == [[], []]
    assert second.device.neighbors[1].refusal == "ended by the neighbor: an operator closed it"
    reactor.run_until(lambda: first.ready and second.ready, most=2.0)
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")
    assert second.table == first.table


def test_cleared_translations_leave_the_other_router_at_once(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    with pytest.raises(CommandRefused, match="clear them there"):
        second.service.nat.clear()
    assert len(second.table) == 10
    first.service.nat.clear()
    reactor.settle()
    assert first.table == second.table == set()


@pytest.mark.parametrize("peer", [PRIMARY, None])
@pytest.mark.parametrize("forget", [False, True])
def test_a_refresh_asks_at_once(
    reactor: Reactor, ready: tuple[Member, Member], peer: IPv4Address | None, forget: bool
) -> None:
    first, second = ready
    before = second.counters("feeds")["dumps_received"]
    second.service.refresh(peer, forget=forget)
    assert len(second.table) == (0 if forget else 10)
    reactor.settle()
    assert second.counters("feeds")["dumps_received"] == before + 1
    assert second.table == first.table
    assert len(first.table) == 10


def test_what_names_no_peer_is_refused_and_nothing_happens(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    stranger = IPv4Address("10.9.9.9")
    told = f"^10.9.9.9 is no peer of this router; its peers: {BACKUP}$"
    with pytest.raises(CommandRefused, match=told):
        first.service.clear_sessions(stranger)
    with pytest.raises(CommandRefused, match=told):
        first.service.refresh(stranger, forget=True)
    with pytest.raises(CommandRefused, match=f"^{BACKUP} manages nothing that this router receives"):
        first.service.refresh(BACKUP, forget=True)
    first.service.refresh(None, forget=True)
    reactor.settle()
    assert first.ready
    assert second.ready
    assert len(first.table) == 10
