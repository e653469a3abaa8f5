"""Every invariant of the simulation fails when it is broken."""

import pytest

from snat.config.model import ConfiguredRole
from snat.nat.entry import ID
from snat.nat.pool import Pool
from snat.replication.digest import FeedDigest
from snat.replication.snat_queue import SnatQueue
from snat.translate.flows import Flows
from tests.packets import udp
from tests.records import record
from tests.simulation.invariants import Broken, Ledger, disagreement
from tests.simulation.network import Network, Router
from tests.simulation.schedule import Schedule
from tests.simulation.traffic import SERVERS, Flow

SERVER = "198.51.100.7"


@pytest.fixture
def network() -> Network:
    """Two devices that agree on one flow."""
    network = Network(5, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
    network.run_until(network.quiet)
    return network


@pytest.fixture
def ledger(network: Network) -> Ledger:
    ledger = Ledger(network)
    talk(network.routers[1], 40001)
    network.run(0.5)
    ledger.round()
    assert ledger.checkpoints == 1
    return ledger


def talk(router: Router, port: int) -> None:
    router.send_from_inside(udp("10.0.0.5", port, SERVER, 53))


def test_nothing_is_wrong_with_what_happens(network: Network, ledger: Ledger) -> None:
    ledger.delete(network.routers[1], list(network.routers[1].device.table))
    network.run(0.5)
    ledger.round()
    talk(network.routers[1], 40001)
    network.run(0.5)
    ledger.round()
    assert ledger.checkpoints == 3


def test_what_was_gone_is_back(network: Network, ledger: Ledger) -> None:
    primary = network.routers[1]
    (record,) = primary.device.table
    ledger.delete(primary, [record])
    network.run(0.5)
    ledger.round()
    primary.device.table.add([record])
    network.run(0.5)
    with pytest.raises(Broken, match="1 entries are back"):
        ledger.round()


def test_what_all_agreed_on_is_lost(network: Network, ledger: Ledger) -> None:
    for router in network.routers.values():
        router.kill()
    for router in network.routers.values():
        router.start()
    network.run_until(network.quiet)
    network.run(0.5)
    ledger.ignorant = False  # the one excuse: they began with nothing
    with pytest.raises(Broken, match="all members had agreed on"):
        ledger.round()


def test_what_a_device_made_is_lost(network: Network, ledger: Ledger) -> None:
    talk(network.routers[1], 40003)
    network.run(0.5)
    lost = record(0x63, host=99)
    ledger._of[1].made[lost[ID]] = lost
    with pytest.raises(Broken, match="1 entries that R1 made are nowhere"):
        ledger.round()


def test_a_manager_removes_what_nobody_told_it_to(network: Network, ledger: Ledger) -> None:
    primary = network.routers[1]
    primary.device.table.remove(list(primary.device.table))
    with pytest.raises(Broken, match="R1 manages and removed 1; 0 expired"):
        primary.settle()


def test_a_manager_takes_the_role_without_a_cause(network: Network, ledger: Ledger) -> None:
    network.run(1.0)
    backup = network.routers[2].device
    backup.neighbors[1].leave()  # as if it had said goodbye
    with pytest.raises(Broken, match="R2 took the role of R1"):
        network.routers[2].settle()


def test_a_queue_is_too_long(network: Network, ledger: Ledger) -> None:
    link = network.routers[1].device.neighbors[2].outgoing
    assert link is not None
    link.queue.size = network.shape.queue_limit + 1
    with pytest.raises(Broken, match="R1: connection queue to 2 has"):
        ledger._settled(network.routers[1])


def test_tables_differ_under_equal_digests(network: Network, ledger: Ledger) -> None:
    table = network.routers[2].device.table
    (record,) = table
    table.add([record[:12] + bytes(3) + b"\7" + record[16:20] + b"\7\7" + record[22:]])
    assert disagreement(network.routers.values()) == "R2 lacks 1 entries of R1, has 1 others"


def test_a_promise_is_what_the_manager_keeps(network: Network, ledger: Ledger) -> None:
    primary, backup = network.routers[1], network.routers[2]
    (record,) = primary.device.table
    flow = Flow(17, bytes((10, 0, 0, 5)), 40001, SERVERS[0], 53)
    assert ledger.promised(primary, flow.key) == record[22:29]
    assert ledger.promised(backup, flow.key) is None
    ledger.delete(primary, [record])
    assert record[ID] in ledger.deleted
    assert ledger.promised(primary, flow.key) is None


def broken(seeds: range) -> str:
    """What the first failing seed says."""
    for seed in seeds:
        try:
            Schedule(seed).run()
        except Broken as said:
            return str(said)
    return ""


def test_a_digest_that_forgets_deletes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    change = FeedDigest.change
    monkeypatch.setattr(FeedDigest, "change", lambda self, removed, added: change(self, [], added))
    assert "but its table has" in broken(range(10))


def test_deletes_that_are_not_sent_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = SnatQueue.changed
    monkeypatch.setattr(SnatQueue, "changed", lambda self, removed, added: heard(self, [], added))
    assert broken(range(10))


def test_ports_that_are_given_twice_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def always_the_same(pool: Pool, protocol: int, host: bytes, *_: object) -> bytes:
        return bytes((protocol,)) + (pool.address_for(host) or b"") + (5000).to_bytes(2, "big")

    monkeypatch.setattr(Pool, "allocate", always_the_same)
    assert "have the same outside keys" in broken(range(10))


def test_entries_that_go_too_early_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Flows._deadline
    monkeypatch.setattr(Flows, "_deadline", lambda self, record: deadline(self, record) - 1.5)
    assert " s of " in broken(range(40))
