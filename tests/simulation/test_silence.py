"""Devices that pause, read slowly, or are heard in one direction only (pitfalls 19, 21, 25)."""

from typing import Final

from snat.config.model import ConfiguredRole
from snat.device.device import Device
from snat.nat.tracking import ACK, FIN, SYN
from snat.wire.actions import Standing
from tests import packets
from tests.simulation.invariants import disagreement, no_endpoint_serves_two
from tests.simulation.network import Network, Router
from tests.simulation.shape import Shape

HOST: Final = bytes((10, 0, 0, 5))
SERVER: Final = bytes((198, 51, 100, 7))
HOLD_TIME: Final = Shape().hold_time


def started(shape: Shape | None = None, members: int = 2) -> Network:
    roles = {1: ConfiguredRole.PRIMARY} | dict.fromkeys(range(2, members + 1), ConfiguredRole.BACKUP)
    network = Network(3, roles, shape or Shape())
    network.run_until(network.quiet)
    network.run(0.5)  # the links of both directions are up
    assert network.connected()
    return network


def agreed(network: Network) -> bool:
    return not disagreement(network.routers.values())


def open_flow(router: Router, port: int) -> packets.Ends:
    """A datagram from inside; whose it is outside."""
    sent = router.raw(packets.raw_udp(HOST, port, SERVER, 53), from_outside=False)
    assert sent is not None
    return packets.raw_ends(sent)


def silent_for(device: Device, neighbor: int, now: float) -> bool:
    return device.neighbors[neighbor].silent(now, HOLD_TIME)


# Pauses


def test_a_pause_within_the_hold_time_moves_no_role() -> None:
    network = started()
    primary, backup = network.routers.values()
    terms = dict(primary.terms)
    primary.pause(0.6 * HOLD_TIME)
    network.run(2.0)
    assert (primary.standing, backup.standing) == (Standing.MANAGE, Standing.LISTEN)
    assert primary.terms == terms


def test_a_manager_that_was_paused_too_long_finds_another_and_they_settle() -> None:
    network = started()
    primary, backup = network.routers.values()
    primary.pause(3 * HOLD_TIME)
    network.run_until(lambda: backup.standing is Standing.MANAGE, most=2 * HOLD_TIME)
    assert primary.manages, "it does not run, so it does not know"
    network.run_until(lambda: primary.runs and agreed(network), most=5.0)
    assert primary.terms != {}


def test_what_waited_for_a_paused_manager_makes_no_second_owner_of_a_port() -> None:
    """Pitfall 25: packets from before the role moved are translated by the old manager when it goes on."""
    network = started()
    primary, backup = network.routers.values()

    def waiting() -> None:
        for port in range(2000, 2040):
            open_flow(primary, port)

    network.resumed = lambda _: [waiting]
    primary.pause(3 * HOLD_TIME)
    network.run_until(lambda: backup.standing is Standing.MANAGE)
    by_backup = {open_flow(backup, port)[:3] for port in range(3000, 3040)}
    backup.settle()
    network.run_until(lambda: primary.runs)
    by_primary = {record[22:29] for record in primary.device.table}
    assert len(by_backup) == 40
    assert by_primary.isdisjoint(record[22:29] for record in backup.device.table if record[:4] == b"\0\0\0\2")
    network.run_until(lambda: agreed(network))
    for router in network.routers.values():
        no_endpoint_serves_two(router)


def test_a_paused_backup_judges_nobody_by_its_own_pause() -> None:
    network = started()
    primary, backup = network.routers.values()
    backup.pause(5 * HOLD_TIME)
    open_flow(primary, 2000)
    primary.settle()
    network.run_until(lambda: backup.runs)
    assert backup.standing is not Standing.MANAGE
    network.run_until(lambda: agreed(network))
    assert backup.terms == {}, "it never took a term"
    assert len(backup.device.table) == 1


# Slow readers


def test_a_slow_reader_fills_the_window_then_the_queue_and_is_told_to_resync() -> None:
    """Pitfalls 4 and 29: the sender's memory is bounded, and the other member is not delayed."""
    shape = Shape(keepalive=1.0, hold_time=9.0, window=4096, queue_limit=48 << 10)
    network = started(shape, members=3)
    primary, quick, slow = network.routers.values()
    link = primary.device.neighbors[3].outgoing
    incoming = slow.device.neighbors[1].incoming
    assert link is not None
    assert incoming is not None
    slow.stall([incoming], 4.0)
    for port in range(2000, 3200):
        open_flow(primary, port)
        if port % 4 == 0:
            primary.settle()  # else the deletes cancel what was never sent
            primary.device.table.remove(list(primary.device.table)[:4])
            primary.settle()
            assert link.queue.size <= shape.queue_limit
        if port % 100 == 0:
            network.run(0.05)
    assert link.queue.overflows == 1
    assert primary.wires[link].under_way >= shape.window
    network.run(0.3)
    assert not disagreement([primary, quick])
    assert slow.device.table != primary.device.table
    network.run_until(lambda: agreed(network), most=10.0)
    assert primary.device.link_counters.resyncs == 1


