"""Which packets a dynamic rule is for: extended lists and route-maps."""

from ipaddress import IPv4Address

from snat.nat.entry import Entry, Flag
from tests.packets import echo, tcp, udp
from tests.translate.configured import nat_by, rules_by
from tests.translate.nat import A, B, Nat, S, T, endpoint, target

POOLS = (
    "ip nat pool P 203.0.113.1 203.0.113.1 prefix-length 24",
    "ip nat pool Q 203.0.113.2 203.0.113.9 prefix-length 24",
)
LISTS = (
    f"access-list 101 deny ip any host {T}",
    "access-list 101 permit tcp 10.0.0.0 0.255.255.255 any eq 80",
    "access-list 101 permit icmp any any",
    "access-list 102 permit udp any any",
)


def by(nat: Nat) -> set[str]:
    return {".".join(map(str, Entry.unpack(one).inside_global)) for one in nat.table}


def test_c6_an_extended_list_says_which_packets() -> None:
    nat = nat_by(*POOLS, *LISTS, "ip nat inside source list 101 pool P overload")
    assert endpoint(nat.out(tcp(A, 5000, S, 80))) == ("203.0.113.1", 5000)
    assert endpoint(nat.out(tcp(A, 5000, S, 81))) == (A, 5000)
    assert endpoint(nat.out(tcp(A, 5000, T, 80))) == (A, 5000), "exempt by its destination"
    assert endpoint(nat.out(udp(A, 5000, S, 80))) == (A, 5000)
    assert nat.out(echo(A, S, 7)).src == "203.0.113.1"  # type: ignore[union-attr]
    assert nat.counters.passed == 3


def test_a_flow_stays_translated_whatever_its_later_packets_are() -> None:
    """The list permits only what opens it: ``established`` would not be a SYN."""
    lines = ("access-list 103 deny tcp any any established", "access-list 103 permit tcp any any")
    nat = nat_by(*POOLS, *lines, "ip nat inside source list 103 pool P overload")
    nat.out(tcp(A, 5000, S, 80))
    assert endpoint(nat.out(tcp(A, 5000, S, 80, "FA"))) == ("203.0.113.1", 5000)


def test_rules_are_asked_in_their_order() -> None:
    nat = nat_by(
        *(*POOLS, *LISTS),
        "ip nat inside source list 101 pool P overload",
        "ip nat inside source list 1 pool Q overload",
    )
    assert endpoint(nat.out(tcp(A, 5000, S, 80)))[0] == "203.0.113.1"
    assert endpoint(nat.out(tcp(A, 5000, S, 81)))[0] != "203.0.113.1"


def test_u1_each_rule_has_its_own_mapping_of_an_endpoint() -> None:
    nat = nat_by(
        *(*POOLS, *LISTS),
        "ip nat inside source list 101 pool P overload",
        "ip nat inside source list 1 pool Q overload",
    )
    outs = [endpoint(nat.out(tcp(A, 5000, S, port))) for port in (80, 81, 80, 82)]
    assert outs[0] == outs[2] == ("203.0.113.1", 5000)
    assert outs[1] == outs[3]


def test_a_route_map_matches_what_any_of_its_lists_permits() -> None:
    lines = ("route-map R permit 10", " match ip address 101 102")
    nat = nat_by(*POOLS, *LISTS, *lines, "ip nat inside source route-map R pool P overload")
    assert endpoint(nat.out(tcp(A, 5000, S, 80)))[0] == "203.0.113.1"
    assert endpoint(nat.out(udp(A, 5000, T, 53)))[0] == "203.0.113.1", (
        "one list denies it, another permits it"
    )
    assert endpoint(nat.out(tcp(A, 5000, S, 81)))[0] == A


def test_a_deny_entry_exempts_what_it_matches() -> None:
    lines = (
        *("route-map R deny 10", " match ip address 102"),
        "route-map R permit 20",
    )
    nat = nat_by(*POOLS, *LISTS, *lines, "ip nat inside source route-map R pool P overload")
    assert endpoint(nat.out(udp(A, 5000, S, 53)))[0] == A
    assert endpoint(nat.out(tcp(A, 5000, S, 81)))[0] == "203.0.113.1"


def test_the_outside_interface_is_matched_and_another_never() -> None:
    lines = (
        *("route-map R permit 10", " match interface in0"),
        *("route-map R permit 20", " match interface out0", " match ip address 102"),
    )
    nat = nat_by(*POOLS, *LISTS, *lines, "ip nat inside source route-map R pool P overload")
    assert endpoint(nat.out(udp(A, 5000, S, 53)))[0] == "203.0.113.1"
    assert endpoint(nat.out(tcp(A, 5000, S, 80)))[0] == A


def test_the_kernel_says_by_which_of_several_a_packet_leaves() -> None:
    lines = (
        *("interface out1", " ip nat outside"),
        *("route-map ONE permit 10", " match interface out0"),
        *("route-map TWO permit 10", " match interface out1", " match ip address 102"),
        "ip nat inside source route-map ONE pool P overload",
        "ip nat inside source route-map TWO pool Q overload",
    )
    ways = {S: "out0", T: "out1"}
    made = rules_by(*POOLS, *LISTS, *lines, egress=lambda to: ways.get(str(IPv4Address(to)), ""))
    nat = Nat(made)
    assert not made.by_source
    assert endpoint(nat.out(udp(A, 5000, S, 53)))[0] == "203.0.113.1"
    second = endpoint(nat.out(udp(A, 5000, T, 53)))[0]
    assert second not in ("203.0.113.1", A)
    assert endpoint(nat.out(udp(A, 5000, "192.0.2.77", 53)))[0] == A, "there is no way"
    nowhere = Nat(rules_by(*POOLS, *LISTS, *lines))
    assert endpoint(nowhere.out(udp(A, 5000, T, 53)))[0] == "203.0.113.1", "by the first, where nobody knows"


# Without overload

MAP = ("route-map R permit 10", " match ip address 102")


def test_a_host_has_an_address_for_what_the_map_matches_and_no_simple_entry() -> None:
    nat = nat_by(*POOLS, *LISTS, *MAP, "ip nat inside source route-map R pool Q")
    first = endpoint(nat.out(udp(A, 5000, S, 53)))
    assert first[1] == 5000
    assert endpoint(nat.out(udp(A, 6000, T, 53))) == (first[0], 6000)
    assert endpoint(nat.out(udp(B, 5000, S, 53)))[0] != first[0]
    assert all(Entry.unpack(one).flags == Flag.EXTENDED for one in nat.table)


def test_outside_hosts_begin_only_where_it_is_reversible() -> None:
    rule = "ip nat inside source route-map R pool Q"
    nat = nat_by(*POOLS, *LISTS, *MAP, rule)
    mapped = endpoint(nat.out(udp(A, 5000, S, 53)))[0]
    assert nat.dropped(udp(T, 7, mapped, 99), from_outside=True) == "unknown_inbound"
    nat = nat_by(*POOLS, *LISTS, *MAP, f"{rule} reversible")
    mapped = endpoint(nat.out(udp(A, 5000, S, 53)))[0]
    assert target(nat.back(udp(T, 7, mapped, 99))) == (A, 99)
    assert nat.dropped(tcp(T, 7, mapped, 99), from_outside=True) == "unknown_inbound"
    assert len(by(nat)) == 1
