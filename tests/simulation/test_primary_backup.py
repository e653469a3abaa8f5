"""Two devices, primary and backup, through what happens to routers."""

import random

import pytest

from snat.config.model import ConfiguredRole
from snat.wire.actions import Standing
from tests.packets import checksums_are_right, echo, tcp, udp
from tests.simulation.network import MAPPING, Network, Router

SERVER = "198.51.100.7"
FEED = (0, MAPPING)


def pair(seed: int) -> Network:
    return Network(seed, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})


def tables_equal(network: Network) -> bool:
    states = [router.device.groups[0].feeds[FEED] for router in network.routers.values()]
    tables = [sorted(record[:-4] for record in router.device.table) for router in network.routers.values()]
    return len({(s.digest.count, s.digest.value, s.position) for s in states}) == 1 and tables[0] == tables[1]


def ready(network: Network) -> bool:
    standings = {router.standing for router in network.routers.values()}
    return standings == {Standing.MANAGE, Standing.LISTEN}


def started(seed: int = 1) -> tuple[Network, Router, Router]:
    network = pair(seed)
    network.run_until(lambda: ready(network))
    return network, network.routers[1], network.routers[2]


def test_the_primary_manages_and_the_backup_listens() -> None:
    _, primary, backup = started()
    assert (primary.standing, backup.standing) == (Standing.MANAGE, Standing.LISTEN)
    assert primary.holds_addresses
    assert not backup.holds_addresses


def test_an_entry_appears_on_the_backup() -> None:
    network, primary, backup = started()
    out = primary.send_from_inside(tcp("10.0.0.5", 40001, SERVER, 80))
    assert out is not None
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


def test_a_backup_that_was_away_gets_what_it_missed_and_loses_what_is_gone() -> None:
    network, primary, backup = started()
    primary.send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    network.run(0.2)
    network.part(1, 2)
    primary.device.table.remove(list(primary.device.table))
    primary.send_from_inside(udp("10.0.0.7", 40001, SERVER, 53))
    network.run(0.3)  # less than the hold time: nobody takes over
    network.heal()
    network.run_until(lambda: tables_equal(network) and ready(network))
    assert backup.device.feed_counters.swept == 1


def test_a_higher_term_wins_when_a_partition_heals() -> None:
    network, primary, backup = started()
    network.part(1, 2)
    network.run_until(lambda: backup.standing is Standing.MANAGE)
    assert primary.standing is Standing.MANAGE
    backup.send_from_inside(udp("10.0.0.6", 40001, SERVER, 53))
    primary.send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    network.heal()
    network.run_until(lambda: ready(network) and tables_equal(network))
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


@pytest.mark.parametrize("seed", range(60))
def test_random_schedules_end_with_equal_tables_and_no_broken_flow(seed: int) -> None:
    """Kills, restarts, broken links and short partitions, with traffic throughout."""
    network = pair(seed)
    dice = random.Random(seed)
    flows: dict[tuple[str, int], tuple[str, int]] = {}
    network.run(3.0)
    for _ in range(30):
        _disturb(network, dice)
        for _ in range(dice.randint(0, 20)):
            _talk(network, dice, flows)
        network.run(dice.uniform(0, 1.0))
    for router in network.routers.values():
        if not router.alive:
            router.start()
    network.heal()
    network.run_until(lambda: ready(network) and tables_equal(network))
    taken = [(r[22], r[23:29], r[35:41]) for r in network.routers[1].device.table]
    assert len(taken) == len(set(taken)), "an outside address and port serves two flows"


def _disturb(network: Network, dice: random.Random) -> None:
    chosen = network.routers[dice.choice([1, 2])]
    other = network.routers[3 - chosen.nat_id]
    match dice.randint(0, 9):
        case 0 if other.alive and other.standing is Standing.MANAGE or other.standing is Standing.LISTEN:
            if chosen.alive:
                chosen.kill()
        case 1 | 2:
            if not chosen.alive:
                chosen.start()
        case 3:
            for wire in list(chosen.wires.values())[:1]:
                wire.cut()
        case 4:
            network.part(1, 2)
            network.run(dice.uniform(0, 1.5))
            network.heal()
        case _:
            pass


def _talk(network: Network, dice: random.Random, flows: dict[tuple[str, int], tuple[str, int]]) -> None:
    """A flow through the manager; its outside address and port are checked while nobody was lost."""
    managers = [r for r in network.routers.values() if r.alive and r.standing is Standing.MANAGE]
    if len(managers) != 1:
        return
    host = f"10.0.0.{dice.randint(2, 20)}"
    if dice.random() < 0.2:
        assert managers[0].send_from_inside(echo(host, SERVER, dice.randint(1, 50))) is not None
        return
    port = dice.randint(1024, 1100)
    sent = managers[0].send_from_inside(udp(host, port, SERVER, 53))
    assert sent is not None
    assert checksums_are_right(sent)
    flows[host, port] = (sent.src, sent.sport)
