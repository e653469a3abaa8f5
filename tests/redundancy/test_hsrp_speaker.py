"""Datagrams that are refused, what is counted and told of them, and any bytes at all."""

import random
from dataclasses import fields, replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snat.config.interface import Interface, Standby
from snat.redundancy.hsrp_events import HsrpCounters, MessageRefused, Send
from snat.redundancy.hsrp_message import HsrpMessage, Opcode, Refusal, State, encode
from snat.redundancy.hsrp_router import HsrpRouter
from tests.redundancy.lan import QUICK, VIRTUAL, standby

OWN = IPv4Address("10.0.0.11")
OTHER = IPv4Address("10.0.0.12")
HELLO = HsrpMessage(
    version=2,
    opcode=Opcode.HELLO,
    state=State.ACTIVE,
    group=1,
    priority=200,
    hello=0.2,
    hold=0.7,
    address=VIRTUAL,
)


def router(template: Standby = QUICK) -> HsrpRouter:
    made = HsrpRouter(0.0, random.Random(1))
    made.configure([Interface(name="eth0", standby=template)], 0.0)
    made.interface("eth0", up=True, address=OWN, mac_address=bytes(6), now=0.0)
    made.tick(0.0)
    made.events()
    return made


def counters(one: HsrpRouter) -> HsrpCounters:
    return one.counters()["eth0"]


@pytest.mark.parametrize(
    ("data", "source", "refusal"),
    [
        (b"", OTHER, Refusal.LENGTH),
        (encode(replace(HELLO, version=1), None, OTHER), OTHER, Refusal.LENGTH),
        (b"\x09\x00", OTHER, Refusal.VERSION),
        (b"\x02\x04\0\0\0\0", OTHER, Refusal.ADVERTISEMENT),
        (encode(HELLO, None, OWN), OWN, Refusal.OWN_ADDRESS),
        (encode(replace(HELLO, group=2), None, OTHER), OTHER, Refusal.GROUP),
    ],
)
def test_each_refusal_has_its_counter(data: bytes, source: IPv4Address, refusal: Refusal) -> None:
    one = router()
    one.receive("eth0", data, source, 0.1)
    counted = {field.name: getattr(counters(one), field.name) for field in fields(HsrpCounters)}
    assert {name for name, count in counted.items() if count} == {refusal.value}
    told = [event for event in one.events() if isinstance(event, MessageRefused)]
    expected = [] if refusal is Refusal.ADVERTISEMENT else [(refusal, source)]
    assert [(event.refusal, event.source) for event in told] == expected


def test_every_refusal_names_a_counter() -> None:
    assert {one.value for one in Refusal} <= {field.name for field in fields(HsrpCounters)}


def test_a_flood_of_refused_messages_is_told_once_a_minute_for_each_reason() -> None:
    one = router()
    for number in range(1201):
        one.receive("eth0", b"", OTHER, number / 10)
        one.receive("eth0", encode(replace(HELLO, group=2), None, OTHER), OTHER, number / 10)
    told = [event.refusal for event in one.events() if isinstance(event, MessageRefused)]
    assert told.count(Refusal.LENGTH) == told.count(Refusal.GROUP) == 3
    assert counters(one).bad_length == 1201


def test_nothing_is_heard_while_the_interface_is_down_or_has_no_address() -> None:
    one = router()
    for up, address in ((False, OWN), (True, None)):
        one.interface("eth0", up=up, address=address, mac_address=bytes(6), now=0.1)
        one.receive("eth0", encode(HELLO, None, OTHER), OTHER, 0.2)
    assert counters(one).interface_down == 2
    assert counters(one).hellos_in == 0
    one.receive("eth9", encode(HELLO, None, OTHER), OTHER, 0.3)


def test_a_disabled_group_is_unknown() -> None:
    one = router(standby(enabled=False))
    one.receive("eth0", encode(HELLO, None, OTHER), OTHER, 0.1)
    assert counters(one).unknown_group == 1
    assert one.next_deadline() is None