def test_a_slow_reader_is_lost_on_the_link_that_it_does_not_read_only() -> None:
    network = started()
    primary, backup = network.routers.values()
    incoming = backup.device.neighbors[1].incoming
    assert incoming is not None
    backup.stall([incoming], 3.0)
    network.run(2 * HOLD_TIME)
    assert not incoming.established
    assert (primary.standing, backup.standing) == (Standing.MANAGE, Standing.LISTEN)
    network.run_until(lambda: network.connected() and agreed(network))


# One direction


def test_silence_in_one_direction_is_noticed_within_the_hold_time() -> None:
    """Pitfall 19. A primary that is not heard is no manager; who is heard needs no alarm."""
    network = started()
    primary, backup = network.routers.values()
    network.silence([(1, 2)])
    network.run(HOLD_TIME + 0.1)
    assert silent_for(backup.device, 1, network.now)
    assert backup.standing is Standing.MANAGE
    assert not primary.device.neighbors[2].links(), "the goodbye of its neighbor's links did come"
    network.run(2.0)
    network.restore([(1, 2)])
    network.run_until(lambda: agreed(network))


def test_a_backup_that_is_not_heard_still_follows() -> None:
    network = started()
    primary, backup = network.routers.values()
    network.silence([(2, 1)])
    open_flow(primary, 2000)
    primary.settle()
    network.run(HOLD_TIME / 2)
    assert len(backup.device.table) == 1
    network.restore([(2, 1)])
    network.run_until(lambda: agreed(network))


def test_bytes_that_could_not_get_through_arrive_afterwards_and_in_order() -> None:
    """A silence shorter than the hold time costs no connection, and so no dump."""
    network = started()
    primary, backup = network.routers.values()
    dumps = backup.device.feed_counters.dumps_received
    network.silence([(1, 2), (2, 1)])
    for port in range(2000, 2020):
        open_flow(primary, port)
        primary.settle()
    network.run(HOLD_TIME / 2)
    assert len(backup.device.table) == 0
    network.restore([(1, 2), (2, 1)])
    network.run_until(lambda: agreed(network), most=1.0)
    assert backup.device.feed_counters.dumps_received == dumps
    assert len(backup.device.table) == 20


# Connections that live meanwhile


def test_a_live_connection_goes_on_through_a_failover_to_its_end() -> None:
    """Pitfall 21: each side of the takeover carries a part of one connection, whose state went along."""
    network = started()
    primary, backup = network.routers.values()
    source = segment(primary, SYN, 100, 0)
    answer(primary, source, SYN | ACK, 900, 101)
    segment(primary, ACK, 101, 901, b"request")
    primary.settle()
    network.run(0.2)
    primary.kill()
    answer(backup, source, ACK, 901, 108)  # before it knows: it translates what it has
    network.run_until(lambda: backup.standing is Standing.MANAGE)
    assert segment(backup, ACK, 108, 901, b"more") == source
    answer(backup, source, FIN | ACK, 901, 112)
    assert segment(backup, FIN | ACK, 112, 902) == source
    answer(backup, source, ACK, 902, 113)
    backup.settle()
    (record,) = backup.device.table
    assert record[43] == 3, "CLOSING"
    network.run(backup.device.configuration.nat.timeouts.finrst + 2.0)
    assert len(backup.device.table) == 0


def segment(
    router: Router, flags: int, sequence: int, acknowledgment: int, payload: bytes = b""
) -> tuple[bytes, int]:
    """A segment from inside; the outside address and port that it leaves from."""
    made = packets.raw_tcp(HOST, 40001, SERVER, 80, flags, payload, sequence, acknowledgment)
    sent = router.raw(made, from_outside=False)
    assert sent is not None
    assert packets.raw_sums_are_right(sent)
    ends = packets.raw_ends(sent)
    return ends.source, ends.sport


def answer(router: Router, source: tuple[bytes, int], flags: int, sequence: int, acknowledgment: int) -> None:
    """A segment from outside, which must reach the host."""
    made = packets.raw_tcp(SERVER, 80, *source, flags, b"", sequence, acknowledgment)
    sent = router.raw(made, from_outside=True)
    assert sent is not None
    assert packets.raw_ends(sent) == (6, SERVER, 80, HOST, 40001)
    assert packets.raw_sums_are_right(sent)
