"""Pitfall 32: many short flows, most of which are over before anybody could need them."""

import pytest

from snat.config.model import ConfiguredRole
from snat.nat.tracking import ACK, FIN, SYN
from tests import packets
from tests.device.groups import counters, neighbor, tables_equal
from tests.simulation.network import Network, Router
from tests.simulation.shape import Shape

SERVER = bytes((198, 51, 100, 7))
FLOWS = 200
EVERY = 0.02
"""Seconds between two flows; each is over after five packets in as many turns, 10 ms in all."""


def turn(
    router: Router, flags: int, port: int, *, back: tuple[bytes, int] | None = None
) -> tuple[bytes, int]:
    """A segment of a short connection, and what net does after it."""
    host = bytes((10, 0, 0, 5))
    made = (
        packets.raw_tcp(host, port, SERVER, 80, flags, b"", 100, 900)
        if back is None
        else packets.raw_tcp(SERVER, 80, *back, flags, b"", 900, 101)
    )
    sent = router.raw(made, from_outside=back is not None)
    assert sent is not None
    router.settle()
    router.network.run(0.002)
    ends = packets.raw_ends(sent)
    return ends.source, ends.sport


def cost(interval: float) -> tuple[int, int, int]:
    """Items, messages and bytes that the flows cost, with that interval between messages."""
    network = Network(
        9, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP}, Shape(update_interval=interval)
    )
    network.run_until(network.quiet)
    network.run(1.0)
    primary = network.routers[1]

    def so_far() -> tuple[int, int, int]:
        sent = counters(primary)
        return sent.items_sent, sent.messages_sent, sum(one.bytes_out for one in neighbor(primary, 2).links())

    before = so_far()
    for number in range(FLOWS):
        outside = turn(primary, SYN, 20_000 + number)
        turn(primary, SYN | ACK, 0, back=outside)
        turn(primary, ACK, 20_000 + number)
        turn(primary, FIN | ACK, 20_000 + number)
        turn(primary, FIN | ACK, 0, back=outside)
        network.run(EVERY - 0.01)
    network.run(1.0)
    assert tables_equal(network)
    items, messages, size = (now - then for now, then in zip(so_far(), before, strict=True))
    return items, messages, size


@pytest.mark.parametrize("interval", [0.1, 0.5])
def test_an_interval_saves_what_short_flows_would_cost(interval: float) -> None:
    """Without one each flow is told when it opens, is established and closes; with one, once on average."""
    at_once, later = cost(0.0), cost(interval)
    assert at_once[0] >= 3 * FLOWS
    assert later[0] < at_once[0] * 0.6
    assert later[1] < at_once[1] * 0.2
    assert later[2] < at_once[2] * 0.5
