"""UDP as RFC 4787 wants it; the numbers are those of the requirements."""

import pytest
from scapy.layers.inet import UDP

from tests.packets import tcp, udp
from tests.translate.nat import INSIDE, MAPPING, A, B, Nat, P, Q, S, T, endpoint, permit, rules, target

UDP_TIMEOUT = 300


def blocked(nat: Nat, ports: list[int]) -> None:
    """Other hosts have these outside ports."""
    for number, port in enumerate(ports):
        assert endpoint(nat.out(udp(f"10.9.9.{number}", port, S, 53))) == (P, port)


def test_there_and_back() -> None:
    nat = Nat()
    out = nat.out(udp(A, 5000, S, 53, b"question"))
    assert endpoint(out) == (P, 5000)
    assert target(out) == (S, 53)
    answer = nat.back(udp(S, 53, P, 5000, b"answer"))
    assert endpoint(answer) == (S, 53)
    assert target(answer) == (A, 5000)
    assert (len(nat.table), nat.counters.created) == (1, 1)


@pytest.mark.parametrize("conflicts", [0, 1, 2])
def test_u1_u11_mapping_is_endpoint_independent_whatever_the_conflicts(conflicts: int) -> None:
    nat = Nat()
    for number in range(conflicts):
        nat.out(udp(f"10.9.9.{number}", 5000, S, 53))
    first = endpoint(nat.out(udp(A, 5000, S, 53)))
    assert endpoint(nat.out(udp(A, 5000, T, 99))) == first
    assert endpoint(nat.out(udp(A, 5000, S, 54))) == first
    assert (first == (P, 5000)) is (conflicts == 0)


def test_u1_also_after_the_first_session_ended() -> None:
    nat = Nat()
    blocked(nat, [5000])
    first = endpoint(nat.out(udp(A, 5000, S, 53)))
    nat.wait(200)
    nat.out(udp(A, 5000, T, 99))
    nat.wait(150)
    assert len(nat.table) == 1
    assert endpoint(nat.out(udp(A, 5000, S, 53))) == first


def test_u1_sessions_of_different_protocols_are_different_mappings() -> None:
    nat = Nat()
    nat.out(udp(A, 5000, S, 53))
    assert nat.dropped(tcp(S, 53, P, 5000), from_outside=True) == "unknown_inbound"


def test_u2_pooling_is_paired() -> None:
    nat = Nat(rules(addresses=8))
    leaves = [nat.out(udp(A, port, S, 53)) for port in range(5000, 5100)]
    leaves += [nat.out(tcp(A, port, T, 80)) for port in range(5000, 5100)]
    assert len({endpoint(one)[0] for one in leaves}) == 1
    hosts = {endpoint(nat.out(udp(f"10.0.1.{host}", 5000, S, 53)))[0] for host in range(50)}
    assert len(hosts) == 8


def test_u3_no_port_overloading() -> None:
    nat = Nat()
    first, second = (endpoint(nat.out(udp(host, 5000, S, 53))) for host in (A, B))
    assert first != second
    assert target(nat.back(udp(S, 53, *first))) == (A, 5000)
    assert target(nat.back(udp(S, 53, *second))) == (B, 5000)


def test_u3a_the_class_is_kept() -> None:
    nat = Nat()
    blocked(nat, [600, 5000])
    assert endpoint(nat.out(udp(A, 600, S, 53)))[1] < 1024
    assert endpoint(nat.out(udp(A, 5000, S, 53)))[1] >= 1024


def test_u3a_port_0_goes_out_by_another_port() -> None:
    nat = Nat()
    out = endpoint(nat.out(udp(A, 0, S, 53)))
    assert out[1] != 0
    assert target(nat.back(udp(S, 53, *out))) == (A, 0)


@pytest.mark.parametrize("port", [5000, 5001])
def test_u4_parity_is_kept_also_when_the_port_is_taken(port: int) -> None:
    nat = Nat()
    blocked(nat, [port])
    kept = endpoint(nat.out(udp(A, port, S, 53)))[1]
    assert kept != port
    assert kept % 2 == port % 2


