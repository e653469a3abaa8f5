"""What gateways may open, through the translator: to whom, for how long, how often, and at what address."""

from ipaddress import IPv4Address

import pytest

from snat.config.nat import Filtering
from snat.nat.entry import FLAGS, Flag
from snat.nat.rules import Rules
from snat.nat.static import Static
from snat.nat.tracking import TCP, UDP
from snat.translate.alg.doors import SERVICES
from snat.translate.alg.gateway import Doors, Endpoint
from snat.translate.expected import MOST_OF_HOST
from tests.packets import tcp, udp
from tests.translate.alg.flow import Connection, carried, ftp_nat, services
from tests.translate.alg.test_ftp_through import named
from tests.translate.configured import nat_by
from tests.translate.nat import MAPPING, A, B, Nat, P, S, T, rules

PEER = IPv4Address(S).packed
INSIDE = IPv4Address(A).packed


def opened(nat: Nat | None = None) -> tuple[Nat, Doors]:
    """A conversation, and its doors."""
    nat = nat or ftp_nat()
    Connection(nat).open()
    application = next(iter(nat.translator._inside[6].values())).application
    assert application is not None
    assert application.doors is not None
    return nat, application.doors


def count(nat: Nat, what: str) -> int:
    return nat.translator.reader.counters["ftp"][what]


def arrive(nat: Nat, source: str, sport: int, place: Endpoint, protocol: int = TCP) -> str | None:
    """Where a first packet from outside comes to; None: nowhere."""
    make = tcp if protocol == TCP else udp
    found = carried(nat, make(source, sport, str(IPv4Address(place.address)), place.port), from_outside=True)
    return f"{found[0].dst}:{found[0].dport}" if found else None


@pytest.mark.parametrize("filtering", list(Filtering))
def test_it_is_bound_to_the_peer_and_for_one_flow(filtering: Filtering) -> None:
    nat, doors = opened(ftp_nat(filtering=filtering))
    place = doors.open(TCP, Endpoint(INSIDE, 40001), Endpoint(PEER, 0), life=60)
    assert place is not None
    assert arrive(nat, T, 20, place) is None, "somebody else"
    assert arrive(nat, S, 20, place) == f"{A}:40001"
    (flow,) = [one for one in nat.table.records() if one[16:22] == INSIDE + (40001).to_bytes(2, "big")]
    assert not flow[FLAGS] & Flag.EXPECTED, "it came, and is expected no more"
    again = arrive(nat, S, 4444, place)
    assert (again is None) is (filtering is Filtering.ADDRESS_AND_PORT_DEPENDENT)


def test_from_the_port_that_was_said() -> None:
    nat, doors = opened()
    place = doors.open(UDP, Endpoint(INSIDE, 40001), Endpoint(PEER, 6000), life=60)
    assert place is not None
    assert arrive(nat, S, 6001, place, UDP) is None
    assert arrive(nat, S, 6000, place, UDP) == f"{A}:40001"


def test_it_ends() -> None:
    nat, doors = opened()
    place = doors.open(TCP, Endpoint(INSIDE, 40001), Endpoint(PEER, 0), life=10)
    assert place is not None
    nat.wait(11)
    assert arrive(nat, S, 20, place) is None
    assert len(nat.table) == 1


def test_the_same_again_is_the_same() -> None:
    nat, doors = opened()
    places = {doors.open(TCP, Endpoint(INSIDE, 40001), Endpoint(PEER, 0), life=10) for _ in range(3)}
    assert len(places) == 1
    assert len(nat.table) == 2
    nat.wait(5)
    nat.translator.reader.expire(nat.now)
    doors.open(TCP, Endpoint(INSIDE, 40001), Endpoint(PEER, 0), life=10)
    nat.wait(8)
    assert arrive(nat, S, 20, places.pop() or Endpoint(b"", 0)) is not None, "it was asked for anew"


def test_it_is_closed() -> None:
    nat, doors = opened()
    place = doors.open(TCP, Endpoint(INSIDE, 40001), Endpoint(PEER, 0), life=60)
    assert place is not None
    doors.close(TCP, Endpoint(INSIDE, 40001))
    assert arrive(nat, S, 20, place) is None
    doors.close(TCP, Endpoint(INSIDE, 40000))
    assert len(nat.table) == 1, "the conversation itself is no expectation"


@pytest.mark.parametrize(
    ("address", "port", "reason"),
    [
        (B, 40001, "address of another host"),
        (S, 40001, "address of another host"),
        (P, 40001, "address of another host"),
        ("0.0.0.0", 40001, "address of another host"),
        (A, 0, "port below 1024"),
        (A, 22, "port below 1024"),
        (A, 1023, "port below 1024"),
        (A, 3389, "port of a service"),
    ],
)
def test_what_is_never_opened(address: str, port: int, reason: str) -> None:
    nat, doors = opened()
    inside = Endpoint(IPv4Address(address).packed, port)
    assert doors.open(TCP, inside, Endpoint(PEER, 0), life=60) is None
    assert count(nat, reason) == 1
    assert nat.counters.expected == 0
    assert len(nat.table) == 1


