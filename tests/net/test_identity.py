"""Who is refused, in both directions: one line with the reason, one count, and nobody else notices."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import DNSName, UniformResourceIdentifier
from twisted.internet.ssl import CertificateOptions

from snat import pki
from snat.config.model import ConfiguredRole
from snat.net import tls
from snat.net.listener import PENDING
from snat.net.protocol import HANDSHAKE_TIME
from snat.session.session import AUTHENTICATE_TIME
from snat.wire import items
from snat.wire.actions import Authenticate
from snat.wire.header import MAXIMUM_MESSAGE, encode
from tests.net.memory import Log, Member, Reactor, address, configured, trustpoint
from tests.net.strangers import (
    R2,
    WithoutAlpn,
    comes,
    dns,
    issued,
    only_tls_1_2,
    other_protocol,
    urn,
    waits,
    without_alpn,
    without_certificate,
)

X400 = bytes.fromhex("3002a300")
"""A subjectAltName with an x400Address, which cryptography does not read."""


class Scene:
    """R1 manages, R3 listens; R2 is configured on R1, and somebody else stands at its address."""

    def __init__(self, reactor: Reactor, directory: Path, authority: Path, log: Log) -> None:
        self.reactor = reactor
        self.directory = directory
        self.authority = authority
        self.log = log
        reactor.unanswered.add(address(2))
        self.first = Member(
            reactor, directory / "r1", configured(1, ConfiguredRole.PRIMARY, (2, 3), authority)
        )
        self.third = Member(reactor, directory / "r3", configured(3, ConfiguredRole.BACKUP, (1,), authority))
        for member in (self.first, self.third):
            member.service.startService()
        reactor.run_until(lambda: self.first.standing == "MANAGE" and self.third.ready)
        self.first.traffic(5)
        reactor.settle()
        log.events.clear()

    def options(self, names: Any) -> CertificateOptions:
        return tls.options(issued(self.authority, self.directory / "it", names))

    def other_authority(self) -> CertificateOptions:
        """A good certificate of an authority that R1 does not know."""
        other = self.directory / "other"
        pki.init(other)
        pki.issue(other, "r2.example", 2)
        return tls.options(
            replace(trustpoint(other, "r2.example"), ca_certificate=str(self.authority / "ca.pem"))
        )

    def good(self, name: str = "r2.example") -> CertificateOptions:
        return tls.options(trustpoint(self.authority, name))

    def nobody_else_noticed(self) -> None:
        """The table and the link of R3 are what they were, and both still work."""
        links = self.third.counters("links")
        assert (links["established"], links["closed"]) == (2, 0)
        self.first.traffic(5, first=9000)
        self.reactor.settle()
        assert len(self.first.table) == 10
        assert self.third.table == self.first.table
        assert self.third.ready
        assert self.first.device.neighbors[2].heard is None


@pytest.fixture
def scene(reactor: Reactor, tmp_path: Path, authority: Path, log: Log) -> Scene:
    return Scene(reactor, tmp_path, authority, log)


Holder = Callable[[Scene], CertificateOptions]

TLS_FAILS: dict[str, tuple[Holder, str]] = {
    "other authority": (Scene.other_authority, "certificate verify failed"),
    "expired": (
        lambda scene: tls.options(issued(scene.authority, scene.directory / "it", days=-1)),
        "certificate verify failed",
    ),
    "TLS 1.2": (lambda scene: only_tls_1_2(trustpoint(scene.authority, "r2.example")), "protocol"),
}
NOT_A_NEIGHBOR: dict[str, tuple[Holder, str]] = {
    "wrong name": (lambda scene: scene.options((dns("r9.example"), urn(2))), "r9.example (NAT ID 2)"),
    "longer name": (lambda scene: scene.options((dns("a.r2.example"), urn(2))), "a.r2.example (NAT ID 2)"),
    "wildcard": (lambda scene: scene.options((dns("*.example"), urn(2))), "no name (NAT ID 2)"),
    "other NAT ID": (lambda scene: scene.options((dns("r2.example"), urn(9))), "r2.example (NAT ID 9)"),
    "two NAT IDs": (lambda scene: scene.options((*R2, urn(3))), "r2.example (NAT ID 2, 3)"),
    "no NAT ID": (lambda scene: scene.options((dns("r2.example"),)), "r2.example (NAT ID none)"),
    "NAT ID that is no number": (
        lambda scene: scene.options((dns("r2.example"), urn("2x"))),
        "r2.example (NAT ID none)",
    ),
    "no names at all": (lambda scene: scene.options(()), "no name (NAT ID none)"),
    "names that cannot be read": (lambda scene: scene.options(X400), "no name (NAT ID none)"),
}


# The listener's view


def refused(scene: Scene, options: CertificateOptions | None, reason: str, counter: str) -> None:
    """Somebody comes from R2's address, is refused for a reason, and changes nothing."""
    before = scene.first.counters("listener")
    stranger = comes(scene.reactor, options, address(2), address(1))
    if options is None:
        stranger.say(b"GET / HTTP/1.1\r\n\r\n")
        scene.reactor.settle()
    assert stranger.over
    assert stranger.heard == b""
    (line,) = scene.log.lines()
    assert line.startswith(f"refused {address(2)}: ")
    assert reason in line
    after = scene.first.counters("listener")
    assert after == {**before, counter: before[counter] + 1}
    scene.nobody_else_noticed()


