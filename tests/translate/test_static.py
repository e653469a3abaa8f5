"""Static rules of inside hosts: addresses, ports, networks, interfaces; with and without a condition."""

import pytest
from scapy.layers.inet import IP
from scapy.packet import Raw

from snat.nat.entry import LOCAL_NAT_ID, Entry, Flag, TimeoutClass
from tests.packets import echo, tcp, udp
from tests.translate.configured import nat_by, rules_by
from tests.translate.nat import A, B, Nat, S, T, endpoint, target

G, H = "203.0.113.20", "203.0.113.21"
"""Global addresses."""
WHOLE = f"ip nat inside source static {A} {G}"
WEB = f"ip nat inside source static tcp {A} 80 {G} 8080"
POOL = (
    "ip nat pool P 203.0.113.1 203.0.113.1 prefix-length 24",
    "ip nat inside source list 1 pool P overload",
)


def bases(nat: Nat) -> list[Entry]:
    return [entry for entry in map(Entry.unpack, nat.table) if entry.flags & Flag.STATIC]


# Addresses


def test_a_host_has_an_address_as_a_whole() -> None:
    nat = nat_by(WHOLE)
    out = nat.out(udp(A, 5000, S, 53))
    assert (endpoint(out), target(out)) == ((G, 5000), (S, 53))
    assert target(nat.back(udp(S, 53, G, 5000))) == (A, 5000)


@pytest.mark.parametrize("opens", [udp(S, 4000, G, 53), tcp(S, 4000, G, 22), echo(S, G, 9)])
def test_an_outside_host_may_begin(opens: IP) -> None:
    nat = nat_by(WHOLE)
    came = nat.back(opens)
    assert came is not None
    assert (came.src, came.dst) == (S, A)
    assert nat.counters.created == 1


def test_every_outside_host_may_send() -> None:
    nat = nat_by(WHOLE)
    nat.out(udp(A, 5000, S, 53))
    assert target(nat.back(udp(T, 7, G, 5000))) == (A, 5000)


@pytest.mark.parametrize("protocol", [47, 50, 132, 99])
def test_b1_all_protocols_pass_by_address_alone(protocol: int) -> None:
    nat = nat_by(WHOLE)
    for _ in range(2):
        out = nat.out(IP(src=A, dst=S, proto=protocol) / Raw(b"any bytes at all, ports or not"))
        assert out is not None
        assert (out.src, out.dst) == (G, S)
        back = nat.back(IP(src=S, dst=G, proto=protocol) / Raw(b"the answer"))
        assert back is not None
        assert (back.src, back.dst) == (S, A)
    assert nat.counters.created == 1


def test_a_static_rule_goes_before_a_pool() -> None:
    nat = nat_by(WHOLE, *POOL)
    assert endpoint(nat.out(udp(A, 5000, S, 53)))[0] == G
    assert endpoint(nat.out(udp(B, 5000, S, 53)))[0] == "203.0.113.1"


def test_a_segment_that_is_no_syn_opens_nothing() -> None:
    nat = nat_by(WHOLE)
    assert nat.dropped(tcp(S, 4000, G, 22, "A"), from_outside=True) == "not_syn"
    assert nat.dropped(tcp(A, 4000, S, 22, "A"), from_outside=False) == "not_syn"


def test_who_does_not_manage_the_mapping_opens_nothing() -> None:
    nat = nat_by(WHOLE)
    nat.translator.flows.manage(0, False, nat.now)
    assert nat.dropped(udp(S, 4000, G, 53), from_outside=True) == "not_managed"


# What the table shows


def test_a_rule_has_a_simple_entry_that_is_local_and_never_ages() -> None:
    nat = nat_by(WHOLE)
    (base,) = bases(nat)
    assert (base.nat_id, base.protocol, base.flags) == (LOCAL_NAT_ID, 0, Flag.STATIC)
    assert (base.inside_local, base.inside_global) == (bytes((10, 0, 0, 2)), bytes((203, 0, 113, 20)))
    assert base.timeout_class == TimeoutClass.STATIC
    nat.wait(10**6)
    assert len(nat.table) == 1


