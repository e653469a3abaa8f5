"""An edit that changes a length leaves when other routers know of it, or after 20 ms (design section 9)."""

import pytest
from scapy.layers.inet import IP, TCP

from snat.config.model import ConfiguredRole
from snat.translate.packet import START
from tests.packets import tcp
from tests.simulation.network import Network, Router
from tests.simulation.shape import Shape

HOST, SERVER = "10.0.0.5", "198.51.100.7"
GREETING, LOGIN, WELCOME = b"220 ready\r\n", b"USER me\r\n", b"230 welcome\r\n"
SAID, HEARD = 100 + len(LOGIN), 500 + len(GREETING + WELCOME)
PORT_COMMAND = b"PORT 10,0,0,5,117,49\r\n"


def control(network: Network) -> tuple[Router, Router]:
    """A control connection through R1 (whose neighbor is R2), of somebody who has logged in."""
    one, two = network.routers[1], network.routers[2]
    syn = one.send_from_inside(tcp(HOST, 40001, SERVER, 21, flags="S", seq=99))
    outside = (syn.src, syn.sport)
    one.send_from_outside(tcp(SERVER, 21, *outside, flags="SA", seq=499, ack=100))
    one.send_from_inside(tcp(HOST, 40001, SERVER, 21, flags="A", seq=100, ack=500))
    one.send_from_outside(tcp(SERVER, 21, *outside, flags="PA", payload=GREETING, seq=500, ack=100))
    one.send_from_inside(tcp(HOST, 40001, SERVER, 21, flags="PA", payload=LOGIN, seq=100, ack=511))
    one.send_from_outside(tcp(SERVER, 21, *outside, flags="PA", payload=WELCOME, seq=511, ack=SAID))
    network.run(0.1)
    return one, two


def says_port(router: Router) -> None:
    packet = tcp(HOST, 40001, SERVER, 21, flags="PA", payload=PORT_COMMAND, seq=SAID, ack=HEARD)
    assert router.raw(bytes(packet), from_outside=False) is None
    router.settle()


def left(router: Router) -> list[bytes]:
    """What has left since, by its payload."""
    more = router.device.translator.more
    payloads = [bytes(IP(packet[START:])[TCP].payload) for _, packet in more]
    more.clear()
    return payloads


@pytest.fixture(params=["pair", "peers"])
def network(request: pytest.FixtureRequest) -> Network:
    peers = ConfiguredRole.PEERS
    roles = {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP}
    made = Network(7, dict.fromkeys((1, 2), peers) if request.param == "peers" else roles, Shape(delay=0.002))
    made.run_until(made.quiet)
    return made


def test_it_leaves_as_soon_as_the_other_router_knows(network: Network) -> None:
    one, two = control(network)
    says_port(one)
    assert left(one) == []
    network.run(0.012)
    (command,) = left(one)
    assert command.startswith(b"PORT 203,0,113,")
    assert len(command) != len(PORT_COMMAND)
    contexts = [{record[:-4] for record in router.device.table} for router in (one, two)]
    assert contexts[0] == contexts[1]


def test_it_leaves_after_20_ms_whoever_is_slow(network: Network) -> None:
    one, _ = control(network)
    network.silence([(2, 1)])
    says_port(one)
    network.run(0.015)
    assert left(one) == []
    network.run(0.01)
    assert len(left(one)) == 1


def test_what_follows_an_edit_that_is_known_waits_for_nothing(network: Network) -> None:
    one, _ = control(network)
    says_port(one)
    network.run(0.012)
    (command,) = left(one)
    behind = SAID + len(PORT_COMMAND)
    noop = tcp(HOST, 40001, SERVER, 21, flags="PA", payload=b"NOOP\r\n", seq=behind, ack=HEARD)
    passed = one.raw(bytes(noop), from_outside=False)
    assert passed is not None
    assert IP(passed)[TCP].seq == SAID + len(command)