@pytest.mark.parametrize("case", TLS_FAILS)
def test_a_listener_refuses_whose_tls_does_not_verify(scene: Scene, case: str) -> None:
    holder, reason = TLS_FAILS[case]
    refused(scene, holder(scene), reason, "unproved")


def test_a_listener_refuses_who_shows_no_certificate(scene: Scene) -> None:
    refused(scene, without_certificate(scene.authority), "did not return a certificate", "unproved")


def test_a_listener_refuses_plain_text(scene: Scene) -> None:
    refused(scene, None, "TLS: http request", "unproved")


@pytest.mark.parametrize("case", NOT_A_NEIGHBOR)
def test_a_listener_refuses_who_is_no_neighbor(scene: Scene, case: str) -> None:
    holder, said = NOT_A_NEIGHBOR[case]
    refused(scene, holder(scene), f"its certificate is of {said}, no neighbor", "not_neighbor")


def test_a_listener_refuses_who_speaks_no_protocol_by_name(scene: Scene) -> None:
    options = without_alpn(trustpoint(scene.authority, "r2.example"))
    refused(scene, options, "it speaks another protocol", "not_neighbor")


def test_a_listener_refuses_who_speaks_another_protocol(scene: Scene) -> None:
    refused(scene, other_protocol(trustpoint(scene.authority, "r2.example")), "TLS:", "unproved")


def test_an_unknown_address_does_not_even_come_to_tls(scene: Scene) -> None:
    stranger = comes(scene.reactor, scene.good(), "192.168.77.99", address(1))
    assert stranger.over
    assert scene.log.lines() == ["refused 192.168.77.99: no neighbor has this address"]
    assert scene.first.counters("listener")["unknown_address"] == 1
    scene.nobody_else_noticed()


def test_a_hundred_who_never_speak_tls_are_bounded_and_the_neighbor_gets_in_afterwards(scene: Scene) -> None:

    def unanswered() -> int:
        """Dials of who is not there, which was said before and is not said each time."""
        return scene.first.counters("dialler")["not_connected"]

    before, not_told = unanswered(), scene.first.counters("log")["suppressed"]
    strangers = [comes(scene.reactor, None, address(2), address(1)) for _ in range(100)]
    assert sum(not one.over for one in strangers) == PENDING
    counters = scene.first.counters("listener")
    assert (counters["too_many"], counters["unproved"]) == (100 - PENDING, 0)
    scene.reactor.elapse(HANDSHAKE_TIME + 0.1)
    assert all(one.over for one in strangers)
    assert scene.first.counters("listener")["unproved"] == PENDING
    lines = scene.log.lines(f"refused {address(2)}")
    assert len(lines) == 2
    assert f"{PENDING} connections have not proved who they are" in lines[0]
    assert "no TLS within 5 s" in lines[1]
    assert scene.first.counters("log")["suppressed"] - not_told == 98 + unanswered() - before
    scene.nobody_else_noticed()
    scene.reactor.unanswered.clear()
    second = Member(
        scene.reactor,
        scene.directory / "r2",
        configured(2, ConfiguredRole.BACKUP, (1, 3), scene.authority),
    )
    second.service.startService()
    scene.reactor.run_until(lambda: second.outgoing(1) == "Establish" and second.table == scene.first.table)


