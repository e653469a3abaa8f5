"""Peers (Fig. 2C, 8C, 11): each manages what it makes; the steward what a lost one made."""

import pytest
from scapy.layers.inet import IP

from cli.render_snat import distributed
from snat.config.model import ConfiguredRole, Timeouts
from snat.device.report import groups
from snat.nat.entry import NAT_ID, Entry, State
from snat.redundancy.roles import ALONE_EXTRA
from snat.translate.packet import START
from snat.wire.actions import Standing
from snat.wire.header import Feed
from tests.packets import tcp, udp
from tests.simulation.network import MAPPING, Network, Router
from tests.simulation.shape import Shape, configuration

PEERS = ConfiguredRole.PEERS
SERVER = "198.51.100.7"
SOON = 0.05
"""Virtual seconds in which a change reaches everybody."""


def peers(members: int, **shape: object) -> Network:
    made = Network(7, dict.fromkeys(range(1, members + 1), PEERS), Shape(**shape))  # type: ignore[arg-type]
    made.run_until(made.quiet)
    return made


@pytest.fixture(params=[3, 5])
def network(request: pytest.FixtureRequest) -> Network:
    return peers(request.param)


@pytest.fixture
def three() -> Network:
    return peers(3)


def flow(router: Router, host: int, port: int = 40001) -> tuple[str, int]:
    sent = router.send_from_inside(udp(f"10.0.0.{host}", port, SERVER, 53))
    return sent.src, sent.sport


def records(router: Router) -> list[bytes]:
    return sorted(one[:-4] for one in router.device.table)


def equal(network: Network) -> bool:
    tables = [records(router) for router in network.routers.values() if router.alive]
    return all(table == tables[0] for table in tables)


def feed(router: Router, owner: int) -> Feed:
    return Feed(owner, MAPPING)


def standing(router: Router, owner: int) -> Standing:
    return next(group.standing for group in router.device.groups if group.owner == owner)


def stewards(network: Network, owner: int) -> list[int]:
    return [
        nat_id
        for nat_id, router in network.routers.items()
        if router.alive
        for group in router.device.groups
        if group.owner == owner and group.manages
    ]


def test_each_manages_what_it_makes_and_all_have_all(network: Network) -> None:
    for nat_id, router in network.routers.items():
        assert [group.owner for group in router.device.groups if group.manages] == [nat_id]
        flow(router, nat_id)
    network.run_until(lambda: equal(network))
    table = network.routers[1].device.table
    assert sorted(int.from_bytes(one[NAT_ID], "big") for one in table) == sorted(network.routers)


def test_a_flow_goes_by_any_of_them_with_the_same_port(three: Network) -> None:
    outside = flow(three.routers[1], 5)
    three.run(SOON)
    for router in three.routers.values():
        assert flow(router, 5) == outside
        back = router.send_from_outside(udp(SERVER, 53, *outside))
        assert (back.dst, back.dport) == ("10.0.0.5", 40001)
    three.run(SOON)
    assert equal(three)
    assert len(three.routers[3].device.table) == 1


