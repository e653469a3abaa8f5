"""The paths of flows: found by their entry, parted when it goes."""

import gc

from snat.nat.entry import ID, Entry
from snat.nat.table import NatTable
from snat.translate.flow_cache import FlowCache, Path
from tests.packets import tcp, udp
from tests.records import record
from tests.translate.nat import A, Nat, S

LEADER = record(1)
OTHER = Entry.unpack(LEADER)._replace(nat_id=2).pack()
"""Of two devices, for one flow."""


def cached() -> tuple[NatTable, FlowCache]:
    table, cache = NatTable(), FlowCache(1)
    table.listen(cache, new=False)
    return table, cache


def test_a_path_is_found_by_its_entry() -> None:
    table, cache = cached()
    table.add([LEADER])
    assert cache.of(LEADER) is None
    path = cache.put(LEADER, 0.0)
    assert cache.of(LEADER) is path
    assert cache.of(OTHER) is None, "another entry of the same endpoints"
    assert cache.paths() == [path]
    assert len(cache) == 2


def test_who_comes_to_lead_hides_the_path_of_who_led() -> None:
    """Both entries have their own; what comes back by the former's goes on, until that entry goes."""
    table, cache = cached()
    table.add([OTHER])
    former = cache.put(OTHER, 0.0)
    table.add([LEADER])
    path = cache.put(LEADER, 0.0, leads_in=False)
    assert (cache.of(LEADER), cache.of(OTHER)) == (path, former)
    assert cache.inside[17] == {path.tuple: path}
    assert cache.outside[17] == {former.other.tuple: former.other}
    assert {*map(id, cache.paths())} == {id(path), id(former)}
    table.remove([OTHER])
    assert cache.of(OTHER) is None
    assert cache.outside[17] == {}
    assert cache.inside[17] == {path.tuple: path}


def test_a_path_that_never_led_is_found_too() -> None:
    table, cache = cached()
    table.add([LEADER, OTHER])
    cache.put(LEADER, 0.0)
    hidden = cache.put(OTHER, 0.0, leads_out=False, leads_in=False)
    assert cache.of(OTHER) is hidden
    table.remove([OTHER])
    assert cache.of(OTHER) is None
    assert cache.of(LEADER) is not None


def test_an_update_keeps_both_directions() -> None:
    table, cache = cached()
    table.add([LEADER])
    path = cache.put(LEADER, 0.0)
    newer = LEADER[:-1] + bytes([LEADER[-1] ^ 1])
    table.add([newer])
    assert newer[ID] == LEADER[ID]
    assert cache.of(newer) is path
    assert path.record is path.other.record is newer


def test_what_is_dropped_needs_no_garbage_collector() -> None:
    """It walks all paths there are, and they are the most of what there is."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        nat = Nat()
        for port in range(5000, 5010):
            nat.out(udp(A, port, S, 53))
            nat.out(tcp(A, port, S, 80, "S"))
        records = {*nat.table}

        def paths() -> int:
            return sum(isinstance(one, Path) and one.record in records for one in gc.get_objects())

        assert paths() == 40
        nat.wait(86400)
        assert len(nat.table) == 0
        assert paths() == 0
    finally:
        if enabled:
            gc.enable()