def test_a_pair_needs_both_ports() -> None:
    nat, doors = opened()
    assert doors.open(UDP, Endpoint(INSIDE, 65535), Endpoint(PEER, 0), life=60, pair=True) is None
    assert doors.open(UDP, Endpoint(INSIDE, 3388), Endpoint(PEER, 0), life=60, pair=True) is None
    assert (count(nat, "port out of range"), count(nat, "port of a service")) == (1, 1)
    assert 3389 in SERVICES[UDP]


def test_audio_may_come_where_tcp_has_services() -> None:
    nat, doors = opened()
    for port in (6000, 8000):
        assert doors.open(UDP, Endpoint(INSIDE, port), Endpoint(PEER, 0), life=60, pair=True)
        assert doors.open(TCP, Endpoint(INSIDE, port), Endpoint(PEER, 0), life=60) is None
    assert count(nat, "port of a service") == 2


def test_not_more_than_so_many() -> None:
    nat, doors = opened()
    for port in range(20000, 20000 + 2 * MOST_OF_HOST):
        doors.open(TCP, Endpoint(INSIDE, port), Endpoint(PEER, 0), life=60)
    assert nat.counters.expected == MOST_OF_HOST
    assert count(nat, "too many expected") == MOST_OF_HOST
    nat.wait(61)
    assert doors.open(TCP, Endpoint(INSIDE, 30000), Endpoint(PEER, 0), life=60) is not None


def test_who_does_not_manage_opens_nothing() -> None:
    nat, doors = opened()
    nat.manage(False)
    assert doors.open(TCP, Endpoint(INSIDE, 40001), Endpoint(PEER, 0), life=60) is None
    assert count(nat, "managed by another router") == 1


def test_a_port_that_another_host_has_is_not_told() -> None:
    nat, doors = opened()
    carried(nat, udp(B, 40002, S, 53), from_outside=False)
    place = doors.open(UDP, Endpoint(INSIDE, 40002), Endpoint(PEER, 0), life=60)
    assert place is not None
    assert place.address == IPv4Address(P).packed
    assert place.port != 40002
    assert place.port % 2 == 0, "parity is kept"


@pytest.mark.parametrize("taken", [None, 40002, 40003])
def test_a_pair_is_a_pair(taken: int | None) -> None:
    nat, doors = opened()
    if taken is not None:
        carried(nat, udp(B, taken, S, 53), from_outside=False)
    place = doors.open(UDP, Endpoint(INSIDE, 40002), Endpoint(PEER, 0), life=60, pair=True)
    assert place is not None
    assert place.port % 2 == 0
    assert doors.open(UDP, Endpoint(INSIDE, 40002), Endpoint(PEER, 0), life=60, pair=True) == place
    assert arrive(nat, S, 7000, place, UDP) == f"{A}:40002"
    assert arrive(nat, S, 7001, place._replace(port=place.port + 1), UDP) == f"{A}:40003"


def test_what_the_inside_host_sends_first_comes_from_there() -> None:
    nat, doors = opened()
    place = doors.open(UDP, Endpoint(INSIDE, 40002), Endpoint(PEER, 0), life=60)
    assert place is not None
    (sent,) = carried(nat, udp(A, 40002, S, 7000), from_outside=False)
    assert (sent.src, sent.sport) == (P, place.port)


def test_no_port_is_free() -> None:
    nat = ftp_nat(with_rules=rules(slots=[15]))
    Connection(nat, client=(A, 40000)).open()
    application = next(iter(nat.translator._inside[6].values())).application
    assert application is not None
    assert application.doors is not None
    nat.translator.flows.rules.pools[0].deal([])
    assert application.doors.open(TCP, Endpoint(INSIDE, 40001), Endpoint(PEER, 0), life=60) is None
    assert count(nat, "no free port") == 1


# Static rules


def with_static(**fields: object) -> Nat:
    made = rules()
    static = Static(local=INSIDE, global_=IPv4Address("203.0.113.50").packed, mapping_id=MAPPING, **fields)  # type: ignore[arg-type]
    return ftp_nat(with_rules=Rules(made.rules, made.pools, statics=[static]))


@pytest.mark.parametrize("whole", [True, False])
def test_an_inside_server_with_a_static_rule(whole: bool) -> None:
    """Its passive end is at the static address, also where the rule is for the control port alone."""
    nat = with_static() if whole else with_static(protocol=TCP, local_port=21, global_port=21)
    flow = Connection(nat, client=(S, 5555), server=(A, 21), called=("203.0.113.50", 21), server_inside=True)
    flow.open().log_in()
    flow.say(flow.client, b"PASV\r\n")
    flow.say(flow.server, b"227 Ok (10,0,0,2,156,65)\r\n")
    address, port = named(flow.client.got.splitlines()[-1])
    assert address == "203.0.113.50"
    assert arrive(nat, S, 6666, Endpoint(IPv4Address(address).packed, port)) == f"{A}:40001"


