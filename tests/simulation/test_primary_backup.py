"""Two devices, primary and backup, through what happens to routers."""

from snat.config.model import ConfiguredRole
from snat.replication.receiver import Receiver
from snat.wire.actions import Released, Standing
from snat.wire.header import Feed
from tests.packets import buffer, checksums_are_right, tcp, udp
from tests.simulation.network import MAPPING, Network, Router

SERVER = "198.51.100.7"
FEED = Feed(0, MAPPING)


def pair(seed: int) -> Network:
    return Network(seed, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})


def tables_equal(network: Network) -> bool:
    alive = [router.device for router in network.routers.values() if router.alive]
    states = {
        (state.digest.count, state.digest.value, state.position)
        for state in (d.groups[0].feeds[FEED] for d in alive)
    }
    tables = [sorted(record[:-4] for record in device.table) for device in alive]
    return len(states) == 1 and all(table == tables[0] for table in tables)


def started(seed: int = 1) -> tuple[Network, Router, Router]:
    network = pair(seed)
    network.run_until(network.quiet)
    return network, network.routers[1], network.routers[2]


def test_the_primary_manages_and_the_backup_listens() -> None:
    _, primary, backup = started()
    assert (primary.standing, backup.standing) == (Standing.MANAGE, Standing.LISTEN)
    assert primary.holds_addresses
    assert not backup.holds_addresses


def test_an_entry_appears_on_the_backup() -> None:
    network, primary, backup = started()
    out = primary.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80))
    assert checksums_are_right(out)
    network.run_until(lambda: len(backup.device.table) == 1)
    assert tables_equal(network)


def test_a_connection_survives_the_kill_with_the_same_outside_address_and_port() -> None:
    network, primary, backup = started()
    before = primary.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80))
    network.run(0.1)
    answer = tcp(SERVER, 80, before.src, before.sport, "SA")
    assert primary.send_from_outside(answer).dst == "10.0.0.5"
    network.run(0.1)
    primary.kill()
    network.run_until(lambda: backup.standing is Standing.MANAGE, most=0.8)
    after = backup.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80, "A", b"more"))
    assert (after.src, after.sport) == (before.src, before.sport)
    reply = backup.send_from_outside(tcp(SERVER, 80, before.src, before.sport, "A", b"reply"))
    assert (reply.dst, reply.dport) == ("10.0.0.5", 40001)
    assert checksums_are_right(after)
    assert checksums_are_right(reply)


def test_a_primary_that_says_goodbye_is_followed_at_once() -> None:
    network, primary, backup = started()
    primary.stop()
    network.run_until(lambda: backup.standing is Standing.MANAGE, most=0.1)


def test_the_returned_primary_pulls_verifies_and_takes_over_by_handover() -> None:
    network, primary, backup = started()
    primary.send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    network.run(0.1)
    primary.kill()
    network.run_until(lambda: backup.standing is Standing.MANAGE)
    backup.send_from_inside(udp("10.0.0.6", 40001, SERVER, 53))
    primary.start()
    network.run_until(lambda: primary.standing is Standing.MANAGE)
    network.run(1.0)
    assert len(primary.device.table) == 2
    assert tables_equal(network)
    assert not backup.holds_addresses


def test_a_role_is_not_taken_where_the_old_manager_did_not_stop() -> None:
    """Released names a digest; a claimant that is not there does not take the role."""
    network, primary, backup = started()
    group = primary.device.groups[0]
    state = group.feeds[FEED]
    group.standing = Standing.CLAIM
    manager = primary.device.neighbors[2]
    group._manager = group.claimed_of = manager
    group.receivers = {FEED: Receiver(state, primary.device.table, primary.device.feed_counters, True)}
    group.senders = {}
    group.released(manager, Released(FEED, state.position, state.digest.count, state.digest.value + 1))
    assert not group.synchronised
    assert group.standing is Standing.CLAIM
    assert backup.standing is Standing.LISTEN
    network.run(0.1)


def test_a_backup_that_was_away_gets_what_it_missed_and_loses_what_is_gone() -> None:
    network, primary, backup = started()
    primary.send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    network.run(0.2)
    network.part(1, 2)
    primary.device.table.remove(list(primary.device.table))
    primary.send_from_inside(udp("10.0.0.7", 40001, SERVER, 53))
    network.run(0.3)  # less than the hold time: nobody takes over
    network.heal()
    network.run_until(lambda: tables_equal(network) and network.quiet())
    assert primary.device.feed_counters.resumed >= 1
    assert backup.device.feed_counters.dumps_received == 0, "what it missed was enough"


