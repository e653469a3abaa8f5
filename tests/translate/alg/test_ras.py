"""Registration with a gatekeeper: what it may reach, and for how long."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrate_asn1dir.H225 import H323_MESSAGES

from snat.translate.alg.h323_addresses import LIFE
from snat.translate.alg.ras import ASKED, REGISTERED, Ras
from tests.translate.alg import h323_messages as h
from tests.translate.alg.written_doors import (
    GLOBAL,
    INSIDE,
    OTHER_INSIDE,
    OTHER_OUTSIDE,
    OUTSIDE,
    FakeDoors,
    Opened,
    at,
    conversation,
    edited,
    packed,
)

IN, OUT = True, False
TCP, UDP = 6, 17
FIRST = 40000
PEER = at(OUTSIDE, 0)
PROTOCOL = (0, 0, 8, 2250, 0, 2)


class Registration:
    """An endpoint inside at port 1025, which the gatekeeper knows as 2025."""

    def __init__(self) -> None:
        self.doors = FakeDoors(FIRST)
        self.gateway = Ras(conversation(UDP, 1719), self.doors)

    def say(self, from_outside: bool, message: bytes) -> dict[str, Any]:
        out = edited(message, self.gateway.take(from_outside, message))
        assert len(out) == len(message)
        return dict(h.decoded(H323_MESSAGES.RasMessage, out)[1])

    @property
    def opened(self) -> list[Opened]:
        return list(self.doors.opened.values())


def test_a_registration_opens_for_the_gatekeeper() -> None:
    one = Registration()
    asked = one.say(OUT, h.registration(INSIDE, 1720, 1025))
    assert asked["callSignalAddress"] == [h.transport(GLOBAL, FIRST)]
    assert asked["rasAddress"] == [h.transport(GLOBAL, 2025)]
    assert one.opened == [Opened(TCP, at(INSIDE, 1720), PEER, ASKED, "H225", pair=False)]
    one.say(IN, h.confirmation(timeToLive=300))
    assert one.opened == [Opened(TCP, at(INSIDE, 1720), PEER, 300.0, "H225", pair=False)]


@pytest.mark.parametrize(("fields", "life"), [({}, REGISTERED), ({"timeToLive": 4_000_000_000}, REGISTERED)])
def test_a_registration_lives_a_bounded_time(fields: dict[str, int], life: float) -> None:
    one = Registration()
    one.say(OUT, h.registration(INSIDE, 1720, 1025))
    one.say(IN, h.confirmation(**fields))
    assert [door.life for door in one.opened] == [life]


@pytest.mark.parametrize(
    "message",
    [
        h.ras("registrationReject", protocolIdentifier=PROTOCOL, rejectReason=("securityDenial", 0)),
        h.ras("unregistrationConfirm"),
    ],
)
def test_a_registration_that_is_refused_or_over(message: bytes) -> None:
    one = Registration()
    one.say(OUT, h.registration(INSIDE, 1720, 1025))
    one.say(IN, message)
    assert not one.opened
    one.say(IN, h.confirmation())  # of nothing
    assert not one.opened


def test_another_port_for_ras() -> None:
    one = Registration()
    asked = one.say(OUT, h.registration(INSIDE, 1720, 9999))
    assert asked["rasAddress"] == [h.transport(GLOBAL, FIRST + 2)]
    assert one.opened[1] == Opened(UDP, at(INSIDE, 9999), PEER, ASKED, "ras", pair=False)


def test_a_call_through_the_gatekeeper() -> None:
    one = Registration()
    asked = one.say(OUT, h.admission_request(INSIDE, 1720))
    assert asked["srcCallSignalAddress"] == h.transport(INSIDE, 1720)  # it is not registered
    one.say(OUT, h.registration(INSIDE, 1720, 1025))
    asked = one.say(OUT, h.admission_request(INSIDE, 1720))
    assert asked["srcCallSignalAddress"] == h.transport(GLOBAL, FIRST)
    told = one.say(IN, h.admission_confirm(OTHER_OUTSIDE, 11720))
    assert told["destCallSignalAddress"] == h.transport(OTHER_OUTSIDE, 11720)
    one.say(IN, h.admission_confirm(OTHER_OUTSIDE, 1720))  # read anyway
    assert one.doors.calls == [(TCP, at(OTHER_OUTSIDE, 11720), LIFE, "H225")]
    told = one.say(IN, h.admission_confirm(GLOBAL, FIRST))
    assert told["destCallSignalAddress"] == h.transport(INSIDE, 1720)
    assert len(one.doors.calls) == 1


def test_the_gatekeepers_own_signalling_port() -> None:
    one = Registration()
    one.say(IN, h.confirmation(h.transport(OUTSIDE, 11720)))
    assert one.doors.calls == [(TCP, at(OUTSIDE, 11720), REGISTERED, "H225")]


def test_slipstream_another_hosts_service_is_not_registered() -> None:
    one = Registration()
    asked = one.say(OUT, h.registration(OTHER_INSIDE, 22, 1025))
    assert asked["callSignalAddress"] == [h.transport(OTHER_INSIDE, 22)]
    assert not one.opened
    one.say(IN, h.confirmation())
    one.say(IN, h.registration(INSIDE, 22, 1025))  # nor does an outside host register anything
    assert not one.opened


def test_a_takeover() -> None:
    one, other = Registration(), Registration()
    one.say(OUT, h.registration(INSIDE, 1720, 1025))
    assert other.gateway.restore(one.gateway.context())
    other.say(IN, h.confirmation(timeToLive=60))
    assert other.opened == [Opened(TCP, at(INSIDE, 1720), PEER, 60.0, "H225", pair=False)]


@settings(deadline=None)
@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    one = Registration()
    sample = bytearray(data.draw(st.sampled_from([h.registration(INSIDE, 1720, 9999), h.confirmation()])))
    for _ in range(data.draw(st.integers(1, 5))):
        sample[data.draw(st.integers(0, len(sample) - 1))] = data.draw(st.integers(0, 255))
    for from_outside in (OUT, IN):
        edited(bytes(sample), one.gateway.take(from_outside, bytes(sample)))
    assert {door.inside.address for door in one.opened} <= {packed(INSIDE)}
    assert {door.peer for door in one.opened} <= {PEER}


@settings(deadline=None)
@given(st.booleans(), st.binary(max_size=100))
def test_any_datagram(from_outside: bool, datagram: bytes) -> None:
    one = Registration()
    edited(datagram, one.gateway.take(from_outside, datagram))
    assert not one.opened