def test_times_that_cannot_be_are_not_used_but_the_hello_is() -> None:
    """Some routers say zero where version 1 has no room for milliseconds."""
    one = router()
    one.receive("eth0", encode(replace(HELLO, hello=0, hold=0), None, OTHER), OTHER, 0.1)
    assert (counters(one).hellos_in, counters(one).bad_times) == (1, 1)
    assert one.next_deadline() == pytest.approx(0.7)  # the standby timer; that of the active one is later
    (group,) = one.groups()
    assert group.active is not None
    assert group.active.expires == pytest.approx(0.8)


def test_lower_coups_and_strange_resigns_are_passed_over() -> None:
    one = router()
    now = 0.0
    while (due := one.next_deadline()) is not None and due < 3:
        now = due
        one.tick(now)
    one.receive("eth0", encode(replace(HELLO, opcode=Opcode.COUP, priority=1), None, OTHER), OTHER, now)
    one.receive("eth0", encode(replace(HELLO, opcode=Opcode.RESIGN), None, OTHER), OTHER, now)
    assert (counters(one).lower_coups, counters(one).strange_resigns) == (1, 1)
    assert [group.state for group in one.groups()] == [State.ACTIVE]
    one.receive("eth0", encode(replace(HELLO, opcode=Opcode.COUP), None, OTHER), OTHER, now)
    assert [group.state for group in one.groups()] == [State.SPEAK]


def test_what_is_sent_is_counted() -> None:
    one = router()
    now = 0.0
    while (due := one.next_deadline()) is not None and due < 10:
        now = due
        one.tick(now)
    counted = counters(one)
    one.stop(now)
    sent = [event for event in one.events() if isinstance(event, Send)]
    assert counted.hellos_out + counted.coups_out + counted.resigns_out == len(sent)
    assert counted.resigns_out == 1


def test_a_router_that_stopped_does_nothing_more() -> None:
    one = router()
    one.stop(0.1)
    one.events()
    one.tick(5.0)
    one.receive("eth0", encode(HELLO, None, OTHER), OTHER, 5.0)
    assert (one.next_deadline(), one.events(), list(one.groups())) == (None, [], [])


# Anything at all


DATAGRAMS = st.binary(max_size=120) | st.builds(
    lambda opcode, state, priority, group, hello, hold, address, cut: encode(
        replace(
            HELLO,
            opcode=opcode,
            state=state,
            priority=priority,
            group=group,
            hello=hello / 1000,
            hold=hold / 1000,
            address=address,
        ),
        None,
        OTHER,
    )[: cut or None],
    st.sampled_from([Opcode.HELLO, Opcode.COUP, Opcode.RESIGN]),
    st.sampled_from(State),
    st.integers(0, 255),
    st.integers(0, 2),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.none() | st.integers(1, 2**32 - 1).map(IPv4Address),
    st.sampled_from([0, 0, 0, 10, 50]),
)


@settings(deadline=None)
@given(
    steps=st.lists(st.tuples(st.floats(0, 2), DATAGRAMS, st.integers(10, 13)), max_size=30),
    learns=st.booleans(),
)
def test_any_datagrams_leave_a_router_that_goes_on(
    steps: list[tuple[float, bytes, int]], learns: bool
) -> None:
    """It raises nothing, asks to be called at a sane time, and is active within a bound after they end."""
    one = router(standby(address=None, authentication=None) if learns else QUICK)
    now = 0.0
    for wait, data, last in steps:
        now += wait
        one.receive("eth0", data, IPv4Address("10.0.0.0") + last, now)
        one.tick(now)
        due = one.next_deadline()
        assert due is None or now < due <= now + 256
    (group,) = one.groups()
    end = now + 3 * 256
    while group.state is not State.ACTIVE and (due := one.next_deadline()) is not None and due <= end:
        assert due > now
        now = due
        one.tick(now)
    assert group.state in ((State.ACTIVE, State.LEARN) if learns else (State.ACTIVE,))
