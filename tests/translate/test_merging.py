"""A device that merges another's table: restrained while it does, and the keeper of what came in."""

import pytest

from snat.nat.pool import QUARANTINE
from tests.nat.records import record
from tests.packets import echo, tcp, udp
from tests.translate.nat import MAPPING, A, B, Nat, P, S, T, endpoint, target


def theirs(host: str, port: int, *, protocol: int = 17, number: int = 1) -> bytes:
    """An entry that NAT ID 2 made."""
    return record(
        number,
        nat_id=2,
        protocol=protocol,
        inside_local=(host, port),
        inside_global=(P, port),
        outside=(S, 53),
        state=2 if protocol == 6 else 0,
        timeout_class=1 if protocol == 6 else 0,
    )


def restrain(nat: Nat, restrained: bool = True) -> None:
    nat.translator.flows.restrain(MAPPING, restrained)


def adopt(nat: Nat, *losers: bytes) -> None:
    """As a group does once it has merged what another had."""
    nat.translator.flows.manage(MAPPING, True, nat.now)
    nat.translator.flows.give_up(list(losers), nat.now)


# Restrained


def test_while_it_merges_a_flow_without_a_syn_makes_nothing() -> None:
    """Its entry may be on its way here, with another port."""
    nat = Nat()
    restrain(nat)
    assert nat.dropped(udp(A, 5000, S, 53), from_outside=False) == "restrained"
    assert nat.dropped(echo(A, S, 7), from_outside=False) == "restrained"
    assert len(nat.table) == 0


def test_while_it_merges_a_syn_makes_an_entry() -> None:
    nat = Nat()
    restrain(nat)
    assert endpoint(nat.out(tcp(A, 5000, S, 80, "S"))) == (P, 5000)
    assert nat.counters.restrained == 0


@pytest.mark.parametrize("flags", ["A", "PA", "SA", "F"])
def test_while_it_merges_other_segments_are_what_they_always_were(flags: str) -> None:
    nat = Nat()
    restrain(nat)
    assert nat.dropped(tcp(A, 5000, S, 80, flags), from_outside=False) == "not_syn"


def test_while_it_merges_flows_that_have_an_entry_go_on() -> None:
    nat = Nat()
    mapped = endpoint(nat.out(udp(A, 5000, S, 53)))
    restrain(nat)
    assert endpoint(nat.out(udp(A, 5000, S, 53))) == mapped
    assert target(nat.back(udp(S, 53, *mapped))) == (A, 5000)


def test_while_it_merges_a_mapped_endpoint_gets_no_new_flow_either() -> None:
    """Neither from inside nor from a known outside host's other port."""
    nat = Nat()
    mapped = endpoint(nat.out(udp(A, 5000, S, 53)))
    restrain(nat)
    assert nat.dropped(udp(A, 5000, T, 53), from_outside=False) == "restrained"
    assert nat.dropped(udp(S, 54, *mapped), from_outside=True) == "restrained"
    assert len(nat.table) == 1


def test_a_flow_whose_entry_came_in_is_translated_by_it() -> None:
    nat = Nat()
    restrain(nat)
    assert nat.out(udp(A, 5000, S, 53)) is None
    nat.table.add([theirs(A, 5000)])
    assert endpoint(nat.out(udp(A, 5000, S, 53))) == (P, 5000)
    assert nat.counters.created == 0


def test_another_mapping_is_not_restrained() -> None:
    nat = Nat()
    nat.translator.flows.restrain(MAPPING + 1, True)
    assert nat.out(udp(A, 5000, S, 53)) is not None


def test_when_the_merging_is_over_all_flows_begin_again() -> None:
    nat = Nat()
    restrain(nat)
    restrain(nat)  # a second neighbor's table
    restrain(nat, False)
    restrain(nat, False)  # and who is not restrained may be told so
    assert nat.out(udp(A, 5000, S, 53)) is not None
    assert nat.out(echo(A, S, 7)) is not None


# Adopted


def test_entries_that_came_in_do_not_age_before_they_are_adopted() -> None:
    nat = Nat()
    nat.table.add([theirs(A, 5000)])
    nat.wait(10_000)
    assert len(nat.table) == 1, "nobody put them on the wheel"


def test_adopted_entries_age_from_then_on() -> None:
    nat = Nat()
    nat.wait(500)
    nat.table.add([theirs(A, 5000), theirs(B, 5001, protocol=6, number=2)])
    adopt(nat)
    nat.wait(299)
    assert len(nat.table) == 2, "who takes an entry has not seen it used"
    nat.wait(2)
    assert [one[22] for one in nat.table] == [6]
    nat.wait(7440)
    assert (len(nat.table), nat.counters.expired) == (0, 2)


def test_an_adopted_entry_that_is_used_lives_on() -> None:
    nat = Nat()
    nat.table.add([theirs(A, 5000)])
    adopt(nat)
    nat.wait(200)
    assert target(nat.back(udp(S, 53, P, 5000))) == (A, 5000)
    nat.wait(200)
    assert len(nat.table) == 1
    nat.wait(101)
    assert len(nat.table) == 0


def test_its_own_entries_still_age_after_an_adoption() -> None:
    nat = Nat()
    nat.out(udp(A, 5000, S, 53))
    nat.wait(100)
    adopt(nat)
    nat.wait(301)
    assert len(nat.table) == 0
    assert nat.looks == 0, "one look an entry, and it was the last"


def test_the_port_of_a_loser_waits_before_it_is_used() -> None:
    nat = Nat()
    adopt(nat, theirs(B, 5000))
    assert endpoint(nat.out(udp(A, 5000, S, 53)))[1] != 5000
    nat.wait(QUARANTINE + 1)
    assert endpoint(nat.out(udp("10.0.0.9", 5000, S, 53))) == (P, 5000)


def test_the_port_of_a_tcp_loser_waits_too() -> None:
    """Its connection was not followed to an end here: the outside host still speaks to that port."""
    nat = Nat()
    adopt(nat, theirs(B, 5000, protocol=6))
    assert endpoint(nat.out(tcp(A, 5000, S, 80, "S")))[1] != 5000


def test_the_port_of_a_loser_that_has_an_entry_stays_in_use() -> None:
    """It lost to this entry's port; when that entry goes, the port waits as ever."""
    nat = Nat()
    assert endpoint(nat.out(udp(A, 5000, S, 53))) == (P, 5000)
    adopt(nat, theirs(B, 5000))
    nat.wait(QUARANTINE + 1)
    assert endpoint(nat.out(udp(A, 5000, T, 53))) == (P, 5000)
    assert endpoint(nat.out(udp(B, 5000, S, 53)))[1] != 5000


def test_a_loser_of_no_pool_of_ours_is_no_matter() -> None:
    nat = Nat()
    adopt(nat, record(1, nat_id=2, inside_global=("192.0.2.77", 5000)))
    assert endpoint(nat.out(udp(A, 5000, S, 53))) == (P, 5000)
