"""A neighbor that does not keep up: what it is told when it takes bytes again, and what it then asks for."""

from dataclasses import replace

import pytest

from snat.config.model import ConfiguredRole
from snat.device.links import Link
from snat.nat.entry import NAT_ID
from snat.replication import sweep
from snat.wire.actions import Action, Digest, DumpKind, DumpRequest, Standing, Unavailable
from snat.wire.header import Position, encode
from snat.wire.items import CHANGES, control, controls, first_action
from tests.device.groups import FEED, counters, flow, neighbor, of, queued, settled, to
from tests.records import record
from tests.simulation.network import Network, Router


@pytest.fixture
def network() -> Network:
    """R1 manages, R2 and R3 listen, and have what R1 has."""
    backups = dict.fromkeys((2, 3), ConfiguredRole.BACKUP)
    network = Network(11, {1: ConfiguredRole.PRIMARY} | backups)
    network.run_until(network.quiet)
    network.routers[1].device.table.add([record(number) for number in range(1, 8)])
    network.routers[1].settle()
    network.run(1.0)
    settled(network)
    return network


def at(router: Router) -> Position:
    return router.device.groups[0].feeds[FEED].position


def overflow(router: Router, nat_id: int) -> Link:
    """Changes for which the queue to a neighbor has no room."""
    link = to(router, nat_id)
    queued(link)
    link.queue._limit = 60
    router.device.table.add([record(number) for number in range(100, 110)])
    router.device.turn(router.network.now)
    return link


def said(link: Link) -> list[object]:
    """The items that wait, other than changes."""
    messages = [one for one in queued(link) if first_action(one.body) not in CHANGES]
    return [found for message in messages for found in controls(message.body)]


# Who does not keep up


def test_an_overflow_drops_one_neighbors_queue_and_no_others(network: Network) -> None:
    router = network.routers[1]
    queued(to(router, 3))
    link = overflow(router, 2)
    assert link.queue.needs_resync
    assert (link.queue.overflows, to(router, 3).queue.overflows) == (1, 0)
    assert [one.sequence for one in queued(to(router, 3)) if one.sequence] == [at(router).sequence]


def test_when_it_takes_bytes_again_it_is_told_a_statement_once(network: Network) -> None:
    router = network.routers[1]
    link = overflow(router, 2)
    assert said(link) == [], "nothing is queued while it takes nothing"
    link.queue._limit = 1 << 20
    assert link.data_to_send() == b""
    assert not link.queue.needs_resync
    router.device.turn(network.now)
    assert router.device.link_counters.resyncs == 1
    (statement,) = [one for one in said(link) if isinstance(one, Digest)]
    assert statement.position == at(router)
    router.device.turn(network.now)
    assert router.device.link_counters.resyncs == 1
    assert said(link) == []


def test_a_dump_under_way_does_not_go_on_behind_the_gap(network: Network) -> None:
    router = network.routers[1]
    link = to(router, 2)
    router.device.table.add([record(number) for number in range(1000, 4000)])
    router.device.turn(network.now)
    queued(link)
    request = encode(control(DumpRequest(5, FEED, DumpKind.FEED, Position())))
    router.device.received(of(router, 2), request, network.now)
    router.device.turn(network.now)
    assert link.dumps, "not all of it fits at once"
    link.queue._limit = link.queue.size
    router.device.table.add([record(50)])
    router.device.turn(network.now)
    assert link.queue.needs_resync
    link.queue._limit = 1 << 20
    link.data_to_send()
    router.device.turn(network.now)
    assert link.dumps == {}
    assert all(one.body[0] not in (Action.DUMP_END, Action.ADD) for one in queued(link))


def test_it_ends_equal(network: Network) -> None:
    router = network.routers[1]
    link = overflow(router, 2)
    link.queue._limit = 1 << 20
    network.run(1.0)
    settled(network)
    assert router.device.link_counters.resyncs == 1
    assert len(network.routers[2].device.table) == 17
    assert counters(network.routers[2]).mismatches == 0


# What is asked for


