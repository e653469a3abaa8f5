"""Small groups for tests of devices: a simulated network, and what is looked at in it."""

from snat.device.links import Link, Neighbor
from snat.replication.feed import FeedCounters
from snat.wire.framing import Framing
from snat.wire.header import Feed, Message
from tests.packets import udp
from tests.simulation.network import MAPPING, Network, Router

FEED = Feed(0, MAPPING)
SERVER = "198.51.100.7"


def flow(router: Router, host: int, port: int = 40001) -> tuple[str, int]:
    """A new flow through a router; its outside address and port."""
    sent = router.send_from_inside(udp(f"10.0.0.{host}", port, SERVER, 53))
    return sent.src, sent.sport


def counters(router: Router) -> FeedCounters:
    return router.device.feed_counters


def tables_equal(network: Network) -> bool:
    feeds = [router.device.groups[0].feeds[FEED] for router in network.routers.values()]
    same = all((one.position, one.digest) == (feeds[0].position, feeds[0].digest) for one in feeds)
    tables = [sorted(one[:-4] for one in router.device.table) for router in network.routers.values()]
    return same and all(table == tables[0] for table in tables)


def settled(network: Network) -> None:
    """Until all agree."""
    network.run_until(lambda: network.quiet() and tables_equal(network))


def to(router: Router, nat_id: int) -> Link:
    """The link that a router dialled."""
    link = router.device.neighbors[nat_id].outgoing
    assert link is not None
    return link


def of(router: Router, nat_id: int) -> Link:
    """The link that a neighbor dialled."""
    link = router.device.neighbors[nat_id].incoming
    assert link is not None
    return link


def neighbor(router: Router, nat_id: int) -> Neighbor:
    return router.device.neighbors[nat_id]


def queued(link: Link) -> list[Message]:
    """What waits for a neighbor, taken off its queue."""
    framing = Framing()
    for message in link.queue.take(link.queue.size):
        framing.feed(message)
    return list(framing.messages())
