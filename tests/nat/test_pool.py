"""Pools: positions, shares, preservation, exhaustion, quarantine, pairing."""

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snat.nat.pool import QUARANTINE, SLOTS, Pool, member_slots, position
from tests.nat.records import packed

TCP, UDP, ICMP = 6, 17, 1
FIRST = int.from_bytes(packed("203.0.113.1"), "big")
HOST = packed("10.0.0.2")
ALL = range(SLOTS)


def pool(slots: Sequence[int] = ALL, addresses: int = 1, seed: int = 1) -> Pool:
    return Pool("POOL1", [(FIRST, FIRST + addresses - 1)], slots, random.Random(seed))


def endpoint(found: tuple[bytes, int], protocol: int = UDP) -> bytes:
    return bytes((protocol,)) + found[0] + found[1].to_bytes(2, "big")


def allocated(
    one: Pool, port: int, used: set[bytes], now: float = 0.0, protocol: int = UDP, host: bytes = HOST
) -> tuple[bytes, int] | None:
    """Address and port."""
    found = one.allocate(protocol, host, port, used, now)
    if found is None:
        return None
    assert found[0] == protocol
    return found[1:5], int.from_bytes(found[5:], "big")


def taken(
    one: Pool, port: int, used: set[bytes], now: float = 0.0, protocol: int = UDP, host: bytes = HOST
) -> int | None:
    """The port for a new flow, which then has an entry."""
    found = allocated(one, port, used, now, protocol, host)
    if found is None:
        return None
    assert endpoint(found, protocol) not in used
    used.add(endpoint(found, protocol))
    return found[1]


def slot(port: int) -> int:
    return (port >> 1) % SLOTS


# Where ports are


def test_every_port_has_a_position_of_its_own() -> None:
    assert sorted(position(port) for port in range(65536)) == list(range(65536))


def test_each_slot_parity_and_class_is_contiguous() -> None:
    groups: dict[tuple[int, int, bool], list[int]] = {}
    for port in range(65536):
        groups.setdefault((slot(port), port & 1, port < 1024), []).append(position(port))
    assert len(groups) == 64
    assert all(max(at) - min(at) + 1 == len(at) for at in groups.values())


# Shares


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=16, unique=True))
def test_members_have_disjoint_slots_that_cover_all(members: list[int]) -> None:
    shares = [member_slots(nat_id, members) for nat_id in members]
    assert sorted(slot for share in shares for slot in share) == list(ALL)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_every_member_deals_the_same_whatever_order_it_knows_them_in() -> None:
    assert member_slots(2, [3, 1, 2]) == member_slots(2, [2, 2, 1, 3])


@given(st.integers(0, 65535), st.integers(0, 1 << 32))
def test_only_ports_of_the_own_slots_are_handed_out(port: int, seed: int) -> None:
    share = member_slots(1, [1, 2])
    found = allocated(pool(share, seed=seed), port, set())
    assert found is not None
    assert slot(found[1]) in share


# Which port


@given(st.integers(1, 65535))
def test_the_inside_port_is_kept_where_it_is_free(port: int) -> None:
    found = allocated(pool(), port, set())
    assert found == (packed("203.0.113.1"), port)


@given(st.integers(0, 65535), st.booleans())
def test_u3a_u4_class_and_parity_are_kept_when_the_port_is_not(port: int, in_slot: bool) -> None:
    share = [one for one in ALL if (one == slot(port)) is in_slot]
    used = {endpoint((packed("203.0.113.1"), port))}
    found = allocated(pool(share), port, used)
    assert found is not None
    assert found[1] != port
    assert (found[1] < 1024) is (port < 1024)
    assert found[1] & 1 == port & 1


def test_u3a_port_0_is_never_handed_out() -> None:
    one, used = pool([0]), set[bytes]()
    ports = [taken(one, 0, used) for _ in range(64)]
    assert ports.count(None) == 1
    assert 0 not in ports
    assert all(port < 1024 for port in ports if port is not None)


def test_parity_yields_before_a_flow_is_refused() -> None:
    one, used = pool([5]), set[bytes]()
    ports = [taken(one, 11, used) for _ in range(64)]
    assert [port & 1 for port in ports[:32] if port is not None] == [1] * 32
    assert [port & 1 for port in ports[32:] if port is not None] == [0] * 32


