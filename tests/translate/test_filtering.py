"""Who may send to a mapped inside endpoint: the three behaviours of RFC 4787 section 5 and RFC 5382 REQ-3."""

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.packet import Packet

from snat.config.nat import Filtering
from snat.translate.admission import CROWDED, MOST
from snat.translate.translator import Verdict
from tests.packets import buffer, echo, parse, tcp, udp
from tests.translate.configured import rules_by
from tests.translate.nat import A, B, Nat, P, Q, S, T, target

INDEPENDENT, ADDRESS, PORT = (
    Filtering.ENDPOINT_INDEPENDENT,
    Filtering.ADDRESS_DEPENDENT,
    Filtering.ADDRESS_AND_PORT_DEPENDENT,
)
LETS_IN = {
    # (filtering, from): of A's endpoint, which has sent to S:53
    (INDEPENDENT, "same endpoint"): True,
    (INDEPENDENT, "same address"): True,
    (INDEPENDENT, "another"): True,
    (ADDRESS, "same endpoint"): True,
    (ADDRESS, "same address"): True,
    (ADDRESS, "another"): False,
    (PORT, "same endpoint"): True,
    (PORT, "same address"): False,
    (PORT, "another"): False,
}
FROM = {"same endpoint": (S, 53), "same address": (S, 99), "another": (T, 7)}


def packet(kind: str, source: str, sport: int, destination: str, dport: int) -> Packet:
    make = tcp if kind == "tcp" else udp
    return make(source, sport, destination, dport)


def opened(filtering: Filtering, kind: str) -> Nat:
    nat = Nat(filtering=filtering)
    assert nat.out(packet(kind, A, 5000, S, 53)) is not None
    return nat


def behaves(nat: Nat, filtering: Filtering, kind: str) -> None:
    for name, (source, port) in FROM.items():
        arrives = packet(kind, source, port, P, 5000)
        if LETS_IN[filtering, name]:
            assert target(nat.back(arrives)) == (A, 5000), name
        else:
            assert nat.dropped(arrives, from_outside=True) == "filtered", name


@pytest.mark.parametrize("filtering", Filtering)
def test_u8a_the_filtering_behaviours_of_udp(filtering: Filtering) -> None:
    behaves(opened(filtering, "udp"), filtering, "udp")


@pytest.mark.parametrize("filtering", Filtering)
def test_t3a_the_filtering_behaviours_of_tcp(filtering: Filtering) -> None:
    behaves(opened(filtering, "tcp"), filtering, "tcp")


@pytest.mark.parametrize("filtering", Filtering)
@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_u8a_a_taker_filters_by_the_table(filtering: Filtering, kind: str) -> None:
    first = opened(filtering, kind)
    behaves(Nat(table=first.table, nat_id=2, filtering=filtering), filtering, kind)


@pytest.mark.parametrize("filtering", Filtering)
def test_u8a_another_setting_concerns_the_next_packet(filtering: Filtering) -> None:
    nat = opened(ADDRESS, "udp")
    translator = nat.translator
    translator.configure(translator.flows.rules, translator.flows.timeouts, filtering)
    behaves(nat, filtering, "udp")


def test_u8a_flows_that_were_let_in_stay_when_less_is() -> None:
    nat = opened(INDEPENDENT, "udp")
    assert nat.back(udp(T, 7, P, 5000)) is not None
    nat.translator.configure(nat.translator.flows.rules, nat.translator.flows.timeouts, PORT)
    assert target(nat.back(udp(T, 7, P, 5000))) == (A, 5000)
    assert nat.dropped(udp(T, 8, P, 5000), from_outside=True) == "filtered"


@pytest.mark.parametrize("filtering", Filtering)
def test_u8a_what_has_no_mapping_reaches_nobody(filtering: Filtering) -> None:
    nat = opened(filtering, "udp")
    assert nat.dropped(udp(S, 53, P, 5001), from_outside=True) == "unknown_inbound"
    assert nat.dropped(tcp(S, 53, P, 5000), from_outside=True) == "unknown_inbound"
    assert len(nat.table) == 1


@pytest.mark.parametrize("filtering", Filtering)
def test_u8a_who_was_let_in_is_answered_from_the_mapped_endpoint(filtering: Filtering) -> None:
    nat = opened(filtering, "udp")
    if LETS_IN[filtering, "another"]:
        nat.back(udp(T, 7, P, 5000))
        answer = nat.out(udp(A, 5000, T, 7))
        assert answer is not None
        assert (answer.src, answer.sport) == (P, 5000)
        assert len(nat.table) == 2
    else:
        assert nat.back(udp(T, 7, P, 5000)) is None
        assert len(nat.table) == 1


@pytest.mark.parametrize("filtering", Filtering)
def test_u12_icmp_errors_are_not_filtered_by_who_sends_them(filtering: Filtering) -> None:
    nat = opened(filtering, "udp")
    about = bytes(udp(P, 5000, S, 53, flags="DF"))[:28]
    filled, end = buffer(IP(bytes(IP(src=T, dst=P) / ICMP(type=3, code=1) / about)))
    assert nat.raw(filled, end, True) == (Verdict.TO_INSIDE, "icmp_errors")
    assert parse(filled, end).dst == A


@pytest.mark.parametrize("filtering", Filtering)
def test_u8a_pings_of_strangers_belong_to_nobody(filtering: Filtering) -> None:
    nat = Nat(filtering=filtering)
    nat.out(echo(A, S, 77))
    assert nat.dropped(echo(T, P, 77), from_outside=True) == "filtered"