def test_its_flows_age() -> None:
    nat = nat_by(WHOLE)
    nat.back(udp(S, 4000, G, 53))
    nat.wait(301)
    assert (len(nat.table), nat.counters.expired) == (1, 1)


def test_entries_follow_the_rules_and_flows_stay() -> None:
    nat = nat_by(WHOLE, WEB.replace(A, B).replace(G, H))
    nat.back(udp(S, 4000, G, 53))
    nat.translator.configure(rules_by(WHOLE.replace(G, H)), nat.translator.flows.timeouts)
    assert [base.inside_global for base in bases(nat)] == [bytes((203, 0, 113, 21))]
    assert target(nat.back(udp(S, 4000, G, 53))) == (A, 53), "a flow outlives its rule"
    assert target(nat.out(udp(A, 53, S, 4000))) == (S, 4000)


def test_two_devices_show_a_rule_alike() -> None:
    one, other = nat_by(WHOLE, WEB.replace(G, H)), nat_by(WEB.replace(G, H), WHOLE)
    assert set(one.table) == set(other.table)
    assert len(one.table) == 2


def test_two_addresses_of_one_host_are_no_collision() -> None:
    nat = nat_by(f"{WHOLE} extendable", f"{WHOLE.replace(G, H)} extendable")
    assert len(bases(nat)) == 2
    assert nat.table.collisions == 0
    assert endpoint(nat.out(udp(A, 5000, S, 53)))[0] == G, "the first says what it is called"
    for address in (G, H):
        came = nat.back(udp(T, 4000 + int(address[-1]), address, 53))
        assert target(came) == (A, 53)
    assert endpoint(nat.out(udp(A, 53, T, 4001))) == (H, 53), "an answer leaves as whom was asked"


def test_flows_that_could_not_be_told_apart_do_not_begin() -> None:
    """One outside port, two addresses of one host: which of them answers?"""
    nat = nat_by(f"{WHOLE} extendable", f"{WHOLE.replace(G, H)} extendable")
    assert nat.back(udp(S, 4000, G, 53)) is not None
    assert nat.dropped(udp(S, 4000, H, 53), from_outside=True) == "ambiguous"


# Ports


def test_a_port_is_forwarded() -> None:
    nat = nat_by(WEB)
    assert target(nat.back(tcp(S, 4000, G, 8080))) == (A, 80)
    assert endpoint(nat.out(tcp(A, 80, S, 4000, "SA"))) == (G, 8080)
    assert nat.dropped(tcp(S, 4000, G, 80), from_outside=True) == "unknown_inbound"
    assert nat.dropped(udp(S, 4000, G, 8080), from_outside=True) == "unknown_inbound"


def test_what_the_host_begins_from_that_port_leaves_by_it() -> None:
    nat = nat_by(WEB)
    assert endpoint(nat.out(tcp(A, 80, S, 25))) == (G, 8080)
    assert endpoint(nat.out(tcp(A, 81, S, 25))) == (A, 81), "no rule is for this"


def test_a_port_goes_before_an_address_and_the_rest_is_the_addresss() -> None:
    nat = nat_by(WHOLE, WEB.replace(A, B))
    assert target(nat.back(tcp(S, 4000, G, 8080))) == (B, 80)
    assert target(nat.back(tcp(S, 4000, G, 22))) == (A, 22)


def test_a_pool_never_gives_away_a_port_of_a_static_rule() -> None:
    nat = nat_by(f"ip nat inside source static udp {A} 53 203.0.113.1 5000", *POOL)
    out = endpoint(nat.out(udp(B, 5000, S, 53)))
    assert out[0] == "203.0.113.1"
    assert out[1] != 5000
    assert target(nat.back(udp(S, 53, "203.0.113.1", 5000))) == (A, 53)