@pytest.mark.parametrize(("port", "capacity"), [(600, 64), (5000, 2 * 2016)])
def test_a_slot_is_exhausted_exactly_at_its_capacity(port: int, capacity: int) -> None:
    """The low class has 2 x 32 ports a slot, the high one 2 x 2016; slot 3 is without port 0."""
    one, used = pool([3]), set[bytes]()
    assert None not in [taken(one, port, used) for _ in range(capacity)]
    assert len(used) == capacity
    assert taken(one, port, used) is None
    assert taken(one, port, used, protocol=TCP) is not None, "protocols have ports of their own"


def test_an_exhausted_address_has_exactly_the_port_again_that_is_freed() -> None:
    one, used = pool([3]), set[bytes]()
    for _ in range(64):
        taken(one, 600, used, protocol=TCP)
    gone = sorted(used)[17]
    used.remove(gone)
    one.free(gone, 0.0, quarantine=False)
    assert taken(one, 601, used, protocol=TCP) == int.from_bytes(gone[5:], "big")
    assert taken(one, 601, used, protocol=TCP) is None


def test_u3_ports_that_entries_of_others_use_are_never_handed_out() -> None:
    """Half of a slot's low ports are in entries that came from another member."""
    address = packed("203.0.113.1")
    low = [port for port in range(1024) if slot(port) == 3]
    theirs = set(low[::2])
    used = {endpoint((address, port)) for port in theirs}
    one = pool([3])
    ours = [taken(one, 600, used) for _ in range(len(low) - len(theirs))]
    assert set(ours) == set(low) - theirs
    assert taken(one, 600, used) is None


def test_a_port_that_another_member_gave_up_is_found_again() -> None:
    one = pool([3])
    low = [port for port in range(1024) if slot(port) == 3]
    used = {endpoint((packed("203.0.113.1"), port), TCP) for port in low}
    assert taken(one, 600, used, protocol=TCP) is None
    gone = endpoint((packed("203.0.113.1"), low[9]), TCP)
    used.remove(gone)
    one.free(gone, 0.0, quarantine=False)
    assert taken(one, 600, used, protocol=TCP) == low[9]


def test_m9_ports_that_change_are_hard_to_guess() -> None:
    """RFC 6056: no arithmetic run, all slots, spread over the range."""
    one, used = pool(), {endpoint((packed("203.0.113.1"), 5000))}
    ports = [port for _ in range(1000) if (port := taken(one, 5000, used)) is not None]
    steps = [after - before for before, after in pairwise(ports)]
    assert max(steps.count(step) for step in set(steps)) < 20
    assert {slot(port) for port in ports} == set(ALL)
    quarters = [sum(low <= port < low + 16128 for port in ports) for low in range(1024, 65536, 16128)]
    assert all(150 < count < 350 for count in quarters), quarters


def test_ports_of_different_devices_start_differently() -> None:
    used = {endpoint((packed("203.0.113.1"), 5000))}
    assert taken(pool(seed=1), 5000, set(used)) != taken(pool(seed=2), 5000, set(used))


# Quarantine


def only_low_port(used: set[bytes]) -> Pool:
    """A pool whose low class has one port left: the next one is it."""
    one = pool([3])
    for port in range(1024):
        if slot(port) == 3 and port != 582:
            used.add(endpoint((packed("203.0.113.1"), port)))
    return one


def test_c8_a_freed_port_waits_for_120_s() -> None:
    used = set[bytes]()
    one = only_low_port(used)
    assert taken(one, 600, used, now=0.0) == 582
    gone = endpoint((packed("203.0.113.1"), 582))
    used.remove(gone)
    one.free(gone, 10.0, quarantine=True)
    assert taken(one, 600, used, now=10.0 + QUARANTINE - 0.1) is None
    assert taken(one, 582, used, now=10.0 + QUARANTINE - 0.1) is None
    assert taken(one, 600, used, now=10.0 + QUARANTINE) == 582


def test_c8_a_port_freed_twice_waits_from_the_second_time() -> None:
    """In between another member's entry used it."""
    used = set[bytes]()
    one = only_low_port(used)
    assert taken(one, 600, used, now=0.0) == 582
    gone = endpoint((packed("203.0.113.1"), 582))
    used.remove(gone)
    one.free(gone, 0.0, quarantine=True)
    one.free(gone, 100.0, quarantine=True)
    assert taken(one, 600, used, now=150.0) is None
    assert taken(one, 600, used, now=100.0 + QUARANTINE) == 582