def test_ports_of_peers_never_collide(network: Network) -> None:
    """Before anybody has heard of the others' flows."""
    outside = [
        flow(router, host, 40000 + host) for host in range(1, 40) for router in network.routers.values()
    ]
    network.run_until(lambda: equal(network))
    by_host: dict[int, set[tuple[str, int]]] = {}
    for at, found in enumerate(outside):
        by_host.setdefault(at // len(network.routers), set()).add(found)
    assert sum(map(len, by_host.values())) == len(set().union(*by_host.values()))


def test_a_lost_peer_has_the_steward_and_gets_its_own_back(network: Network) -> None:
    outside = flow(network.routers[2], 5)
    network.run(SOON)
    network.routers[2].kill()
    network.run_until(lambda: stewards(network, 2) == [1])
    assert flow(network.routers[3], 5) == outside
    assert all(standing(router, 2) is Standing.LISTEN for n, router in network.routers.items() if n > 2)
    network.routers[2].start()
    network.run_until(network.quiet)
    assert stewards(network, 2) == [2]
    assert equal(network)
    assert flow(network.routers[2], 5) == outside


def test_who_returns_while_another_dies_makes_nothing_before_it_has_the_entries_of_that(
    three: Network,
) -> None:
    """Else it gives the flows of the dead one, of which the third knows, another port."""
    outside = flow(three.routers[3], 5)
    three.run(SOON)
    three.routers[2].stop()
    three.run(SOON)
    three.routers[3].kill()
    three.routers[2].start()
    three.run(three.shape.hold_time / 2)
    back = three.routers[2]
    assert standing(back, 2) is Standing.LISTEN
    assert standing(back, 3) is Standing.START
    three.run_until(lambda: stewards(three, 2) == [2])
    assert stewards(three, 3) == [1]
    assert flow(back, 5) == outside


def test_a_peer_that_cannot_learn_what_another_made_does_its_work_nevertheless(three: Network) -> None:
    three.routers[2].kill()
    three.run_until(lambda: stewards(three, 2) == [1])
    three.silence([(2, 3), (3, 2)])
    three.routers[2].start()
    three.run(three.shape.hold_time)
    assert stewards(three, 2) == [1]
    three.run_until(lambda: stewards(three, 2) == [2], most=ALONE_EXTRA + 1)
    assert standing(three.routers[2], 3) is Standing.START, "R1 hears R3, so nobody is its steward"


def test_the_steward_makes_entries_of_its_own_only(three: Network) -> None:
    three.routers[1].kill()
    three.run_until(lambda: stewards(three, 1) == [2])
    flow(three.routers[2], 9)
    (record,) = three.routers[2].device.table
    assert int.from_bytes(record[NAT_ID], "big") == 2


def test_who_is_heard_by_another_is_not_lost(three: Network) -> None:
    outside = flow(three.routers[1], 5)
    three.run(SOON)
    three.silence([(1, 2), (2, 1)])
    three.run(10 * three.shape.hold_time)
    assert stewards(three, 1) == [1]
    assert stewards(three, 2) == [2]
    assert flow(three.routers[2], 5) == outside
    three.restore([(1, 2), (2, 1)])
    three.run_until(lambda: three.quiet() and equal(three))


def test_who_nobody_hears_is_lost_to_all_at_once(three: Network) -> None:
    began = three.now
    three.routers[1].kill(silently=True)
    three.run_until(lambda: stewards(three, 1) == [2])
    assert three.now - began < 2 * three.shape.hold_time


def test_with_retain_0_the_entries_of_a_lost_peer_go() -> None:
    network = peers(3, retain=0)
    flow(network.routers[1], 5)
    flow(network.routers[2], 6)
    network.run(SOON)
    network.routers[1].kill()
    network.run_until(lambda: stewards(network, 1) == [2] and equal(network))
    owners = [int.from_bytes(one[NAT_ID], "big") for one in network.routers[3].device.table]
    assert owners == [2]


def test_with_retain_0_the_entries_of_who_leaves_go_at_once() -> None:
    network = peers(3, retain=0)
    flow(network.routers[1], 5)
    network.run(SOON)
    network.routers[1].stop()
    began = network.now
    network.run_until(lambda: not list(network.routers[3].device.table))
    assert network.now - began < network.shape.hold_time


def test_unused_entries_of_a_lost_peer_go_after_retain() -> None:
    network = peers(3, retain=5)
    kept = flow(network.routers[1], 5)
    flow(network.routers[1], 6)
    network.run(SOON)
    network.routers[1].kill()
    network.run_until(lambda: stewards(network, 1) == [2])
    for _ in range(10):
        network.run(1)
        assert flow(network.routers[3], 5) == kept  # the steward hears of it by hints alone
    network.run(SOON)
    assert [Entry.unpack(one).inside_local[3] for one in network.routers[2].device.table] == [5]
    network.run(20)
    assert not list(network.routers[2].device.table)
    assert equal(network)


def test_hints_keep_an_entry_that_another_translates_by() -> None:
    network = peers(3, timeouts=Timeouts(udp=8, dns=8))
    outside = flow(network.routers[1], 5)
    for _ in range(20):
        network.run(1)
        assert flow(network.routers[2], 5) == outside
    network.run(SOON)
    assert len(network.routers[1].device.table) == 1
    sent = network.routers[2].device.feed_counters.hints_sent
    assert 4 <= sent <= 20 / 8 * 4 + 2, "four in a time-out, at most"
    network.run(12)
    assert not list(network.routers[1].device.table)
    network.run(SOON)
    assert equal(network)


def handshake(out: Router, back: Router, network: Network) -> tuple[str, int]:
    """A connection whose two directions go by different routers (asymmetric paths, Fig. 2C)."""
    syn = out.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80, flags="S", seq=100))
    network.run(SOON)
    back.send_from_outside(tcp(SERVER, 80, syn.src, syn.sport, flags="SA", seq=500, ack=101))
    out.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80, flags="A", seq=101, ack=501))
    network.run(SOON)
    return syn.src, syn.sport