@pytest.mark.parametrize("idle", [119, 299])
def test_u5_the_mapping_lives_for_the_default_time(idle: int) -> None:
    nat = Nat()
    nat.out(udp(A, 5000, S, 53))
    nat.wait(idle)
    assert target(nat.back(udp(S, 53, P, 5000))) == (A, 5000)


def test_u5_then_it_is_gone_and_its_port_is_free_after_quarantine() -> None:
    nat = Nat()
    nat.out(udp(A, 5000, S, 53))
    nat.wait(UDP_TIMEOUT + 1)
    assert nat.dropped(udp(S, 53, P, 5000), from_outside=True) == "unknown_inbound"
    assert (len(nat.table), nat.counters.expired) == (0, 1)
    assert endpoint(nat.out(udp(B, 5000, S, 53)))[1] != 5000, "C8: not within 120 s"
    nat.wait(120)
    assert endpoint(nat.out(udp("10.0.0.4", 5000, S, 53))) == (P, 5000)


def test_u5_the_time_is_configurable() -> None:
    nat = Nat(udp=120)
    nat.out(udp(A, 5000, S, 53))
    nat.wait(119)
    assert len(nat.table) == 1
    nat.wait(2)
    assert len(nat.table) == 0


def test_u5_a_longer_time_holds_for_entries_that_exist() -> None:
    nat = Nat(udp=120)
    nat.out(udp(A, 5000, S, 53))
    nat.translator.configure(rules(), Nat(udp=600).translator.flows.timeouts)
    nat.wait(599)
    assert len(nat.table) == 1
    nat.wait(2)
    assert len(nat.table) == 0


@pytest.mark.parametrize("df", ["DF", 0, "evil"], ids=["fast", "without DF", "slow"])
def test_u6_outbound_packets_refresh(df: str | int) -> None:
    nat = Nat()
    for _ in range(10):
        assert endpoint(nat.out(udp(A, 5000, S, 53, flags=df))) == (P, 5000)
        nat.wait(250)
    assert len(nat.table) == 1
    nat.wait(51)
    assert len(nat.table) == 0


def test_u6_inbound_packets_refresh_too() -> None:
    nat = Nat()
    nat.out(udp(A, 5000, S, 53))
    for _ in range(3):
        nat.wait(250)
        assert nat.back(udp(S, 53, P, 5000)) is not None
    nat.wait(301)
    assert len(nat.table) == 0


def test_u6_each_flow_of_a_mapping_ages_by_itself() -> None:
    nat = Nat()
    nat.out(udp(A, 5000, S, 53))
    nat.out(udp(A, 5000, T, 53))
    nat.wait(200)
    nat.out(udp(A, 5000, T, 53))
    nat.wait(101)
    assert len(nat.table) == 1
    assert nat.back(udp(T, 53, P, 5000)) is not None
    assert nat.dropped(udp(S, 53, P, 5000), from_outside=True) == "filtered"


def test_u7_an_outside_host_may_have_an_inside_hosts_address() -> None:
    nat = Nat(rules(lines=(permit("10.0.0.0/24"),)))
    out = endpoint(nat.out(udp(A, 5000, "10.0.0.77", 53)))
    nat.out(udp("10.0.0.77", 5000, S, 53))
    answer = nat.back(udp("10.0.0.77", 53, *out))
    assert endpoint(answer) == ("10.0.0.77", 53)
    assert target(answer) == (A, 5000)


@pytest.mark.parametrize("conflicts", [0, 1, 2])
def test_u8_u11_filtering_is_address_dependent(conflicts: int) -> None:
    nat = Nat()
    for number in range(conflicts):
        nat.out(udp(f"10.9.9.{number}", 5000, S, 53))
    mapped = endpoint(nat.out(udp(A, 5000, S, 53)))
    assert target(nat.back(udp(S, 99, *mapped))) == (A, 5000)
    assert nat.dropped(udp(T, 7, *mapped), from_outside=True) == "filtered"
    nat.out(udp(A, 5000, T, 4000))
    assert target(nat.back(udp(T, 7, *mapped))) == (A, 5000)


