"""What may be opened for calls of PPTP, whoever asks for it: the rules of doors, with call IDs for ports."""

from ipaddress import IPv4Address

from snat.nat.entry import FLAGS, Flag
from snat.nat.table import NatTable
from snat.nat.tracking import GRE
from snat.translate.alg.gateway import Doors, Endpoint
from snat.translate.expected import MOST_OF_HOST
from tests.translate.alg.flow import Connection, ftp_nat
from tests.translate.nat import MAPPING, A, B, Nat, P, S, T
from tests.translate.test_gre import call, id_of

INSIDE, PEER = IPv4Address(A).packed, IPv4Address(S).packed


def opened(nat: Nat | None = None, host: str = A) -> tuple[Nat, Doors]:
    """A control connection, and its doors."""
    nat = nat or ftp_nat("pptp")
    Connection(nat, client=(host, 40000), server=(S, 1723)).open()
    paths = nat.translator._inside[6].values()
    (application,) = [one.application for one in paths if one.record[16:20] == IPv4Address(host).packed]
    assert application is not None
    assert application.doors is not None
    return nat, application.doors


def count(nat: Nat, what: str) -> int:
    return nat.translator.reader.counters["pptp"][what]


def calls(nat: Nat) -> list[bytes]:
    return [one for one in nat.table.records() if one[22] == GRE]


def open_call(doors: Doors, own: int, theirs: int = 0, *, host: bytes = INSIDE) -> Endpoint | None:
    return doors.open(GRE, Endpoint(host, own), Endpoint(PEER, theirs), life=60)


def test_a_low_id_is_as_good_as_any() -> None:
    nat, doors = opened()
    place = open_call(doors, 1)
    assert place is not None
    assert id_of(nat.back(call(S, P, place.port))) == 1


def test_another_hosts_id_and_none_are_refused() -> None:
    nat, doors = opened()
    assert open_call(doors, 7, host=IPv4Address(B).packed) is None
    assert open_call(doors, 0) is None
    assert (count(nat, "address of another host"), count(nat, "call ID 0")) == (1, 1)
    assert not calls(nat)


def test_the_same_call_again_is_the_same() -> None:
    nat, doors = opened()
    first = open_call(doors, 7)
    assert open_call(doors, 7, 91) == first == open_call(doors, 7, 91)
    assert len(calls(nat)) == 2
    assert id_of(nat.out(call(A, S, 91))) == 91
    flows = [one for one in calls(nat) if not one[FLAGS] & Flag.EXPECTED]
    assert open_call(doors, 7, 91) == first
    assert [one for one in calls(nat) if not one[FLAGS] & Flag.EXPECTED] == flows


def test_so_many_and_no_more() -> None:
    nat, doors = opened()
    own = 0
    while open_call(doors, own := own + 1, 0x8000 + own) is not None:
        assert own <= MOST_OF_HOST
    assert count(nat, "too many expected") == 1
    assert len(calls(nat)) <= MOST_OF_HOST


def test_closing_is_for_one_call() -> None:
    nat, doors = opened()
    for own, theirs in ((7, 91), (8, 92)):
        assert open_call(doors, own, theirs) is not None
    doors.close(GRE, Endpoint(INSIDE, 7))
    doors.close(GRE, Endpoint(IPv4Address(B).packed, 8))
    assert {one[20:22] for one in calls(nat)} == {b"\0\x08", b"\0\0"}
    assert id_of(nat.out(call(A, S, 92))) == 92


def test_the_call_of_another_client_stays() -> None:
    nat, doors = opened()
    _, others = opened(nat, B)
    one = open_call(doors, 7, 91)
    other = open_call(others, 7, 92, host=IPv4Address(B).packed)
    assert one is not None
    assert other is not None
    doors.close(GRE, Endpoint(INSIDE, 7))
    assert nat.dropped(call(S, P, one.port), from_outside=True) == "unknown_inbound"
    back = nat.back(call(S, P, other.port))
    assert back is not None
    assert back.dst == B


def test_an_id_that_another_host_sends_to_is_refused() -> None:
    nat, doors = opened()
    _, others = opened(nat, B)
    assert open_call(doors, 7, 91) is not None
    assert open_call(others, 8, 91, host=IPv4Address(B).packed) is None
    assert count(nat, "call ID of another host") == 1


def test_who_does_not_manage_the_mapping_opens_nothing_and_changes_nothing() -> None:
    nat, doors = opened()
    assert open_call(doors, 7, 91) is not None
    records = sorted(calls(nat))
    nat.manage(False)
    assert open_call(doors, 8) is None
    assert count(nat, "managed by another router") == 1
    assert id_of(nat.out(call(A, S, 91))) == 91  # a packet on its way passes
    assert sorted(calls(nat)) == records


def test_a_taker_waits_in_full_and_then_forgets() -> None:
    nat, doors = opened()
    assert open_call(doors, 7, 91) is not None
    table = NatTable()
    table.add(nat.table.records())
    taker = ftp_nat("pptp", table=table, nat_id=2, now=nat.now + 30)
    taker.manage()
    taker.wait(50)
    assert len(calls(taker)) == 2
    taker.wait(20)
    assert not calls(taker)
    assert taker.dropped(call(S, P, 7), from_outside=True) == "unknown_inbound"
    assert {int.from_bytes(one[12:16], "big") for one in nat.table.records()} == {MAPPING}
    assert nat.dropped(call(T, P, 7), from_outside=True) == "filtered"