def state(router: Router) -> int:
    (record,) = router.device.table
    return Entry.unpack(record).state


def test_the_owner_learns_what_the_other_path_carries(three: Network) -> None:
    one, two = three.routers[1], three.routers[2]
    outside = handshake(one, two, three)
    assert state(one) == state(two) == State.ESTABLISHED
    one.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80, flags="FA", seq=101, ack=501))
    two.send_from_outside(tcp(SERVER, 80, *outside, flags="FA", seq=501, ack=102))
    three.run(SOON)
    assert state(one) == state(two) == State.CLOSING
    one.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80, flags="A", seq=102, ack=502))
    (record,) = one.device.table
    path = one.device.translator.flows._cache.of(record)
    assert path is not None
    assert path.closing is not None
    assert path.closing.over


def test_a_reset_that_came_by_another_closes_at_the_owner(three: Network) -> None:
    one, two = three.routers[1], three.routers[2]
    outside = handshake(one, two, three)
    two.send_from_outside(tcp(SERVER, 80, *outside, flags="R", seq=501))
    three.run(SOON)
    assert state(one) == state(two) == State.CLOSING


def test_a_hint_about_what_is_not_there_is_counted(three: Network) -> None:
    one, two = three.routers[1], three.routers[2]
    outside = flow(one, 5)
    three.run(SOON)
    three.silence([(1, 2)])
    one.device.clear(three.now)
    assert flow(two, 5) == outside
    three.run(SOON)
    assert one.device.feed_counters.hints_unknown == 1
    three.restore([(1, 2)])
    three.run_until(lambda: three.quiet() and equal(three))
    assert not list(two.device.table)


def test_clear_forgets_what_a_peer_made_and_no_more(three: Network) -> None:
    flow(three.routers[1], 5)
    flow(three.routers[2], 6)
    three.run(SOON)
    three.routers[1].device.clear(three.now)
    three.run(SOON)
    three.run_until(lambda: equal(three))
    owners = [int.from_bytes(one[NAT_ID], "big") for one in three.routers[3].device.table]
    assert owners == [2]


def test_a_joiner_gets_everything_and_gives_what_it_has(three: Network) -> None:
    """Fig. 8C: the exchange in both directions."""
    three.routers[3].kill()
    three.run_until(lambda: stewards(three, 3) == [1])
    for host in range(1, 20):
        flow(three.routers[1 + host % 2], host)
    three.run(SOON)
    three.routers[3].start()
    three.run_until(lambda: three.quiet() and equal(three))
    assert len(three.routers[3].device.table) == 19
    flow(three.routers[3], 50)
    three.run_until(lambda: equal(three))
    assert len(three.routers[1].device.table) == 20


def test_after_a_split_each_has_its_own_again(three: Network) -> None:
    first = flow(three.routers[1], 5)
    three.run(SOON)
    apart = [(1, 2), (2, 1), (1, 3), (3, 1)]
    three.silence(apart)
    three.run_until(lambda: stewards(three, 1) == [1, 2])
    three.run_until(lambda: stewards(three, 2) == [1, 2])
    mine, theirs = flow(three.routers[1], 6), flow(three.routers[2], 7)
    three.restore(apart)
    three.run_until(lambda: three.quiet() and equal(three))
    assert flow(three.routers[3], 5) == first
    assert flow(three.routers[3], 6) == mine
    assert flow(three.routers[1], 7) == theirs