def test_what_it_missed_is_too_much_for_the_journal_and_a_dump_sweeps() -> None:
    network, primary, backup = started()
    primary.send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    network.run(0.2)
    network.part(1, 2)
    primary.device.groups[0].feeds[FEED].journal.bound(1)
    primary.device.table.remove(list(primary.device.table))
    primary.send_from_inside(udp("10.0.0.7", 40001, SERVER, 53))
    network.run(0.3)
    network.heal()
    network.run_until(lambda: tables_equal(network) and network.quiet())
    assert backup.device.feed_counters.swept == 1


def test_both_sides_of_a_split_keep_what_either_made() -> None:
    network, primary, backup = started()
    primary.send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    network.run(0.2)
    network.part(1, 2)
    network.run_until(lambda: backup.standing is Standing.MANAGE)
    ours = primary.send_from_inside(udp("10.0.0.6", 40001, SERVER, 53))
    theirs = backup.send_from_inside(udp("10.0.0.7", 40001, SERVER, 53))
    primary.send_from_inside(udp("10.0.0.8", 40001, SERVER, 53))
    backup.send_from_inside(udp("10.0.0.8", 40001, SERVER, 53))
    network.heal()
    network.run_until(lambda: tables_equal(network) and network.quiet())
    assert primary.standing is Standing.MANAGE
    assert (primary.device.feed_counters.merged, primary.device.feed_counters.merge_losers) == (1, 1)
    for host, sent in (("10.0.0.6", ours), ("10.0.0.7", theirs)):
        again = primary.send_from_inside(udp(host, 40001, SERVER, 53))
        assert (again.src, again.sport) == (sent.src, sent.sport)
    assert len(primary.device.table) == 4


def test_a_higher_term_wins_when_a_partition_heals() -> None:
    network, primary, backup = started()
    network.part(1, 2)
    network.run_until(lambda: backup.standing is Standing.MANAGE)
    assert primary.standing is Standing.MANAGE
    backup.send_from_inside(udp("10.0.0.6", 40001, SERVER, 53))
    primary.send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    network.heal()
    network.run_until(lambda: network.quiet() and tables_equal(network))
    assert primary.standing is Standing.MANAGE
    assert primary.terms[FEED] > backup.terms[FEED]


def test_a_backup_alone_takes_the_role_after_the_wait_only() -> None:
    network = pair(1)
    network.routers[1].kill()
    backup = network.routers[2]
    network.run(2.0)
    assert backup.standing is Standing.START
    network.run_until(lambda: backup.standing is Standing.MANAGE, most=2.0)


def test_a_restarted_primary_never_empties_the_table() -> None:
    """Pitfall 6: a fast restart of the manager, faster than the hold time."""
    network, primary, backup = started()
    sent = primary.send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    network.run(0.2)
    primary.kill()
    primary.start()
    network.run_until(lambda: primary.standing is Standing.MANAGE)
    network.run(1.0)
    assert len(primary.device.table) == len(backup.device.table) == 1
    again = primary.send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    assert (again.src, again.sport) == (sent.src, sent.sport)


def test_of_two_backups_one_takes_over_and_the_other_follows() -> None:
    roles = {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP, 3: ConfiguredRole.BACKUP}
    network = Network(4, roles)
    network.run_until(network.quiet)
    sent = network.routers[1].send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    network.run(0.3)
    network.routers[1].kill()
    network.run_until(lambda: network.routers[2].standing is Standing.MANAGE)
    network.run(2.0)
    assert network.routers[3].standing is Standing.LISTEN
    assert network.routers[3].terms == {}, "the second backup never took a term"
    again = network.routers[2].send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    assert (again.src, again.sport) == (sent.src, sent.sport)
    network.routers[1].start()
    network.run_until(lambda: network.routers[1].standing is Standing.MANAGE)
    network.run_until(network.quiet)
    network.run(1.0)
    assert {len(router.device.table) for router in network.routers.values()} == {1}


def test_a_paused_device_judges_nobody_by_its_own_pause() -> None:
    network, primary, backup = started()
    backup.device.turn(network.now + 5.0)  # as if the process had been stopped for five seconds
    assert backup.standing is Standing.LISTEN
    assert primary.standing is Standing.MANAGE


def test_a_slow_reader_needs_a_resync_and_gets_it() -> None:
    network, primary, backup = started()
    link = primary.device.neighbors[2].outgoing
    assert link is not None
    link.queue._limit = 2000
    for host in range(2, 120):
        packet, end = buffer(udp(f"10.0.0.{host}", 40001, SERVER, 53))
        primary.device.packet(packet, end, False, network.now)
        primary.device.turn(network.now)  # nothing is taken off the queue meanwhile
    assert link.queue.overflows == 1
    link.queue._limit = 1 << 20
    primary.settle()
    network.run_until(lambda: tables_equal(network) and backup.device.groups[0].synchronised)
    assert len(backup.device.table) == 118