def test_c8_a_port_that_waits_longer_does_not_hold_up_another() -> None:
    used = set[bytes]()
    one = only_low_port(used)
    again, other = (endpoint((packed("203.0.113.1"), port)) for port in (5000, 582))
    for gone, now in ((again, 0.0), (other, 50.0), (again, 100.0)):
        one.free(gone, now, quarantine=True)
    assert taken(one, 600, used, now=50.0 + QUARANTINE) == 582
    assert one.quarantined == 1


def test_c8_also_after_failover_a_port_that_this_device_never_handed_out_waits() -> None:
    used = set[bytes]()
    one = only_low_port(used)
    one.free(endpoint((packed("203.0.113.1"), 582)), 10.0, quarantine=True)
    assert taken(one, 582, used, now=11.0) is None
    assert taken(one, 582, used, now=10.0 + QUARANTINE) == 582


def test_a_standby_does_not_remember_quarantines_that_are_over() -> None:
    """It hears of deletes for weeks and allocates nothing."""
    one = pool()
    for number in range(1000):
        gone = endpoint((packed("203.0.113.1"), 1024 + number))
        one.free(gone, number * QUARANTINE, quarantine=True)
    assert one.quarantined <= 2


def test_tcp_is_not_quarantined() -> None:
    used = {
        endpoint((packed("203.0.113.1"), port), TCP)
        for port in range(1024)
        if slot(port) == 3 and port != 582
    }
    one = pool([3])
    assert taken(one, 600, used, protocol=TCP) == 582
    gone = endpoint((packed("203.0.113.1"), 582), TCP)
    used.remove(gone)
    one.free(gone, 0.0, quarantine=False)
    assert taken(one, 600, used, protocol=TCP, now=0.0) == 582


def test_freeing_an_address_that_nothing_was_allocated_from_is_harmless() -> None:
    one = pool()
    one.free(endpoint((packed("203.0.113.1"), 5000), TCP), 0.0, quarantine=False)
    assert taken(one, 5000, set(), protocol=TCP) == 5000


# Addresses


def test_a_pool_contains_its_addresses_and_no_other() -> None:
    one = pool(addresses=3)
    addresses = [packed(f"203.0.113.{last}") for last in range(6)]
    assert [address in one for address in addresses] == [False, True, True, True, False, False]


@given(st.binary(min_size=4, max_size=4), st.integers(1, 20))
def test_u2_a_host_keeps_one_address_and_members_agree(host: bytes, addresses: int) -> None:
    ours, theirs = (pool(slots, addresses, seed) for seed, slots in ((1, [0, 1]), (2, [2, 3])))
    address = ours.address_for(host)
    assert address is not None
    assert address in ours
    assert theirs.address_for(host) == address
    for protocol in (TCP, UDP, ICMP):
        found = allocated(ours, 5000, set(), protocol=protocol, host=host)
        assert found is not None
        assert found[0] == address


def test_u2_hosts_are_spread_over_the_pool() -> None:
    one = pool(addresses=4)
    hosts = [packed(f"10.0.{high}.{low}") for high in range(4) for low in range(250)]
    addresses = [one.address_for(host) for host in hosts]
    assert all(150 < addresses.count(address) < 350 for address in set(addresses))
    assert len(set(addresses)) == 4


def test_a_host_that_was_forgotten_has_the_same_address_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snat.nat.pool._HOSTS", 8)
    one = pool(addresses=4)
    hosts = [packed(f"10.0.0.{low}") for low in range(250)]
    assert [one.address_for(host) for host in hosts] == [one.address_for(host) for host in hosts]


def test_a_pool_of_several_ranges_has_their_addresses_and_no_others() -> None:
    ranges = [(FIRST, FIRST + 1), (FIRST + 10, FIRST + 10)]
    pool = Pool("POOL1", ranges, range(16), random.Random(1))
    inside = {value for value in range(FIRST - 1, FIRST + 12) if value.to_bytes(4, "big") in pool}
    assert inside == {FIRST, FIRST + 1, FIRST + 10}
    hosts = (host.to_bytes(4, "big") for host in range(200))
    assert {int.from_bytes(pool.address_for(host) or b"", "big") for host in hosts} == inside