def test_two_who_prove_themselves_do_not_count_as_pending(scene: Scene) -> None:
    """Only the newer of two connections of one neighbor lives."""
    older, newer = (comes(scene.reactor, scene.good(), address(2), address(1)) for _ in range(2))
    scene.reactor.settle()
    assert older.over
    assert not newer.over
    assert scene.first.counters("listener")["accepted"] == 3  # and R3
    assert scene.first.counters("links")["replaced"] == 1


# What is said after TLS, with the right certificate


def authenticated(**changes: Any) -> bytes:
    hello = {
        "nat_id": 2,
        "incarnation": 1,
        "run": 7,
        "keepalive": 200,
        "maximum_message": MAXIMUM_MESSAGE,
        "capabilities": 0,
        "record_formats": 1,
        **changes,
    }
    return encode(items.authenticate(Authenticate(**hello), []), flags=0)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "version 71; this device speaks 1"),
        (b"\x01\x00\x00\x20\xff\xff\xff\xff", "at most 65536"),
        (authenticated(nat_id=3), "authenticates as NAT ID 3; its certificate says 2"),
        (authenticated(record_formats=2), "no record format in common"),
        (encode(items.keepalive([]), flags=0), "the first message is not authenticate"),
        (encode(items.keepalive([])), "message before authenticate"),
    ],
)
def test_who_says_something_wrong_is_told_and_counted(scene: Scene, said: bytes, reason: str) -> None:
    stranger = comes(scene.reactor, scene.good(), address(2), address(1))
    stranger.say(said)
    scene.reactor.settle()
    assert stranger.over
    assert reason.encode() in stranger.heard
    (line,) = scene.log.lines()
    assert line == f"link to r2.example (in) closed: {line.rpartition(': ')[2]}"
    assert reason in line
    assert scene.first.counters("links")["refused"] == 1
    scene.first.device.neighbors[2].heard = None  # it is known to be alive, and that is all
    scene.nobody_else_noticed()


@pytest.mark.parametrize("said", [b"", authenticated()[:20]])
def test_who_says_half_a_message_and_no_more_is_given_up(scene: Scene, said: bytes) -> None:
    stranger = comes(scene.reactor, scene.good(), address(2), address(1))
    stranger.say(said)
    scene.reactor.elapse(AUTHENTICATE_TIME - 0.3)
    assert len(stranger.over) == 0
    scene.reactor.elapse(0.6)
    assert stranger.over
    (line,) = scene.log.lines("(in)")
    assert "for 5.0 s in state Connect" in line
    assert scene.first.counters("links")["refused"] >= 1
    scene.first.device.neighbors[2].heard = None
    scene.nobody_else_noticed()


# The dialler's view


def dialled_in_vain(scene: Scene, options: Any, reason: str, counter: str) -> None:
    """R1 dials whoever stands at R2's address, several times, and says so once."""
    before = scene.first.counters("dialler")
    strangers = waits(scene.reactor, options, address(2))
    scene.reactor.unanswered.clear()
    scene.reactor.run_until(lambda: len(strangers) >= 3, most=30.0)
    scene.reactor.settle()
    assert all(one.over and one.heard == b"" for one in strangers)
    (line,) = [one for one in scene.log.lines("r2.example") if "connect" not in one.lower()]
    assert line.startswith("link to r2.example (out) closed: ")
    assert reason in line
    after = scene.first.counters("dialler")
    assert after[counter] - before[counter] == len(strangers)
    other = "unproved" if counter == "not_neighbor" else "not_neighbor"
    assert after[other] == before[other]
    scene.nobody_else_noticed()


@pytest.mark.parametrize("case", TLS_FAILS)
def test_a_dialler_refuses_whose_tls_does_not_verify(scene: Scene, case: str) -> None:
    holder, reason = TLS_FAILS[case]
    dialled_in_vain(scene, holder(scene), reason, "unproved")


