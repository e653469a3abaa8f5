"""Standard access lists against ``ipaddress``."""

import random
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.nat.access_list import AccessList, Line
from snat.nat.pool import Pool
from snat.nat.rules import Rule, Rules
from tests.nat.records import packed

ADDRESSES = st.integers(0, 0xFFFFFFFF)
NETWORKS = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False), ADDRESSES, st.integers(0, 32)
)


def line(permit: bool, network: str | IPv4Network) -> Line:
    network = IPv4Network(network)
    return Line(permit, int(network.network_address), int(network.hostmask))


@given(st.lists(st.tuples(st.booleans(), NETWORKS), max_size=6), ADDRESSES, st.data())
def test_the_first_network_that_holds_the_address_decides(
    lines: list[tuple[bool, IPv4Network]], anywhere: int, data: st.DataObject
) -> None:
    """Addresses drawn at the edges of the networks as well as anywhere."""
    edges = [int(one[at]) + step for _, one in lines for at in (0, -1) for step in (-1, 0, 1)]
    address = data.draw(st.sampled_from([anywhere, *edges])) % (1 << 32)
    expected = next((permit for permit, one in lines if IPv4Address(address) in one), False)
    assert AccessList(tuple(line(*one) for one in lines)).permits(address) is expected


@given(ADDRESSES, ADDRESSES, ADDRESSES)
def test_bits_set_in_the_wildcard_are_not_compared(address: int, wildcard: int, source: int) -> None:
    """Wildcards need not be contiguous, and address bits under them do not matter."""
    compared = [bit for bit in range(32) if not wildcard >> bit & 1]
    expected = all(address >> bit & 1 == source >> bit & 1 for bit in compared)
    assert AccessList((Line(True, address, wildcard),)).permits(source) is expected


def test_an_empty_list_denies() -> None:
    assert not AccessList(()).permits(int(IPv4Address("10.0.0.1")))


@pytest.mark.parametrize(("source", "mapping"), [("10.1.0.1", 10), ("10.2.0.1", 20), ("192.0.2.1", None)])
def test_the_first_rule_whose_list_permits_decides(source: str, mapping: int | None) -> None:
    pools = tuple(
        Pool(name, [(int(IPv4Address(at)),) * 2], range(16), random.Random(1))
        for name, at in (("A", "203.0.113.1"), ("B", "203.0.113.2"))
    )
    narrow, wide = AccessList((line(True, "10.1.0.0/16"),)), AccessList((line(True, "10.0.0.0/8"),))
    rules = Rules((Rule(narrow, pools[0], 10), Rule(wide, pools[1], 20)), pools)
    found = rules.for_source(packed(source))
    assert (found.mapping_id if found else None) == mapping
    assert rules.pool_of(packed("203.0.113.2")) is pools[1]
    assert rules.pool_of(packed("203.0.113.3")) is None