def test_no_payload_is_not_read() -> None:
    nat = with_static(protocol=TCP, local_port=21, global_port=21, no_payload=True)
    flow = Connection(nat, client=(S, 5555), server=(A, 21), called=("203.0.113.50", 21), server_inside=True)
    flow.open().log_in()
    assert "ftp" not in nat.translator.reader.counters
    assert nat.counters.hits > 0


def test_addresses_are_named_by_static_rules_alone() -> None:
    nat = with_static()
    flow = Connection(nat, client=(S, 5555), server=(A, 21), called=("203.0.113.50", 21), server_inside=True)
    flow.open()
    application = next(iter(nat.translator._outside[6].values())).application
    assert application is not None
    assert application.doors is not None
    there = IPv4Address("203.0.113.50").packed
    assert application.doors.named(INSIDE, from_outside=False) == there
    assert application.doors.named(there, from_outside=True) == INSIDE
    assert application.doors.named(PEER, from_outside=True) is None
    assert application.doors.named(IPv4Address(B).packed, from_outside=False) is None


# TFTP


def test_tftp_answers_from_another_port() -> None:
    nat = ftp_nat("tftp", filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT)
    (asked,) = carried(nat, udp(A, 5000, S, 69, b"\0\1file\0octet\0blksize\x001428\0"), from_outside=False)
    place = Endpoint(IPv4Address(asked.src).packed, asked.sport)
    assert arrive(nat, T, 3333, place, UDP) is None
    assert arrive(nat, S, 3333, place, UDP) == f"{A}:5000"
    assert arrive(nat, S, 3334, place, UDP) is None
    (sent,) = carried(nat, udp(A, 5000, S, 3333, b"\0\4\0\0"), from_outside=False)
    assert (sent.src, sent.sport) == (asked.src, asked.sport)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0\1",
        b"\0\3\0\1data",
        b"\0\1file\0octet",
        b"\0\1\0octet\0",
        b"\0\1file\0other\0",
        b"GET / \0\0",
    ],
)
def test_what_is_no_tftp_request_opens_nothing(payload: bytes) -> None:
    nat = ftp_nat("tftp")
    (passed,) = carried(nat, udp(A, 5000, S, 69, payload), from_outside=False)
    assert bytes(passed.payload.payload) == payload
    assert nat.counters.expected == 0


def test_the_hosts_of_a_list() -> None:
    nat = ftp_nat()
    service = nat.translator.reader.services[TCP][(21).to_bytes(2, "big")]
    reads = service._replace(reads=lambda host: host == IPv4Address(B).packed)
    nat.translator.reader.use({TCP: {(21).to_bytes(2, "big"): reads}})
    for client in (A, B):
        Connection(nat, client=(client, 40000)).open().log_in()
    assert nat.translator.reader.counters["ftp"]["message"] == 5


# Other kinds of rules


def by_lines(*lines: str) -> Nat:
    nat = nat_by(*lines)
    nat.translator.reader.use(services("ftp"))
    return nat


@pytest.mark.parametrize(
    ("lines", "address", "port"),
    [
        (("ip nat inside source list 1 interface out0 overload",), "203.0.113.100", None),
        (
            ("ip nat pool P 203.0.113.8 203.0.113.11 prefix-length 24", "ip nat inside source list 1 pool P"),
            None,
            40001,
        ),
        ((f"ip nat inside source static {A} 203.0.113.50",), "203.0.113.50", 40001),
        (("ip nat inside source static network 10.0.0.0 203.0.113.0 /24",), "203.0.113.2", 40001),
    ],
    ids=["the router's own address", "an address for the host", "static", "static network"],
)
def test_an_active_client_by_any_rule(lines: tuple[str, ...], address: str | None, port: int | None) -> None:
    nat = by_lines(*lines)
    flow = Connection(nat).open().log_in()
    seen = flow.server.peer
    assert seen is not None
    flow.say(flow.client, b"PORT 10,0,0,2,156,65\r\n")
    told = named(flow.server.got.splitlines()[-1])
    assert told == (address or seen[0], port or told[1]), "a port of the router's own is not told"
    assert told[0] == seen[0], "the server wants the address that it sees"
    assert arrive(nat, S, 20, Endpoint(IPv4Address(told[0]).packed, told[1])) == f"{A}:40001"


def test_with_twice_nat_either_side_is_told_its_own_names() -> None:
    nat = by_lines(
        "ip nat pool P 203.0.113.8 203.0.113.8 prefix-length 24",
        "ip nat inside source list 1 pool P overload",
        f"ip nat outside source static {S} 10.9.9.9",
    )
    flow = Connection(nat, called=("10.9.9.9", 21)).open().log_in()
    flow.say(flow.client, b"PASV\r\n")
    flow.say(flow.server, b"227 Ok (198,51,100,10,9,9)\r\n")
    assert named(flow.client.got.splitlines()[-1]) == ("10.9.9.9", 9 * 257)
    flow.say(flow.client, b"PORT 10,0,0,2,156,65\r\n")
    address, port = named(flow.server.got.splitlines()[-1])
    (data,) = carried(nat, tcp(S, 20, address, port), from_outside=True)
    assert (data.src, data.dst, data.dport) == ("10.9.9.9", A, 40001)
