"""What a router proves itself with, and judges others by: revocation, ends, reloading."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from snat import pki
from snat.config.model import Trustpoint
from snat.net.credentials import WARNING, Credentials
from snat.net.tls import TrustpointError, identity_of
from tests.net.memory import Log, Member, Reactor, become_pair, pair, trustpoint


@pytest.fixture
def own(authority: Path, tmp_path: Path) -> Path:
    """An authority that this test may change."""
    return Path(shutil.copytree(authority, tmp_path / "own"))


def listed(own: Path, name: str = "r1.example") -> Trustpoint:
    """A trustpoint with the authority's list of revoked certificates."""
    return replace(trustpoint(own, name), crl=str(own / pki.REVOKED))


def certificate(own: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((own / f"{name}.pem").read_bytes())


def test_a_revoked_certificate_and_no_other_is_known_as_such(own: Path) -> None:
    pki.revoke(own, "r2.example")
    credentials = Credentials.load(listed(own), 1)
    assert credentials.revokes(identity_of(certificate(own, "r2.example")))
    assert not credentials.revokes(identity_of(certificate(own, "r3.example")))


def test_revoking_another_keeps_the_first(own: Path) -> None:
    for name in ("r2.example", "r3.example", "r3.example"):
        pki.revoke(own, name)
    assert len(Credentials.load(listed(own), 1).revoked) == 2


def test_a_list_of_another_authority_is_refused(own: Path, tmp_path: Path) -> None:
    pki.init(tmp_path / "other")
    pki.issue(tmp_path / "other", "r2.example", 2)
    foreign = pki.revoke(tmp_path / "other", "r2.example")
    with pytest.raises(TrustpointError, match="not signed by an authority of the trustpoint"):
        Credentials.load(replace(trustpoint(own, "r1.example"), crl=str(foreign)), 1)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])
def test_what_is_no_list_is_refused(own: Path, content: bytes) -> None:
    (own / pki.REVOKED).write_bytes(content)
    with pytest.raises(TrustpointError, match="no PEM revocation list"):
        Credentials.load(listed(own), 1)


def test_files_that_end_soon_are_told_with_the_days_left(own: Path) -> None:
    pki.issue(own, "r1.example", 1, days=20, force=True)
    credentials = Credentials.load(trustpoint(own, "r1.example"), 1)
    now = datetime.now(UTC)
    assert list(credentials.ending(now)) == [(str(own / "r1.example.pem"), 19)]
    assert [days for _, days in credentials.ending(now + timedelta(days=25))] == [-6]
    authority_ends = certificate(own, "ca").not_valid_after_utc
    assert {path for path, _ in credentials.ending(authority_ends - WARNING + timedelta(hours=1))} == {
        str(own / "r1.example.pem"),
        str(own / "ca.pem"),
    }


@pytest.fixture
def members(reactor: Reactor, tmp_path: Path, own: Path) -> Iterator[tuple[Member, Member]]:
    pki.issue(own, "r4.example", 4)
    pki.revoke(own, "r4.example")  # so that there is a list
    first, second = pair(reactor, tmp_path, own)
    first.state.close()
    first.configuration = replace(first.configuration, trustpoint=listed(own))
    first = first.again()
    become_pair(reactor, first, second)
    yield first, second
    for member in (first, second):
        member.service.stopService()


def test_reloading_drops_no_link(reactor: Reactor, members: tuple[Member, Member], own: Path) -> None:
    first, second = members
    before = [link for neighbor in first.device.neighbors.values() for link in neighbor.links()]
    pki.issue(own, "r1.example", 1, force=True)
    first.service.reload()
    reactor.elapse(2.0)
    after = [link for neighbor in first.device.neighbors.values() for link in neighbor.links()]
    assert after == before
    assert all(link.established for link in after)
    assert second.ready


def test_a_new_certificate_is_used_by_the_next_connection(
    reactor: Reactor, members: tuple[Member, Member], own: Path
) -> None:
    first, second = members
    pki.issue(own, "r1.example", 1, force=True)
    first.service.reload()
    for cable in list(reactor.cables):
        cable.cut()
    reactor.run_until(lambda: first.ready and second.ready)
    serials = {one.identity.issued[1] for one in second.service.members.connections.values() if one.identity}
    assert serials == {certificate(own, "r1.example").serial_number}


def test_a_neighbor_whose_certificate_is_revoked_loses_its_links_and_gets_no_new_ones(
    reactor: Reactor, members: tuple[Member, Member], own: Path, log: Log
) -> None:
    first, second = members
    pki.revoke(own, "r2.example")
    first.service.reload()
    reactor.elapse(3.0)
    assert first.outgoing(2) != "Establish"
    assert first.device.neighbors[2].incoming is None
    assert first.counters("listener")["not_neighbor"] > 0
    assert first.counters("dialler")["not_neighbor"] > 0
    assert log.lines("the certificate of r2.example (NAT ID 2) is revoked")
    assert second.outgoing(1) != "Establish"


def test_files_that_cannot_be_used_leave_what_was_read_before(
    reactor: Reactor, members: tuple[Member, Member], own: Path, log: Log
) -> None:
    first, second = members
    (own / "r1.example.key").write_text("rubbish")
    first.service.reload()
    assert log.lines("not reloaded: ")
    for cable in list(reactor.cables):
        cable.cut()
    reactor.run_until(lambda: first.ready and second.ready)


def test_a_certificate_that_ends_is_warned_of_at_start_and_daily(
    reactor: Reactor, tmp_path: Path, own: Path, log: Log
) -> None:
    pki.issue(own, "r1.example", 1, days=20, force=True)
    first, _ = pair(reactor, tmp_path, own)
    first.service.startService()
    assert len(log.lines("ends in 19 days")) == 1
    reactor.advance(86400.0)
    assert len(log.lines("ends in 19 days")) == 2
    first.service.stopService()