@pytest.mark.parametrize("case", NOT_A_NEIGHBOR)
def test_a_dialler_refuses_who_is_not_the_neighbor(scene: Scene, case: str) -> None:
    holder, said = NOT_A_NEIGHBOR[case]
    reason = f"{address(2)} is {said}; r2.example (NAT ID 2) is configured"
    dialled_in_vain(scene, holder(scene), reason, "not_neighbor")


def test_a_dialler_refuses_who_speaks_no_protocol_by_name(scene: Scene) -> None:
    reason = f"{address(2)} is no snat router; r2.example (NAT ID 2) is configured"
    dialled_in_vain(scene, WithoutAlpn(trustpoint(scene.authority, "r2.example")), reason, "not_neighbor")


def test_a_dialler_refuses_another_neighbor_s_certificate(scene: Scene) -> None:
    reason = f"{address(2)} is r3.example (NAT ID 3); r2.example (NAT ID 2) is configured"
    dialled_in_vain(scene, scene.good("r3.example"), reason, "not_neighbor")


def test_a_dialler_gives_up_who_never_speaks_tls(scene: Scene) -> None:
    strangers = waits(scene.reactor, None, address(2))
    scene.reactor.unanswered.clear()
    scene.reactor.run_until(lambda: bool(strangers and strangers[0].over), most=30.0)
    lines = scene.log.lines("r2.example (out) closed")
    assert any("no TLS within 5 s" in line or "state Connect" in line for line in lines)
    assert strangers[0].heard[:1] == b"\x16"  # a ClientHello, and nothing of ours
    scene.nobody_else_noticed()


def test_a_dialler_refuses_who_authenticates_as_another(scene: Scene) -> None:
    strangers = waits(scene.reactor, scene.good(), address(2))
    scene.reactor.unanswered.clear()
    scene.reactor.run_until(lambda: bool(strangers))
    strangers[0].say(authenticated(nat_id=3))
    scene.reactor.settle()
    assert strangers[0].over
    line = "link to r2.example (out) closed: authenticates as NAT ID 3; its certificate says 2"
    assert scene.log.lines("NAT ID 3") == [line]


def test_a_dialler_whose_own_certificate_is_refused_says_why(
    reactor: Reactor, tmp_path: Path, authority: Path, log: Log
) -> None:
    """With TLS 1.3 the dialler's handshake is complete before the other end judges its certificate."""
    other = tmp_path / "other"
    pki.init(other)
    pki.issue(other, "r1.example", 1)
    known = configured(1, ConfiguredRole.PRIMARY, (2,), authority)
    assert known.trustpoint is not None
    wrong = replace(
        known,
        trustpoint=replace(trustpoint(other, "r1.example"), ca_certificate=known.trustpoint.ca_certificate),
    )
    first = Member(reactor, tmp_path / "r1", wrong)
    second = Member(reactor, tmp_path / "r2", configured(2, ConfiguredRole.BACKUP, (1,), authority))
    for member in (first, second):
        member.service.startService()
    reactor.elapse(1.0)
    assert [line for line in log.lines("r2.example (out)") if "unknown ca" in line]
    assert log.lines(f"refused {address(1)}: TLS: certificate verify failed")
    assert first.outgoing(2) != "Establish"
    assert second.outgoing(1) != "Establish"


# Names


@pytest.mark.parametrize(
    ("names", "is_r2"),
    [
        (R2, True),
        ((dns("other.example"), *R2), True),
        ((dns("R2.example"), urn(2)), False),
        ((dns("r2.example"), urn(2), urn(2)), True),
        ((dns("r2.example"), urn("02")), True),
        ((dns("r2.example"), urn(-2)), False),
        ((dns("r2.example"), urn("9" * 5000)), False),
        ((UniformResourceIdentifier("r2.example"), urn(2)), False),
        ((DNSName("r2.example"), DNSName("urn:snat:nat-id:2")), False),
    ],
)
def test_an_identity_is_exact(authority: Path, tmp_path: Path, names: Any, is_r2: bool) -> None:
    point = issued(authority, tmp_path, names)
    (certificate,) = tls.certificates(point.certificate)
    assert tls.identity_of(certificate).is_of("r2.example", 2) is is_r2
