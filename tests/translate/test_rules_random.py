"""Every kind of rule at once, and any packets: nothing raises, every sum is right, every flow comes back."""

import random

from snat.translate.packet import START
from snat.translate.translator import Verdict
from tests.packets import raw_echo, raw_ends, raw_sums_are_right, raw_tcp, raw_udp
from tests.translate.configured import nat_by
from tests.translate.nat import Nat

LINES = (
    "access-list 2 permit 10.0.1.0 0.0.0.255",
    "access-list 3 permit 198.51.100.0 0.0.0.127",
    "access-list 4 permit host 203.0.113.50",
    "access-list 105 permit udp 10.0.2.0 0.0.0.255 any",
    "route-map R permit 10",
    " match ip address 105",
    "ip nat pool SHARED 203.0.113.1 203.0.113.2 prefix-length 24",
    "ip nat pool WHOLE 203.0.113.8 203.0.113.15 prefix-length 24",
    "ip nat pool OL 10.9.9.0 10.9.9.15 prefix-length 24",
    "ip nat pool TURNS 10.0.3.1 10.0.3.3 prefix-length 24 type rotary",
    "ip nat inside source route-map R interface out0 overload",
    "ip nat inside source list 2 pool WHOLE",
    "ip nat inside source list 1 pool SHARED overload",
    "ip nat inside destination list 4 pool TURNS",
    "ip nat outside source list 3 pool OL",
    "ip nat inside source static 10.0.0.9 203.0.113.20",
    "ip nat inside source static tcp 10.0.0.8 80 203.0.113.1 8080",
    "ip nat inside source static network 10.0.4.0 203.0.113.64 /28",
    "ip nat outside source static 198.51.100.200 10.9.8.1",
)
PRIVATE = b"\x0a"
ROUTER = bytes((203, 0, 113, 100))
"""What is for the router itself reaches it as it came."""


def address(chance: random.Random, *, outside: bool) -> bytes:
    if outside:
        return bytes((198, 51, 100, chance.choice((1, 2, 3, 130, 131, 200))))
    network = chance.choice((0, 0, 1, 1, 2, 4))
    return bytes((10, 0, network, chance.choice((1, 2, 3, 8, 9))))


def target(chance: random.Random, *, outside: bool) -> bytes:
    if not outside and chance.random() < 0.8:
        local = (bytes((10, 9, 9, chance.randrange(16))), bytes((10, 9, 8, 1)))
        return chance.choice((address(chance, outside=True), *local))
    return bytes((203, 0, 113, chance.choice((1, 2, 8, 9, 15, 20, 50, 65, 72, 100))))


def packet(chance: random.Random, *, from_outside: bool) -> bytes:
    source, destination = address(chance, outside=from_outside), target(chance, outside=from_outside)
    ports = chance.choice((80, 5000, 5001, 8080, 40000)), chance.choice((53, 80, 5000, 8080))
    match chance.randrange(3):
        case 0:
            return raw_udp(source, ports[0], destination, ports[1])
        case 1:
            return raw_tcp(source, ports[0], destination, ports[1], chance.choice((2, 2, 2, 16, 4, 17)))
    return raw_echo(source, destination, ports[0], reply=chance.random() < 0.2)


def sent(nat: Nat, data: bytes, room: bytearray, *, from_outside: bool) -> bytes | None:
    end = START + len(data)
    room[START:end] = data
    verdict = nat.translator.translate(room, end, from_outside, nat.now)
    return None if verdict is Verdict.DROP else bytes(room[START:end])


def answer(data: bytes) -> bytes:
    """What the other end of an open flow sends back."""
    ends = raw_ends(data)
    if ends.protocol == 1:
        return raw_echo(ends.destination, ends.source, ends.sport, reply=True)
    back = ends.destination, ends.dport, ends.source, ends.sport
    return raw_udp(*back) if ends.protocol == 17 else raw_tcp(*back, 18)


def test_any_packets_by_every_kind_of_rule() -> None:
    chance, nat, room = random.Random(7), nat_by(*LINES), bytearray(65600)
    passed = turned = 0
    for number in range(12_000):
        from_outside = chance.random() < 0.5
        data = packet(chance, from_outside=from_outside)
        created = nat.counters.created
        out = sent(nat, data, room, from_outside=from_outside)
        if number % 50 == 0:
            nat.wait(chance.choice((1, 20, 200)))
        if out is None:
            continue
        passed += 1
        assert raw_sums_are_right(out)
        if nat.counters.created == created or (data[9] == 6 and data[33] != 2):
            continue
        came_inside = from_outside or out[16:17] == PRIVATE
        turned += came_inside and not from_outside
        back = sent(nat, answer(out), room, from_outside=not came_inside)
        if back is None:
            assert number % 50 == 0, "it has aged out meanwhile"
            continue
        assert raw_sums_are_right(back)
        ends, began = raw_ends(back), raw_ends(data)
        assert (ends.source, ends.destination) == (began.destination, began.source)
        assert (ends.sport, ends.dport) == (began.dport, began.sport)
    assert passed > 4000
    assert turned > 100
    nat.wait(10**6)
    assert len(nat.table) == 4, "the static rules'"


def test_no_packet_of_a_translated_host_leaves_under_its_own_address() -> None:
    chance, nat, room = random.Random(8), nat_by(*LINES), bytearray(65600)
    left = 0
    for number in range(8000):
        out = sent(nat, packet(chance, from_outside=False), room, from_outside=False)
        if out is not None and out[16:20] != ROUTER:
            left += 1
            assert out[12:13] != PRIVATE
        if number % 100 == 0:
            nat.wait(300)
    assert left > 2000
