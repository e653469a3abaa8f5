"""ICMP errors about flows of every kind of rule: static, one to one, of an interface, twice NAT."""

import pytest
from scapy.layers.inet import IP
from scapy.packet import Packet, Raw

from tests.packets import buffer, parse, tcp, udp
from tests.translate.configured import nat_by
from tests.translate.errors import R, dropped, error, hops_later, quote, through
from tests.translate.nat import A, Nat, S

OWN = "203.0.113.100"
ROUTER = "10.0.0.254"
L = "10.9.9.9"
"""What the inside calls S."""
STATIC = f"ip nat inside source static {A} 203.0.113.20"
OF_ROUTER = f"ip nat inside source static {ROUTER} 203.0.113.21"
FORWARD = f"ip nat inside source static tcp {A} 80 203.0.113.20 8080"
OUTSIDE = f"ip nat outside source static {S} {L}"
POOL = (
    "ip nat pool P 203.0.113.1 203.0.113.1 prefix-length 24",
    "ip nat inside source list 1 pool P overload",
)
ONE_TO_ONE = (
    "ip nat pool W 203.0.113.30 203.0.113.31 prefix-length 24",
    "ip nat inside source list 1 pool W",
)
INTERFACE = "ip nat inside source list 1 interface out0 overload"
GRE = IP(src=A, dst=S, proto=47, flags="DF") / Raw(bytes(range(20)))


def opened(nat: Nat, flow: Packet, *, from_outside: bool = False) -> Packet:
    made = nat.send(flow, from_outside)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("lines", "flow"),
    [
        ((STATIC,), udp(A, 5000, S, 53)),
        ((STATIC,), GRE),
        ((FORWARD,), tcp(A, 80, S, 4000)),
        (ONE_TO_ONE, udp(A, 5000, S, 53)),
        (ONE_TO_ONE, GRE),
        ((INTERFACE,), udp(A, 5000, S, 53)),
        ((OUTSIDE, *POOL), udp(A, 5000, L, 53)),
        ((OUTSIDE,), udp(A, 5000, L, 53)),
        ((STATIC, OUTSIDE), tcp(A, 5000, L, 80)),
    ],
)
def test_i4_whatever_rule_a_flow_has_its_errors_come_back(lines: tuple[str, ...], flow: Packet) -> None:
    nat = nat_by(*lines)
    out = opened(nat, flow)
    made = through(nat, error(R, out.src, out, 11, 0), True)
    assert (made.src, made.dst) == (R, A)
    assert quote(made) == hops_later(flow)
    made = through(nat, error(out.dst, out.src, out, 3, 3), True)
    assert made.src == flow.dst, "the outside host has the name that it is called by inside"


@pytest.mark.parametrize(
    ("lines", "flow", "sender", "leaves"),
    [
        ((STATIC,), udp(S, 4000, "203.0.113.20", 53), A, "203.0.113.20"),
        ((STATIC,), udp(S, 4000, "203.0.113.20", 53), ROUTER, "203.0.113.20"),
        ((STATIC, OF_ROUTER), udp(S, 4000, "203.0.113.20", 53), ROUTER, "203.0.113.21"),
        ((FORWARD,), tcp(S, 4000, "203.0.113.20", 8080), A, "203.0.113.20"),
        ((OUTSIDE,), udp(S, 4000, A, 53), A, A),
        ((OUTSIDE,), udp(S, 4000, A, 53), ROUTER, ROUTER),
        ((STATIC, OUTSIDE), udp(S, 4000, "203.0.113.20", 53), A, "203.0.113.20"),
    ],
)
def test_i5_what_outside_hosts_began_has_errors_too(
    lines: tuple[str, ...], flow: Packet, sender: str, leaves: str
) -> None:
    nat = nat_by(*lines)
    came = opened(nat, flow, from_outside=True)
    made = through(nat, error(sender, came.src, came, 3, 3), False)
    assert (made.src, made.dst) == (leaves, S)
    assert quote(made) == hops_later(flow)


def test_i5_a_router_inside_has_the_address_of_its_own_entry() -> None:
    nat = nat_by(*ONE_TO_ONE)
    out = opened(nat, udp(A, 5000, S, 53))
    own = opened(nat, udp(ROUTER, 5000, S, 53)).src
    assert own != out.src
    came = opened(nat, udp(S, 53, out.src, 5000), from_outside=True)
    assert through(nat, error(ROUTER, S, came, 11, 0), False).src == own


def test_b3_errors_about_the_routers_own_packets_are_the_routers() -> None:
    nat = nat_by(INTERFACE)
    out = opened(nat, udp(A, 5000, S, 53))
    assert out.src == OWN
    own = udp(OWN, 40000, S, 53)
    assert out.sport != 40000
    filled, end = buffer(error(R, OWN, own, 3, 3))
    assert nat.raw(filled, end, True)[1] == "passed"
    assert parse(filled, end).dst == OWN
    assert quote(parse(filled, end)) == bytes(own)


def test_b3_a_global_address_that_is_not_the_routers_has_no_errors_of_others() -> None:
    nat = nat_by(STATIC)
    stranger = udp("203.0.113.20", 1, S, 53)
    assert dropped(nat, error(R, "203.0.113.20", stranger), True) == "icmp_unknown"


def test_a_quoted_address_without_ports_needs_no_more_than_a_header() -> None:
    nat = nat_by(STATIC)
    out = opened(nat, GRE)
    assert quote(through(nat, error(R, out.src, out, most=20), True)) == hops_later(GRE)[:20]
