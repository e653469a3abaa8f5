"""Another router goes on with what the context of entries says: numbers, edits, dialogue, expectations."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snat.nat.entry import context_of, with_context
from snat.nat.table import NatTable
from snat.translate.alg.context import Read, decode
from snat.translate.alg.reading import DELAY
from tests.packets import tcp
from tests.translate.alg.flow import Connection, carried, ftp_nat, released
from tests.translate.alg.test_ftp_through import named
from tests.translate.nat import A, Nat, P, S

PORT_LINE = b"PORT 10,0,0,2,156,65\r\n"


def successor(nat: Nat, *, nat_id: int = 2) -> Nat:
    """A router that has what was replicated, and nothing else."""
    table = NatTable()
    table.add(nat.table.records())
    other = ftp_nat(table=table, nat_id=nat_id)
    other.now = nat.now
    return other


def taken_over(flow: Connection) -> Connection:
    """The first router is dead."""
    flow.nat = successor(flow.nat)
    return flow


def logged_in() -> Connection:
    return Connection(ftp_nat()).open().log_in()


def test_the_dialogue_goes_on() -> None:
    flow = logged_in()
    flow.say(flow.client, PORT_LINE)
    flow.say(flow.server, b"200 PORT\r\n")
    taken_over(flow)
    flow.say(flow.client, b"RETR x\r\n")
    flow.say(flow.server, b"150 here\r\n")
    flow.say(flow.client, b"PORT 10,0,0,2,156,70\r\n")
    assert flow.server.got.endswith(b"RETR x\r\nPORT " + flow.server.got.rsplit(b"PORT ", 1)[1])
    address, port = named(flow.server.got.splitlines()[-1])
    assert address == P
    (data,) = carried(flow.nat, tcp(S, 20, P, port), from_outside=True)
    assert (data.dst, data.dport) == (A, 40006)


def test_what_was_opened_stays_open() -> None:
    flow = logged_in()
    flow.say(flow.client, PORT_LINE)
    _, port = named(flow.server.got.splitlines()[-1])
    taken_over(flow)
    (data,) = carried(flow.nat, tcp(S, 20, P, port), from_outside=True)
    assert (data.dst, data.dport) == (A, 40001)


def test_what_was_opened_does_not_stay_for_ever() -> None:
    flow = logged_in()
    flow.say(flow.client, PORT_LINE)
    _, port = named(flow.server.got.splitlines()[-1])
    taken_over(flow)
    flow.nat.wait(61)
    assert carried(flow.nat, tcp(S, 20, P, port), from_outside=True) == []


def test_an_edit_is_repeated_the_same_way() -> None:
    """The command was read, and died with the router or on its way."""
    flow = logged_in()
    start, flow.client.sent = len(flow.client.sent), flow.client.sent + PORT_LINE
    (lost,) = carried(flow.nat, flow.client.segment("PA", start, PORT_LINE), from_outside=False)
    taken_over(flow)
    (again,) = flow.carry(flow.client, flow.client.segment("PA", start, PORT_LINE))
    assert bytes(again.payload.payload) == bytes(lost.payload.payload)
    assert again.seq == lost.seq
    flow.acknowledge(flow.server)
    assert flow.client.acknowledged == len(flow.client.sent)
    assert flow.nat.counters.expected == 0, "it is expected already"


def test_several_takeovers() -> None:
    flow = logged_in()
    for number in range(5):
        flow.say(flow.client, b"PORT 10,0,0,2,156,%d\r\n" % (70 + number))
        taken_over(flow)
        flow.say(flow.server, b"200 PORT\r\n")
        flow.say(flow.client, b"NOOP\r\n")
    assert flow.server.got.count(b"PORT 203,0,113,1,") == 5
    assert flow.client.acknowledged == len(flow.client.sent)


def test_the_line_that_is_cut_by_a_takeover_passes() -> None:
    flow = logged_in()
    flow.say(flow.client, PORT_LINE[:9])
    taken_over(flow)
    flow.say(flow.client, PORT_LINE[9:])
    assert flow.server.got.endswith(PORT_LINE)
    assert flow.nat.counters.expected == 0
    flow.say(flow.client, PORT_LINE)
    assert not flow.server.got.endswith(PORT_LINE)


def test_a_router_that_manages_again_knows_what_happened_meanwhile() -> None:
    flow = logged_in()
    first = flow.nat
    taken_over(flow)
    flow.say(flow.client, PORT_LINE)
    flow.say(flow.client, PORT_LINE.replace(b"65", b"66"))
    first.table.add(flow.nat.table.records())  # as replication brings them
    flow.nat = first
    flow.say(flow.client, b"NOOP\r\n")
    flow.say(flow.server, b"200 NOOP\r\n")
    assert flow.server.got.endswith(b"NOOP\r\n")
    assert flow.client.acknowledged == len(flow.client.sent)


@pytest.mark.parametrize("context", [b"\xee\xff future", b"\1\1\4what\1" + bytes(30), b"\1"])
def test_an_unknown_context_is_kept(context: bytes) -> None:
    flow = logged_in()
    (record,) = flow.nat.table.records()
    flow.nat.table.add([with_context(record, context)])
    taken_over(flow)
    flow.say(flow.client, b"NOOP\r\n")
    assert flow.server.got.endswith(b"NOOP\r\n")
    flow.carry(flow.client, flow.client.segment("FA", len(flow.client.sent)))
    flow.client.finished = True
    flow.carry(flow.server, flow.server.segment("FA", len(flow.server.sent)))
    (after,) = flow.nat.table.records()
    assert after != record
    assert context_of(after) == context


def test_a_flow_of_a_gateway_that_is_not_here_keeps_its_numbers() -> None:
    flow = logged_in()
    flow.say(flow.client, PORT_LINE)
    (control,) = [one for one in flow.nat.table.records() if isinstance(decode(context_of(one)), Read)]
    context = context_of(control)
    flow.nat.table.add([with_context(control, context.replace(b"\3ftp", b"\3new"))])
    taken_over(flow)
    flow.say(flow.client, PORT_LINE)
    assert flow.server.got.endswith(PORT_LINE)
    assert flow.client.acknowledged == len(flow.client.sent)


def test_an_edit_that_changes_the_length_waits_for_other_routers() -> None:
    flow = logged_in()
    flow.nat.translator.reader.is_shared = lambda mapping_id: mapping_id == 10
    start = len(flow.client.sent)
    flow.client.sent += PORT_LINE + b"NOOP\r\n"
    assert flow.carry(flow.client, flow.client.segment("PA", start, PORT_LINE)) == []
    assert flow.carry(flow.client, flow.client.segment("PA", start + len(PORT_LINE), b"NOOP\r\n")) == []
    assert flow.carry(flow.server, flow.server.segment("A", len(flow.server.sent))), "others do not wait"
    assert flow.nat.translator.reader.next_deadline() == flow.nat.now + DELAY
    assert flow.nat.counters.read_delayed == 2
    flow.nat.wait(DELAY)
    for one in released(flow.nat):
        flow.server.receive(one)
    assert flow.server.got.endswith(b"NOOP\r\n")
    flow.say(flow.client, b"NOOP\r\n")
    assert flow.server.got.endswith(b"NOOP\r\nNOOP\r\n")


def test_without_another_router_nothing_waits() -> None:
    flow = logged_in()
    flow.say(flow.client, PORT_LINE)
    assert flow.nat.counters.read_delayed == 0


def test_the_context_changes_with_what_it_says_not_with_packets() -> None:
    flow = logged_in()
    changes: list[bytes] = []

    class Listener:
        def changed(self, removed: list[bytes], added: list[bytes]) -> None:
            changes.extend(added)

    flow.nat.table.listen(Listener())
    for _ in range(20):
        flow.say(flow.client, b"NOOP\r\n")
        flow.say(flow.server, b"200 NOOP\r\n")
    assert changes == []


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_wherever_the_router_dies_both_ends_agree(data: st.DataObject) -> None:
    """Commands and replies, of which some are lost on the way; a router dies in between, again and again."""
    flow = logged_in()
    lines = [
        b"NOOP\r\n",
        PORT_LINE,
        b"PORT 10,0,0,2,156,70\r\n",
        b"EPRT |1|10.0.0.2|40009|\r\n",
        b"200 ok\r\n",
    ]
    for _ in range(data.draw(st.integers(1, 6))):
        host = data.draw(st.sampled_from([flow.client, flow.server]))
        text = data.draw(st.sampled_from(lines[:4])) if host is flow.client else lines[4]
        start, host.sent = len(host.sent), host.sent + text
        arrived = carried(flow.nat, host.segment("PA", start, text), from_outside=host is flow.server)
        if data.draw(st.booleans()):
            taken_over(flow)
        if data.draw(st.booleans()):
            for one in arrived:
                flow.other(host).receive(one)
        for _ in range(3):
            flow.acknowledge(flow.other(host))
            if host.acknowledged == len(host.sent):
                break
            if data.draw(st.booleans()):
                taken_over(flow)
            flow.repeat(host, host.acknowledged, len(host.sent))
        assert host.acknowledged == len(host.sent)
        if data.draw(st.booleans()):
            taken_over(flow)
    assert flow.client.got == flow.server.sent
    assert b"10,0,0,2" not in flow.server.got
    assert b"10.0.0.2" not in flow.server.got