def test_entries_of_this_router_alone_are_never_told(three: Network) -> None:
    router = three.routers[1]
    local = Entry.unpack(record_of(router))._replace(
        nat_id=0, mapping_id=0, inside_local=bytes((10, 9, 9, 9))
    )
    router.device.table.add([local.pack()])
    three.run(1)
    assert len(three.routers[2].device.table) == 1
    assert len(router.device.table) == 2


def record_of(router: Router) -> bytes:
    flow(router, 77)
    (record,) = router.device.table
    return record


# Packets before their entry


def asked_here_answered_there(network: Network) -> tuple[Router, bytes]:
    """A flow that left by R1, and its answer as R2 gets it before it has heard of the entry."""
    sent = network.routers[1].send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    return network.routers[2], bytes(udp(SERVER, 53, sent.src, sent.sport))


def early(router: Router) -> dict[str, int]:
    counters = router.device.counters()["translate"]
    return {name: counters[name] for name in ("early_held", "early_released", "unknown_inbound", "filtered")}


def test_an_answer_waits_for_its_entry() -> None:
    network = peers(3, delay=0.004)
    two, answer = asked_here_answered_there(network)
    assert two.raw(answer, from_outside=True) is None
    network.run(0.015)
    ((_, packet),) = two.device.translator.more
    assert IP(packet[START:]).dst == "10.0.0.5"
    assert early(two) == {"early_held": 1, "early_released": 1, "unknown_inbound": 0, "filtered": 0}


def test_an_answer_to_another_flow_of_a_known_endpoint_waits_too() -> None:
    network = peers(3, delay=0.004)
    flow(network.routers[1], 5)
    network.run(SOON)
    sent = network.routers[1].send_from_inside(udp("10.0.0.5", 40001, "198.51.100.9", 53))
    two = network.routers[2]
    assert two.raw(bytes(udp("198.51.100.9", 53, sent.src, sent.sport)), from_outside=True) is None
    network.run(0.015)
    assert len(two.device.translator.more) == 1
    assert early(two) == {"early_held": 1, "early_released": 1, "unknown_inbound": 0, "filtered": 0}


def test_what_nobody_asked_for_is_dropped_after_a_moment() -> None:
    network = peers(2)
    one, two = network.routers.values()
    address, port = flow(one, 5)
    assert two.raw(bytes(udp(SERVER, 53, address, port + 32)), from_outside=True) is None
    two.settle()
    assert early(two) == {"early_held": 1, "early_released": 0, "unknown_inbound": 0, "filtered": 0}
    network.run(0.025)
    assert early(two) == {"early_held": 1, "early_released": 0, "unknown_inbound": 1, "filtered": 0}
    assert not two.device.translator.more


def test_strangers_cannot_fill_the_memory() -> None:
    network = peers(2)
    one, two = network.routers.values()
    address, port = flow(one, 5)
    for source in range(1, 400):
        two.raw(bytes(udp(SERVER, source, address, port + 32)), from_outside=True)
    assert early(two)["early_held"] == 128
    assert two.device.counters()["translate"]["early_full"] == 399 - 128


def test_ports_of_our_own_have_no_entry_on_its_way() -> None:
    network = peers(2)
    two = network.routers[2]
    address, port = flow(two, 5)
    assert two.raw(bytes(udp(SERVER, 53, address, port + 32)), from_outside=True) is None
    assert early(two) == {"early_held": 0, "early_released": 0, "unknown_inbound": 1, "filtered": 0}


def test_nothing_waits_where_that_is_disabled() -> None:
    network = peers(2, as_queuing=False)
    two, answer = asked_here_answered_there(network)
    assert two.raw(answer, from_outside=True) is None
    assert early(two) == {"early_held": 0, "early_released": 0, "unknown_inbound": 1, "filtered": 0}


# Defer


def test_a_first_packet_waits_until_all_have_its_entry() -> None:
    network = peers(3, defer=True, delay=0.002)
    one = network.routers[1]
    assert one.raw(bytes(udp("10.0.0.5", 40001, SERVER, 53)), from_outside=False) is None
    one.settle()
    assert not one.device.translator.more
    network.run(0.012)
    assert len(one.device.translator.more) == 1
    assert all(len(router.device.table) == 1 for router in network.routers.values())
    assert deferred(one) == {"deferred": 1, "released": 1, "timed_out": 0, "full": 0}
    assert one.raw(bytes(udp("10.0.0.5", 40001, SERVER, 53)), from_outside=False) is not None