def test_m7_what_the_filter_refuses_does_not_refresh() -> None:
    nat = Nat()
    nat.out(udp(A, 5000, S, 53))
    for _ in range(3):
        nat.wait(99)
        assert nat.back(udp(T, 7, P, 5000)) is None
    nat.wait(4)
    assert len(nat.table) == 0


def test_c8_ports_of_expired_mappings_wait_before_they_are_used_again() -> None:
    """One slot has 64 low ports, with slot 3 all of them usable."""
    nat = Nat(rules(slots=[3]))
    for host in range(64):
        assert nat.out(udp(f"10.0.1.{host}", 600, S, 53)) is not None
    assert nat.dropped(udp(A, 600, S, 53), from_outside=False) == "exhausted"
    nat.wait(UDP_TIMEOUT + 1)
    assert len(nat.table) == 0
    assert nat.dropped(udp(A, 600, S, 53), from_outside=False) == "exhausted"
    nat.wait(121)
    assert nat.out(udp(A, 600, S, 53)) is not None


def test_c11_no_flow_suffers_from_exhaustion() -> None:
    nat = Nat(rules(slots=[3]))
    mapped = [endpoint(nat.out(udp(f"10.0.1.{host}", 600, S, 53))) for host in range(64)]
    assert nat.out(udp(A, 600, S, 53)) is None
    for host, one in enumerate(mapped):
        assert target(nat.back(udp(S, 53, *one))) == (f"10.0.1.{host}", 600)


def test_a_checksum_of_0_stays_0() -> None:
    nat = Nat()
    packet = udp(A, 5000, S, 53)
    packet[UDP].chksum = 0
    for _ in range(2):  # slow, then fast
        out = nat.out(packet)
        assert out is not None
        assert out[UDP].chksum == 0


def test_a_checksum_that_comes_out_as_0_is_sent_as_ffff() -> None:
    """Over all values of one payload word, one gives the sum 0xFFFF."""
    nat = Nat()
    seen = set()
    packet = udp(A, 5000, S, 53, b"\0\0")
    start = nat.out(packet)
    assert start is not None
    wanted = start[UDP].chksum  # adding this much to the payload makes the sum 0xFFFF
    for word in ((wanted + near) % 0xFFFF for near in range(-2, 3)):
        out = nat.out(udp(A, 5000, S, 53, word.to_bytes(2, "big")))
        assert out is not None
        seen.add(out[UDP].chksum)
    assert 0xFFFF in seen
    assert 0 not in seen


def test_entries_without_a_mapping_id_are_local() -> None:
    nat = Nat(rules(mapping_id=0), manages=False, nat_id=7)
    assert nat.out(udp(A, 5000, S, 53)) is not None
    (record,) = nat.table
    assert record[:4] == bytes(4)
    assert record[12:16] == bytes(4)


def test_an_entry_carries_its_maker_and_mapping() -> None:
    nat = Nat(nat_id=7)
    nat.out(udp(A, 5000, S, 53))
    (record,) = nat.table
    assert int.from_bytes(record[:4], "big") == 7
    assert int.from_bytes(record[12:16], "big") == MAPPING


def test_a_denied_host_keeps_its_address() -> None:
    nat = Nat(rules(lines=(permit(A + "/32", False), permit(INSIDE))))
    out = nat.out(udp(A, 5000, S, 53))
    assert endpoint(out) == (A, 5000)
    assert endpoint(nat.out(udp(B, 5000, S, 53)))[0] == P
    back = nat.back(udp(S, 53, A, 5000))
    assert target(back) == (A, 5000)
    assert (nat.counters.passed, nat.counters.created) == (2, 1)


def test_a_packet_for_an_unmapped_pool_address_is_dropped_on_both_sides() -> None:
    nat = Nat(rules(addresses=2))
    assert nat.dropped(udp(A, 5000, Q, 53), from_outside=False) == "unknown_inbound"
    assert nat.dropped(udp(S, 53, Q, 5000), from_outside=True) == "unknown_inbound"
    denied = "192.0.2.5"  # also from a host that no rule is for: it would circulate
    assert nat.dropped(udp(denied, 5000, Q, 53), from_outside=False) == "unknown_inbound"
