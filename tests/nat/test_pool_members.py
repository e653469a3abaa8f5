"""The allocator under anything: no port and no address twice, whoever allocates, whatever is freed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from snat.nat.address_pool import AddressPool
from snat.nat.addresses import Addresses, Spans, jump_hash
from snat.nat.own_ports import OwnPorts
from snat.nat.pool import QUARANTINE, SLOTS, Pool, member_slots
from tests.nat.records import packed

FIRST = int.from_bytes(packed("203.0.113.1"), "big")
TCP, UDP = 6, 17
HOSTS = [packed(f"10.0.0.{last}") for last in range(1, 9)]
RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 5)), min_size=1, max_size=5).map(
    lambda drawn: [
        (FIRST + 70 * number + start, FIRST + 70 * number + start + size - 1)
        for number, (start, size) in enumerate(drawn)
    ]
)


# Addresses in ranges


@given(RANGES)
def test_places_and_addresses_are_the_same_thing(ranges: list[tuple[int, int]]) -> None:
    addresses = Addresses(ranges)
    expected = [value.to_bytes(4, "big") for first, last in ranges for value in range(first, last + 1)]
    assert addresses.size == len(expected)
    assert [addresses.at(place) for place in range(addresses.size)] == expected
    assert [addresses.place(one) for one in expected] == list(range(addresses.size))
    assert addresses.place(packed("192.0.2.1")) is None


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)), max_size=8))
def test_spans_hold_what_any_of_their_ranges_holds(drawn: list[tuple[int, int]]) -> None:
    """Overlapping, adjacent, in any order."""
    ranges = [(start, start + size) for start, size in drawn]
    spans = Spans(ranges)
    for value in range(350):
        expected = any(first <= value <= last for first, last in ranges)
        assert (value.to_bytes(4, "big") in spans) is expected


def test_the_ends_of_all_addresses() -> None:
    spans = Spans([(0, 0), (0xFFFFFFFF, 0xFFFFFFFF)])
    assert bytes(4) in spans
    assert b"\xff\xff\xff\xff" in spans
    assert b"\xff\xff\xff\xfe" not in spans


# Which address


@given(st.integers(0, (1 << 64) - 1), st.integers(1, 5000))
def test_one_bucket_more_moves_a_key_only_into_it(key: int, buckets: int) -> None:
    before, after = jump_hash(key, buckets), jump_hash(key, buckets + 1)
    assert 0 <= before < buckets
    assert after in (before, buckets)


def test_buckets_are_filled_evenly() -> None:
    chance = random.Random(1)
    filled = [0] * 7
    for _ in range(7000):
        filled[jump_hash(chance.getrandbits(64), 7)] += 1
    assert all(850 < count < 1150 for count in filled)


def test_a_pool_of_all_addresses_costs_a_host_nothing() -> None:
    """It once looked at each of them: 16 million took a minute."""
    pool = Pool("P", [(0x0A000000, 0x0AFFFFFF)], range(SLOTS), random.Random(1))
    found = {pool.address_for(host) for host in HOSTS}
    assert len(found) == len(HOSTS)
    assert all(one is not None and one in pool for one in found)


# Paired or not


def full(pool: Pool, used: set[bytes]) -> None:
    """Give the low ports of a host's address away."""
    while (found := pool.allocate(UDP, HOSTS[0], 600, used, 0.0)) is not None:
        used.add(found)


def test_m4_a_host_whose_address_is_full_gets_no_port_of_another() -> None:
    pool, used = Pool("P", [(FIRST, FIRST + 3)], [3], random.Random(1)), set[bytes]()
    full(pool, used)
    assert {one[1:5] for one in used} == {pool.address_for(HOSTS[0])}
    assert (len(used), pool.misses) == (64, 1)


def test_m4_unless_pooling_is_arbitrary() -> None:
    pool = Pool("P", [(FIRST, FIRST + 3)], [3], random.Random(1), paired=False)
    used = set[bytes]()
    full(pool, used)
    assert (len(used), pool.misses) == (4 * 64, 1)
    assert len({one[1:5] for one in used}) == 4


# The router's own ports


@pytest.mark.parametrize(
    ("protocol", "port", "own"),
    [
        (6, 22, True),
        (17, 22, False),
        (6, 32768, True),
        (17, 60999, True),
        (6, 61000, False),
        (1, 40000, False),
    ],
)
def test_ports_of_the_router(protocol: int, port: int, own: bool) -> None:
    place = bytes((protocol,)) + port.to_bytes(2, "big")
    assert (place in OwnPorts([(6, 22)])) is own


def test_an_address_that_the_router_shares_is_exhausted_without_its_ports() -> None:
    own, used = OwnPorts([(UDP, 600)]), set[bytes]()
    pool = Pool("P", [(FIRST, FIRST)], range(SLOTS), random.Random(1))
    pool.reserve(own)
    while (found := pool.allocate(UDP, HOSTS[0], 600, used, 0.0)) is not None:
        used.add(found)
    assert len(used) == 1022, "all but 0 and 600"
    while (found := pool.allocate(UDP, HOSTS[0], 5000, used, 0.0)) is not None:
        used.add(found)
    assert len(used) == 1022 + 64512 - 28232