def test_a_member_that_is_slow_delays_nobody_for_long() -> None:
    network = peers(3, defer=True, delay=0.002)
    one = network.routers[1]
    network.silence([(3, 1)])
    one.raw(bytes(udp("10.0.0.5", 40001, SERVER, 53)), from_outside=False)
    one.settle()
    network.run(0.015)
    assert not one.device.translator.more
    network.run(0.01)
    assert len(one.device.translator.more) == 1
    assert deferred(one) == {"deferred": 1, "released": 0, "timed_out": 1, "full": 0}


def test_more_than_128_do_not_wait() -> None:
    one = peers(2, defer=True).routers[1]
    left = [one.raw(bytes(udp("10.0.0.5", port, SERVER, 53)), from_outside=False) for port in range(1, 201)]
    assert left.count(None) == 128
    assert deferred(one) == {"deferred": 128, "released": 0, "timed_out": 0, "full": 72}


def test_who_is_alone_waits_for_nobody() -> None:
    network = peers(2, defer=True)
    network.routers[2].kill()
    network.run_until(lambda: stewards(network, 2) == [1])
    one = network.routers[1]
    one.raw(bytes(udp("10.0.0.5", 40001, SERVER, 53)), from_outside=False)
    one.settle()
    assert len(one.device.translator.more) == 1


def deferred(router: Router) -> dict[str, int]:
    return router.device.counters()["deferral"]


# Told, and configured anew


def test_a_block_of_peers_is_shown_as_one_group(three: Network) -> None:
    three.routers[3].kill()
    three.run_until(lambda: stewards(three, 3) == [1])
    (shown,) = groups(three.routers[1].device, three.now)
    assert (shown.mode, shown.state, shown.standing) == ("PEER", "READY", "MANAGE")
    assert [(one.process_id, one.manager_nat_id) for one in shown.feeds] == [(1, 1), (2, 2), (3, 1)]
    assert len(shown.links) == 4
    assert [one for one in shown.alarms if "silent" in one] == ["r3.example is silent"]
    lines = list(distributed([shown], verbose=False))
    assert "SNAT: Mode PEER" in lines
    assert any("Feed process 3 mapping 10: manager 1 (this router) as steward," in line for line in lines)


def test_what_a_former_peer_made_is_forgotten(three: Network) -> None:
    one, two = three.routers[1], three.routers[2]
    for host, router in enumerate(three.routers.values(), start=1):
        flow(router, host)
    three.run(SOON)
    three.routers[3].kill()
    for router in (one, two):
        others = tuple(nat_id for nat_id in (1, 2) if nat_id != router.nat_id)
        router.device.configure(configuration(router.nat_id, PEERS, others, three.shape), three.now)
        router.settle()
    three.run(2)
    for router in (one, two):
        assert sorted(int.from_bytes(record[NAT_ID], "big") for record in router.device.table) == [1, 2]
        assert [group.owner for group in router.device.groups] == [1, 2]
        assert router.manages


def test_a_new_peer_finds_what_there_is(three: Network) -> None:
    """R1 and R2 first know only each other."""
    three.routers[3].kill()
    for router in (three.routers[1], three.routers[2]):
        others = tuple(nat_id for nat_id in (1, 2) if nat_id != router.nat_id)
        router.device.configure(configuration(router.nat_id, PEERS, others, three.shape), three.now)
        flow(router, router.nat_id)
    three.run(1)
    for router in (three.routers[1], three.routers[2]):
        router.device.configure(router.configuration, three.now)
        router.settle()
        assert router.manages
    three.routers[3].start()
    three.run_until(lambda: three.quiet() and equal(three))
    assert len(three.routers[3].device.table) == 2


def test_other_seconds_to_retain_hold_from_then_on(three: Network) -> None:
    flow(three.routers[1], 5)
    three.run(SOON)
    three.routers[1].kill()
    three.run_until(lambda: stewards(three, 1) == [2])
    three.run(10)
    shape = Shape(retain=5)
    three.routers[2].device.configure(configuration(2, PEERS, (1, 3), shape), three.now)
    three.run(7)
    assert not list(three.routers[2].device.table)