@pytest.mark.parametrize(("capabilities", "kind"), [(1, DumpKind.RESUME), (0, DumpKind.FEED)])
def test_a_manager_without_a_journal_is_asked_for_a_dump(
    network: Network, capabilities: int, kind: DumpKind
) -> None:
    member = network.routers[2]
    peer = neighbor(member, 1)
    assert peer.hello is not None
    peer.hello = peer.hello._replace(capabilities=capabilities)
    queued(of(member, 1))
    stands = at(member)
    ahead = Digest(FEED, Position(stands.term, stands.sequence + 3), 9, 9)
    member.device.received(of(member, 1), encode(control(ahead)), network.now)
    member.device.turn(network.now)
    (asked,) = [one for one in said(of(member, 1)) if isinstance(one, DumpRequest)]
    assert (asked.kind, asked.position) == (kind, stands)


def test_a_sweep_in_slices_wakes_the_device_until_it_is_over(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "SLICE", 2)
    member = network.routers[2]
    member.device.refresh([1], network.now, forget=False)
    member.settle()
    group = member.device.groups[0]
    network.run_until(lambda: group.works, step=0.0001)
    assert group.next_deadline(network.now) == network.now
    steps = 0
    while group.works:
        member.device.turn(network.now)
        steps += 1
    assert 1 < steps <= 4, "seven entries, two in a slice"
    assert group.synchronised
    assert group.next_deadline(network.now) is None


# Who leaves


@pytest.mark.parametrize(("keep", "owners"), [(1, {1, 2}), (0, {1})])
def test_a_member_that_leaves_takes_its_entries_along_if_it_says_so(
    network: Network, keep: int, owners: set[int]
) -> None:
    """Here they are what R2 made while it managed."""
    router = network.routers[1]
    router.device.table.add([record(number, nat_id=2) for number in (200, 201)])
    router.device.turn(network.now)
    digest = router.device.groups[0].feeds[FEED].digest
    gone = Unavailable(FEED, at(router), digest.count, digest.value, keep)
    router.device.received(of(router, 2), encode(control(gone)), network.now)
    router.device.turn(network.now)
    assert neighbor(router, 2).standing(FEED) is None
    made_by = {int.from_bytes(one[NAT_ID], "big") for one in router.device.table}
    assert made_by == owners
    router.settle()
    network.run(1.0)
    settled(network)


def test_another_member_that_leaves_leaves_a_member_synchronised(network: Network) -> None:
    """Only the manager's last word tells a member where it should stand."""
    member = network.routers[2]
    stands = at(member)
    gone = Unavailable(FEED, Position(stands.term, stands.sequence + 4), 4, 4, 1)
    member.device.received(of(member, 3), encode(control(gone)), network.now)
    member.device.turn(network.now)
    assert member.standing is Standing.LISTEN
    assert member.device.groups[0].synchronised


def test_a_manager_says_its_last_word_on_both_links(network: Network) -> None:
    """On the one that is slow, its end may come late."""
    router = network.routers[1]
    links = [link for nat_id in (2, 3) for link in neighbor(router, nat_id).links()]
    for link in links:
        queued(link)
    router.device.groups[0].leave()
    assert len(links) == 4
    for link in links:
        assert [one.position for one in said(link) if isinstance(one, Unavailable)] == [at(router)]


# What comes in the wrong way


def test_the_end_of_the_link_that_brings_nothing_fails_no_dump(network: Network) -> None:
    """R2 waits for a dump by R1; the link that R3 dialled ends."""
    member = network.routers[2]
    member.device.refresh([1], network.now, forget=False)
    receiver = member.device.groups[0].receivers[FEED]
    member.device.lost(of(member, 3), "cut", network.now)
    assert counters(member).dumps_failed == 0
    assert receiver.wanted(network.now) is None, "it waits for the answer"
    member.device.lost(of(member, 1), "cut", network.now)
    assert counters(member).dumps_failed == 1
    assert receiver.wanted(network.now) is DumpKind.FEED


def test_an_interval_of_messages_counts_from_the_last_that_left(network: Network) -> None:
    router = network.routers[1]
    group = router.device.groups[0]
    group.configuration = replace(group.configuration, update_interval=0.5)
    flow(router, 30)
    sent = counters(router).messages_sent
    flow(router, 31)
    router.device.turn(network.now)
    assert counters(router).messages_sent == sent
    deadline = group.next_deadline(network.now)
    assert deadline is not None
    assert network.now < deadline <= network.now + 0.5
    router.device.turn(deadline)
    assert counters(router).messages_sent == sent + 1
    assert group.next_deadline(deadline) is None