def test_to_name_ports_twice_changes_nothing() -> None:
    """Services come and go among the ports of the router's own connections: the pool is not touched."""
    assert OwnPorts([(UDP, 40000), (UDP, 600)]) == OwnPorts([(UDP, 600)])
    assert OwnPorts([(UDP, 600)]).with_services([(TCP, 22)]) == OwnPorts([(TCP, 22), (UDP, 600)])


def test_what_was_reserved_is_handed_out_once_it_is_not() -> None:
    """And what waited goes on waiting; the endpoint that somebody has he keeps."""
    pool = Pool("P", [(FIRST, FIRST)], range(SLOTS), random.Random(1))
    address = bytes((UDP,)) + FIRST.to_bytes(4, "big")
    pool.reserve(OwnPorts([(UDP, 600)]))
    used = set[bytes]()
    while (found := pool.allocate(UDP, HOSTS[0], 600, used, 0.0)) is not None:
        used.add(found)
    waiting = min(used)
    used.discard(waiting)
    pool.free(waiting, 0.0, quarantine=True)
    pool.reserve(OwnPorts([(UDP, 601)]))
    assert pool.allocate(UDP, HOSTS[0], 700, used, 1.0) == address + (600).to_bytes(2, "big")
    assert address + (601).to_bytes(2, "big") in used
    used.add(address + (600).to_bytes(2, "big"))
    assert pool.allocate(UDP, HOSTS[0], 700, used, 2.0) is None
    assert pool.allocate(UDP, HOSTS[0], 700, used, 121.0) == waiting


# Members


class Members(RuleBasedStateMachine):
    """Three members allocate ports by one table, each from its slots; entries come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.used: dict[bytes, int] = {}
        self.waiting: dict[bytes, float] = {}
        self.now = 0.0
        self.pools = [
            Pool("P", [(FIRST, FIRST + 1)], member_slots(one, [1, 2, 3]), random.Random(one))
            for one in (1, 2, 3)
        ]

    @rule(
        member=st.integers(0, 2),
        host=st.sampled_from(HOSTS),
        port=st.integers(0, 200) | st.integers(1024, 65535),
        protocol=st.sampled_from([TCP, UDP]),
        times=st.sampled_from([1, 1, 30]),
    )
    def allocate(self, member: int, host: bytes, port: int, protocol: int, times: int) -> None:
        pool = self.pools[member]
        for _ in range(times):
            found = pool.allocate(protocol, host, port, self.used, self.now)
            if found is None:
                return
            given = int.from_bytes(found[5:], "big")
            assert found not in self.used
            assert self.waiting.get(found, 0.0) <= self.now
            assert given > 0
            assert (given < 1024) is (port < 1024)
            assert (given >> 1) % SLOTS in member_slots(member + 1, [1, 2, 3])
            assert found[:5] == bytes((protocol,)) + (pool.address_for(host) or b"")
            self.used[found] = member

    @precondition(lambda self: self.used)
    @rule(data=st.data(), quarantine=st.booleans())
    def free(self, data: st.DataObject, quarantine: bool) -> None:
        """Every member hears of it: the entry was in every table."""
        gone = data.draw(st.sampled_from(sorted(self.used)))
        del self.used[gone]
        if quarantine:
            self.waiting[gone] = self.now + QUARANTINE
        for pool in self.pools:
            pool.free(gone, self.now, quarantine)

    @rule(seconds=st.sampled_from([1.0, 60.0, QUARANTINE]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(member=st.integers(0, 2))
    def forget(self, member: int) -> None:
        self.pools[member].forget()


TestMembers = Members.TestCase


class Owners(RuleBasedStateMachine):
    """Two members give whole addresses away and hear of the others entries."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.pools = [AddressPool("P", [(FIRST, FIRST + 8)], member_slots(one, [1, 2])) for one in (1, 2)]
        self.entries: list[tuple[bytes, bytes]] = []
        self.waiting: dict[bytes, float] = {}

    @rule(member=st.integers(0, 1), host=st.integers(0, 11))
    def give(self, member: int, host: int) -> None:
        inside = packed(f"10.0.0.{host}")
        address = self.pools[member].assign(inside, self.now)
        if address is None:
            return
        others = {one for at, one in self.entries if at == address}
        assert others <= {inside}, "nobody else has it"
        if not others:
            assert self.waiting.get(address, 0.0) <= self.now
        self.entries.append((address, inside))
        for pool in self.pools:
            pool.hold(address, inside, self.now)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        address, host = gone = data.draw(st.sampled_from(sorted(self.entries)))
        self.entries.remove(gone)
        for pool in self.pools:
            pool.release(address, host, self.now)
        if not any(at == address for at, _ in self.entries):
            self.waiting[address] = self.now + QUARANTINE

    @rule(seconds=st.sampled_from([1.0, QUARANTINE]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(member=st.integers(0, 1))
    def learn_anew(self, member: int) -> None:
        """As when rules come again."""
        self.pools[member].forget()
        for address, host in self.entries:
            self.pools[member].hold(address, host, self.now)

    @invariant()
    def they_know_what_there_is(self) -> None:
        for pool in self.pools:
            for address, host in self.entries:
                assert pool.host_of(address) == host
                assert pool.entries_of(address) == sum(at == address for at, _ in self.entries)


TestOwners = Owners.TestCase