def test_a_rule_for_a_port_that_a_flow_has_leaves_the_flow_alone() -> None:
    nat = nat_by(*POOL)
    assert endpoint(nat.out(udp(B, 5000, S, 53))) == ("203.0.113.1", 5000)
    added = rules_by(f"ip nat inside source static udp {A} 53 203.0.113.1 5000", *POOL)
    nat.translator.configure(added, nat.translator.flows.timeouts)
    assert target(nat.back(udp(S, 53, "203.0.113.1", 5000))) == (B, 5000)
    assert target(nat.back(udp(T, 53, "203.0.113.1", 5000))) == (A, 53)
    assert nat.dropped(udp(A, 53, S, 53), from_outside=False) == "ambiguous"


# Networks


def test_hosts_of_a_network_keep_their_part_of_the_address() -> None:
    nat = nat_by("ip nat inside source static network 10.0.0.0 203.0.113.64 /28")
    assert endpoint(nat.out(udp("10.0.0.5", 5000, S, 53))) == ("203.0.113.69", 5000)
    assert target(nat.back(udp(S, 53, "203.0.113.70", 22))) == ("10.0.0.6", 22)
    assert endpoint(nat.out(udp("10.0.0.16", 5000, S, 53)))[0] == "10.0.0.16"
    assert nat.back(udp(S, 53, "203.0.113.80", 22)).dst == "203.0.113.80"  # type: ignore[union-attr]


def test_the_longer_network_goes_first_and_an_address_before_both() -> None:
    nat = nat_by(
        "ip nat inside source static network 10.0.0.0 198.18.0.0 /16",
        "ip nat inside source static network 10.0.1.0 198.19.1.0 /24",
        "ip nat inside source static 10.0.1.1 203.0.113.20",
    )
    sources = ("10.0.2.1", "10.0.1.2", "10.0.1.1")
    globals_ = [endpoint(nat.out(udp(one, 5000, S, 53)))[0] for one in sources]
    assert globals_ == ["198.18.2.1", "198.19.1.2", "203.0.113.20"]


# Interfaces


def test_a_port_of_an_interface_and_the_routers_own_traffic() -> None:
    nat = nat_by(f"ip nat inside source static tcp {A} 80 interface out0 8080")
    assert target(nat.back(tcp(S, 4000, "203.0.113.100", 8080))) == (A, 80)
    own = nat.back(tcp(S, 4000, "203.0.113.100", 22))
    assert target(own) == ("203.0.113.100", 22), "it is for the router"
    assert nat.counters.passed == 1


def test_an_interface_whose_address_is_learnt_and_then_lost() -> None:
    line = f"ip nat inside source static tcp {A} 80 interface out0 8080"
    nat = Nat(rules_by(line, learnt={"out0": bytes((192, 0, 2, 9))}))
    assert target(nat.back(tcp(S, 4000, "192.0.2.9", 8080))) == (A, 80)


# Route-maps

MAP = (
    f"access-list 101 permit ip any host {S}",
    "route-map R permit 10",
    " match ip address 101",
)


def test_a_route_map_says_for_which_packets() -> None:
    nat = nat_by(*MAP, f"{WHOLE} route-map R", *POOL)
    assert endpoint(nat.out(udp(A, 5000, S, 53)))[0] == G
    assert endpoint(nat.out(udp(A, 5000, T, 53)))[0] == "203.0.113.1", "then the pool's rule is for it"


def test_outside_hosts_begin_only_where_it_is_reversible() -> None:
    nat = nat_by(*MAP, f"{WHOLE} route-map R")
    assert nat.dropped(udp(S, 4000, G, 53), from_outside=True) == "unknown_inbound"
    nat = nat_by(*MAP, f"{WHOLE} route-map R reversible")
    assert target(nat.back(udp(S, 4000, G, 53))) == (A, 53)
    assert nat.dropped(udp(T, 4000, G, 53), from_outside=True) == "filtered"


def test_two_rules_of_one_host_by_where_it_sends() -> None:
    nat = nat_by(*MAP, f"{WHOLE} route-map R extendable", f"{WHOLE.replace(G, H)} extendable")
    assert endpoint(nat.out(udp(A, 5000, S, 53))) == (G, 5000)
    assert endpoint(nat.out(udp(A, 5000, T, 53))) == (H, 5000)
