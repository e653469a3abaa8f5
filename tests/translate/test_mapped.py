"""An inside endpoint keeps its mapping (RFC 4787 REQ-1), at the same cost however many flows it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.nat.entry import FLAGS, INSIDE_GLOBAL, Flag
from snat.nat.table import NatTable
from snat.translate import mapped
from snat.translate.mapped import CROWDED, Mapped
from tests.packets import buffer, udp
from tests.translate.configured import nat_by
from tests.translate.nat import A, Nat, endpoint

STATIC = "203.0.113.20"
LINES = (
    "access-list 101 permit ip any 198.18.0.0 0.1.255.255",
    "route-map R permit 10",
    " match ip address 101",
    f"ip nat inside source static {A} {STATIC} route-map R reversible",
    "ip nat pool P 203.0.113.1 203.0.113.1 prefix-length 24",
    "ip nat inside source list 1 pool P overload",
)


def called(count: int) -> Nat:
    """A:5000, which ``count`` outside hosts have called by its static rule."""
    nat = nat_by(*LINES)
    for number in range(count):
        filled, end = buffer(udp(f"198.18.{number >> 8}.{number & 255}", 7, STATIC, 5000), room=200)
        nat.raw(filled, end, True)
    return nat


@pytest.mark.parametrize("count", [1, CROWDED + 10])
def test_u1_a_crowd_by_a_static_rule_changes_no_dynamic_mapping(count: int) -> None:
    nat = called(count)
    first = endpoint(nat.out(udp(A, 5000, "192.0.2.1", 53)))
    assert first[0] == "203.0.113.1"
    assert endpoint(nat.out(udp(A, 5000, "192.0.2.2", 53))) == first
    assert endpoint(nat.out(udp(A, 5000, "198.18.200.1", 53))) == (STATIC, 5000)


def test_a_crowd_is_walked_over_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else outside hosts, who may call at will, make each new flow of the inside host dear."""
    nat = called(CROWDED + 10)
    nat.out(udp(A, 5000, "192.0.2.1", 53))
    monkeypatch.delattr(mapped, "records_in")
    first = endpoint(nat.out(udp(A, 5000, "192.0.2.2", 53)))
    assert endpoint(nat.out(udp(A, 5000, "192.0.2.3", 53))) == first


# The index, whatever becomes of the table

NEAR = b"\x0a\x00\x00\x02\x13\x88\x11"


def record(owner: int, number: int, far: int, flags: int) -> bytes:
    """A flow of NEAR: one of three inside-global endpoints, by its far one."""
    inside_global = bytes((0x11, 203, 0, 113, far % 3)) + b"\x13\x88"
    outside = bytes((198, 51, 100, far)) + b"\x00\x35"
    head = owner.to_bytes(4, "big") + number.to_bytes(8, "big") + bytes(4)
    return (
        head + NEAR + inside_global[1:] + outside * 2 + flags.to_bytes(2, "big") + bytes((0, 1, 0, 0, 0, 9))
    )


records = st.builds(
    record,
    st.integers(1, 2),
    st.integers(1, 2),
    st.integers(0, 7),
    st.sampled_from([int(Flag.EXTENDED), 0]),
)
batches = st.lists(st.tuples(st.booleans(), st.lists(records, max_size=6)), max_size=12)


@given(batches)
def test_the_index_is_what_a_walk_would_find(steps: list[tuple[bool, list[bytes]]]) -> None:
    table = NatTable()
    index = Mapped(table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "CROWDED", 2)
        for adds, batch in steps:
            (table.add if adds else table.remove)(batch)
            walked = {one[INSIDE_GLOBAL] for one in table.at(NEAR) if one[FLAGS] & Flag.EXTENDED}
            assert set(index.of(NEAR)) == walked
            kept = index._crowded.get(NEAR)
            assert kept is None or set(kept) == walked
    table.remove(list(table))
    assert index._crowded == {}, "nothing is left of what is gone"