@pytest.mark.parametrize("filtering", Filtering)
@pytest.mark.parametrize(
    "lines",
    [
        [f"ip nat inside source static {A} {Q}"],
        [f"ip nat inside source static udp {A} 5000 {Q} 5000"],
        [
            f"access-list 7 permit host {A}",
            f"ip nat pool WHOLE {Q} {Q} prefix-length 30",
            "ip nat inside source list 7 pool WHOLE",
        ],
    ],
    ids=["address", "port", "pool"],
)
def test_u8a_what_is_open_by_a_rule_is_open_to_all(filtering: Filtering, lines: list[str]) -> None:
    nat = Nat(rules_by(*lines), filtering=filtering)
    nat.translator.flows.manage(0, True, nat.now)
    assert nat.out(udp(A, 5000, S, 53)) is not None
    for source, port in FROM.values():
        assert target(nat.back(udp(source, port, Q, 5000))) == (A, 5000)


@pytest.mark.parametrize("filtering", Filtering)
def test_u8a_hosts_that_share_an_address_alone_are_told_apart_by_who_they_sent_to(
    filtering: Filtering,
) -> None:
    """Of a protocol without ports: else a stranger's packet would reach anybody."""
    nat = Nat(filtering=filtering)
    for host, server in ((A, S), (B, T)):
        assert nat.out(IP(src=host, dst=server, proto=50, flags="DF") / b"espespesp") is not None
    answer = nat.back(IP(src=T, dst=P, proto=50, flags="DF") / b"answer")
    assert answer is not None
    assert answer.dst == B
    assert nat.back(IP(src="192.0.2.9", dst=P, proto=50, flags="DF") / b"stranger") is None


# Crowds


def sent_to(count: int, filtering: Filtering = ADDRESS) -> Nat:
    """A has sent to so many hosts of 198.18.0.0/15 from one port."""
    nat = Nat(filtering=filtering)
    for number in range(count):
        filled, end = buffer(udp(A, 5000, host(number), 53), room=200)
        nat.raw(filled, end, False)
    return nat


def host(number: int) -> str:
    return f"198.18.{number >> 8}.{number & 255}"


def test_strangers_of_a_crowded_endpoint_cost_one_look() -> None:
    """Else each of their packets would walk over all flows, which are as many as the inside host likes."""
    nat = sent_to(CROWDED + 10)
    assert nat.dropped(udp(T, 7, P, 5000), from_outside=True) == "filtered"
    looks = Looks()
    nat.translator.flows._admission._crowded[b"\x11\xcb\x00\x71\x01\x13\x88"] = looks
    assert nat.dropped(udp(T, 7, P, 5000), from_outside=True) == "filtered"
    assert looks.asked == 1


class Looks(dict[bytes, dict[bytes, bytes]]):
    asked = 0

    def get(self, _key: bytes, _default: Any = None) -> Any:
        self.asked += 1
        return None


def test_a_crowd_is_known_as_it_comes_and_goes() -> None:
    nat = sent_to(CROWDED + 10)
    assert nat.dropped(udp(host(CROWDED + 20), 7, P, 5000), from_outside=True) == "filtered"
    assert target(nat.back(udp(host(3), 7, P, 5000))) == (A, 5000)
    nat.out(udp(A, 5000, host(CROWDED + 20), 53))
    assert target(nat.back(udp(host(CROWDED + 20), 8, P, 5000))) == (A, 5000)
    gone = [record for record in nat.table if record[35:39] == bytes(map(int, host(3).split(".")))]
    assert len(gone) == 2
    nat.table.remove(gone[:1])
    assert nat.back(udp(host(3), 9, P, 5000)) is not None, "the other flow still lets it in"
    left = [record for record in nat.table if record[35:39] == gone[0][35:39]]
    nat.table.remove(left)
    assert nat.dropped(udp(host(3), 7, P, 5000), from_outside=True) == "filtered"
    nat.table.remove(list(nat.table))
    assert nat.translator.flows._admission._crowded == {}


def test_where_two_devices_made_a_flow_one_of_them_is_enough() -> None:
    nat = sent_to(CROWDED + 1)
    nat.dropped(udp(T, 7, P, 5000), from_outside=True)
    (first,) = (one for one in nat.table if one[35:39] == bytes((198, 18, 0, 5)))
    second = (99).to_bytes(4, "big") + first[4:]
    nat.table.add([second])
    nat.table.remove([second])
    assert target(nat.back(udp(host(5), 9, P, 5000))) == (A, 5000)


def test_strangers_cannot_fill_the_tables_by_one_open_endpoint() -> None:
    nat = sent_to(1, INDEPENDENT)
    for number in range(1, MOST + 5):
        filled, end = buffer(udp(host(number), 53, P, 5000), room=200)
        nat.raw(filled, end, True)
    assert len(nat.table) == MOST
    assert nat.counters.crowded == 5
    assert nat.out(udp(A, 5000, T, 7)) is not None, "the inside host is not held up"
    assert nat.out(udp(B, 5001, T, 7)) is not None


def test_a_full_server_takes_more_clients() -> None:
    nat = Nat(rules_by(f"ip nat inside source static udp {A} 5000 {Q} 5000"))
    for number in range(MOST + 5):
        filled, end = buffer(udp(host(number), 53, Q, 5000), room=200)
        assert nat.raw(filled, end, True)[1] == "slow"
    assert len(nat.table) == MOST + 6
