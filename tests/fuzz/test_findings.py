"""What the fuzz targets, and reading for them, found: each as the shortest thing that shows it."""

from typing import Any

import pytest

from snat.config.model import ConfiguredRole
from snat.device.events import TermTaken
from snat.device.links import Link
from snat.nat.entry import Entry
from snat.replication.digest import total
from snat.wire import items as codec
from snat.wire.actions import DumpBegin, DumpEnd, Error, Role, RoleChange, Standing, Unit
from snat.wire.errors import ErrorCode
from snat.wire.header import Feed, Position, Term, encode
from tests import packets
from tests.packets import udp
from tests.simulation.network import MAPPING, Network, Router

FEED = Feed(0, MAPPING)


@pytest.fixture
def network() -> Network:
    network = Network(7, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
    network.run_until(network.quiet)
    network.run(1.0)
    return network


def incoming(router: Router) -> Link:
    (neighbor,) = router.device.neighbors.values()
    assert neighbor.incoming is not None
    return neighbor.incoming


def hear(router: Router, data: bytes, link: Link | None = None) -> None:
    router.device.received(link or incoming(router), data, router.network.now)


def packet(router: Router, port: int) -> None:
    """A packet that makes an entry; the turn that follows is not taken yet."""
    filled, end = packets.buffer(udp("10.0.0.5", port, "198.51.100.7", 53))
    assert router.device.packet(filled, end, False, router.network.now)


def digest_is_true(router: Router) -> bool:
    digest = router.device.groups[0].feeds[FEED].digest
    records = list(router.device.table)
    return (digest.count, digest.value) == (len(records), total(records) % (1 << 64))


def comes_again(router: Router, nat_id: int, units: list[Unit]) -> Link:
    """The neighbor, in the incarnation that is known, on a new link."""
    now, device = router.network.now, router.device
    link = device.accepted(nat_id, now)
    device.opened(link, now)
    hello = device.neighbors[nat_id].hello
    assert hello is not None
    hear(router, encode(codec.authenticate(hello, units), flags=0), link)
    return link


def test_a_new_term_of_a_live_manager_loses_no_change(network: Network) -> None:
    primary, backup = network.routers[1], network.routers[2]
    packet(primary, 4000)
    hear(primary, encode(codec.error(Error(ErrorCode.OLD_TERM, FEED, Term(8, 2)))))
    primary.settle()
    network.run(3.0)
    assert digest_is_true(primary)
    assert [r[:-4] for r in backup.device.table] == [r[:-4] for r in primary.device.table]


def test_who_is_outranked_keeps_a_true_digest(network: Network) -> None:
    """A digest that is wrong once is wrong for ever: no dump from the new manager ever ends in agreement."""
    primary, backup = network.routers[1], network.routers[2]
    primary.kill()
    network.run_until(lambda: backup.standing is Standing.MANAGE)
    link = comes_again(backup, 1, [Unit(FEED, Position(), Role.PRIMARY, Standing.START, 0, 0)])
    packet(backup, 4000)
    hear(backup, encode(codec.control(RoleChange(FEED, Role.PRIMARY, Standing.MANAGE, Term(9, 1)))), link)
    backup.settle()
    assert backup.standing is Standing.START
    assert digest_is_true(backup)


def test_the_last_term_that_there_is_does_not_make_a_manager_restless(network: Network) -> None:
    """Each turn a term to be stored (fsync) and announced, for ever, with sequences used again."""
    primary = network.routers[1]
    last = Term(0xFFFFFFFF, 0xFFFFFFFF)
    hear(primary, encode(codec.error(Error(ErrorCode.OLD_TERM, FEED, last))))
    for _ in range(3):
        primary.device.turn(network.now)
        taken = [event for event in primary.device.events() if isinstance(event, TermTaken)]
    assert taken == []


def test_a_dump_that_is_over_does_not_begin_again(network: Network) -> None:
    primary, backup = network.routers[1], network.routers[2]
    packet(primary, 4000)
    primary.settle()
    backup.device.refresh([1], network.now, forget=True)
    network.run(1.0)
    assert backup.device.feed_counters.dumps_received == 1
    (link,) = [one for one in backup.device.neighbors[1].links() if not one.outgoing]
    at = backup.device.groups[0].feeds[FEED].position
    asked = backup.device.groups[0].receivers[FEED]._request
    assert asked > 0
    fields: dict[str, Any] = {
        "number": asked,
        "feed": FEED,
        "kind": 1,
        "position": at,
        "count": 0,
        "digest": 0,
    }
    for kind in (DumpBegin, DumpEnd):
        said: Any = kind(**{name: fields[name] for name in kind._fields})
        hear(backup, encode(codec.control(said)), link)
    backup.device.turn(network.now)
    assert not link.inbound
    assert len(backup.device.table) == 1
    assert backup.device.groups[0].synchronised


def test_a_neighbor_that_leaves_a_unit_out_is_no_exception(network: Network) -> None:
    backup = network.routers[2]
    network.routers[1].kill()
    backup.kill()
    network.routers[1].start()
    backup.start()
    now = network.now
    link = backup.device.accepted(1, now)
    backup.device.opened(link, now)
    hello = network.routers[1].device._session(network.routers[1].device.neighbors[2]).local
    unit = Unit(FEED, Position(), Role.BACKUP, Standing.START, 0, 0)
    hear(backup, encode(codec.authenticate(hello, [unit]), flags=0), link)
    comes_again(backup, 1, [])
    backup.device.turn(now)


def test_units_that_nobody_has_are_not_remembered(network: Network) -> None:
    backup = network.routers[2]
    for begin in range(0, 5000, 1000):
        units = [Unit(Feed(begin + n, 99), Position(), 1, 1, 0, 0) for n in range(1000)]
        comes_again(backup, 1, units)
        backup.settle()
    assert len(backup.device.neighbors[1].standings) <= 1000


def test_an_entry_is_what_the_packet_helper_makes(network: Network) -> None:
    """The helper of the tests above does make an entry that its feed must carry."""
    primary, backup = network.routers[1], network.routers[2]
    packet(primary, 4000)
    primary.settle()
    network.run(1.0)
    assert [Entry.unpack(record).inside_local_port for record in backup.device.table] == [4000]
    assert digest_is_true(primary)
