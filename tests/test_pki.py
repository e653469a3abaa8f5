"""Certificates: what they carry, that OpenSSL and Twisted take them, and what is refused."""

import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from service_identity import VerificationError
from service_identity.hazmat import DNS_ID, DNSPattern, verify_service_identity
from twisted.internet import ssl
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    wrapClientTLS,
    wrapServerTLS,
)
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.test.iosim import ConnectionCompleter
from zope.interface import implementer

from snat import pki

openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    directory = tmp_path / "pki"
    pki.init(directory)
    return directory


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# What init makes


def test_init_makes_a_private_directory_with_a_private_key(authority: Path) -> None:
    assert mode(authority) == 0o700
    assert mode(authority / "ca.key") == 0o600
    assert sorted(path.name for path in authority.iterdir()) == ["ca.key", "ca.pem"]


def test_the_authority_may_sign_devices_for_ten_years_and_no_other_authority(authority: Path) -> None:
    certificate = load(authority / "ca.pem")
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature
    ten_years = timedelta(days=3652)
    assert certificate.not_valid_after_utc - datetime.now(UTC) > ten_years - timedelta(minutes=5)
    assert isinstance(key := certificate.public_key(), ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"


def test_two_authorities_have_two_names(tmp_path: Path) -> None:
    first, second = load(pki.init(tmp_path / "a")), load(pki.init(tmp_path / "b"))
    assert first.subject != second.subject


def test_init_overwrites_no_authority(authority: Path) -> None:
    before = (authority / "ca.key").read_bytes()
    with pytest.raises(pki.PkiError, match=r"ca\.pem: exists already; use it"):
        pki.init(authority)
    assert (authority / "ca.key").read_bytes() == before


def test_init_overwrites_no_key_without_certificate(authority: Path) -> None:
    (authority / "ca.pem").unlink()
    with pytest.raises(pki.PkiError, match=r"ca\.key: exists already"):
        pki.init(authority)


def test_init_closes_an_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    pki.init(tmp_path / "open")
    assert mode(tmp_path / "open") == 0o700


def test_init_changes_no_mode_of_a_directory_in_use(tmp_path: Path) -> None:
    directory = tmp_path / "open"
    directory.mkdir()
    directory.chmod(0o755)
    (directory / "other").touch()
    with pytest.raises(pki.PkiError, match="open to other users; chmod 700"):
        pki.init(directory)
    assert mode(directory) == 0o755


def test_init_under_a_file_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(pki.PkiError, match="not a directory"):
        pki.init(tmp_path / "file" / "pki")


# What issue makes


def test_a_device_certificate_carries_its_names_exactly(authority: Path) -> None:
    path = pki.issue(authority, "r1.example", 7, ["192.0.2.1", IPv4Address("192.0.2.1"), "fd00::1"])
    assert path == authority / "r1.example.pem"
    names = load(path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["r1.example"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:snat:nat-id:7"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("192.0.2.1"), ip_address("fd00::1")]


def test_a_device_certificate_serves_as_client_and_server_and_signs_nothing(authority: Path) -> None:
    extensions = load(pki.issue(authority, "r1.example", 7)).extensions
    usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign


def test_a_device_certificate_names_its_key_and_its_authoritys(authority: Path) -> None:
    certificate, issuer = load(pki.issue(authority, "r1.example", 7)), load(authority / "ca.pem")
    own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    signer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    issuer_key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert own == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())
    assert signer.key_identifier == issuer_key.digest
    certificate.verify_directly_issued_by(issuer)


def test_a_device_key_is_private_and_belongs_to_the_certificate(authority: Path) -> None:
    path = pki.issue(authority, "r1.example", 7)
    key_path = path.with_suffix(".key")
    assert mode(key_path) == 0o600
    key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    assert key.public_key() == load(path).public_key()


def test_no_scratch_file_is_left(authority: Path) -> None:
    pki.issue(authority, "r1.example", 7)
    pki.issue(authority, "r1.example", 7, force=True)
    assert sorted(path.name for path in authority.iterdir()) == [
        "ca.key",
        "ca.pem",
        "r1.example.key",
        "r1.example.pem",
    ]


def test_days_are_one_year_unless_told(authority: Path) -> None:
    year, month = (
        load(pki.issue(authority, "r1.example", 1)),
        load(pki.issue(authority, "r2.example", 2, days=30)),
    )
    assert (year.not_valid_after_utc - year.not_valid_before_utc).days == 365
    assert (month.not_valid_after_utc - month.not_valid_before_utc).days == 30


@pytest.mark.parametrize("days", [0, -1, 3653, 10**12])
def test_days_end_before_the_authority_does(authority: Path, days: int) -> None:
    with pytest.raises(pki.PkiError, match=rf"cannot issue for {days} days; give --days from 1 to 365\d"):
        pki.issue(authority, "r1.example", 1, days=days)


@pytest.mark.parametrize("name", ["*.example", "r*.example", "*"])
def test_a_wildcard_is_refused(authority: Path, name: str) -> None:
    with pytest.raises(pki.PkiError, match="wildcard"):
        pki.issue(authority, name, 1)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "r1.", ".r1", "r1..x", "-r1", "r1-", "R1.example", "r 1", "../r1", "r1/x", "r1\n", "é.x"),
        *("192.0.2.1", "r1_a", "a" * 64 + ".x", ".".join(["a" * 20] * 4)),
    ],
)
def test_what_is_no_device_name_is_refused(authority: Path, name: str) -> None:
    with pytest.raises(pki.PkiError, match="is not a device name; use a DNS name"):
        pki.issue(authority, name, 1)
    assert len(list(authority.iterdir())) == 2


def test_the_authoritys_own_name_is_refused(authority: Path) -> None:
    with pytest.raises(pki.PkiError, match="authority's own name"):
        pki.issue(authority, "ca", 1, force=True)


@pytest.mark.parametrize("nat_id", [0, -1, 2**32])
def test_a_nat_id_has_32_bits_and_is_not_zero(authority: Path, nat_id: int) -> None:
    with pytest.raises(pki.PkiError, match="give a number from 1 to 4294967295"):
        pki.issue(authority, "r1.example", nat_id)


def test_an_address_must_be_one(authority: Path) -> None:
    with pytest.raises(pki.PkiError, match="'r1' does not appear to be an IPv4 or IPv6 address"):
        pki.issue(authority, "r1.example", 1, ["r1"])


def test_an_existing_name_is_replaced_only_by_force(authority: Path) -> None:
    path = pki.issue(authority, "r1.example", 1)
    first = path.read_bytes()
    with pytest.raises(pki.PkiError, match=r"r1\.example\.pem: exists already; .*--force"):
        pki.issue(authority, "r1.example", 1)
    assert path.read_bytes() == first
    pki.issue(authority, "r1.example", 1, force=True)
    assert path.read_bytes() != first
    key = serialization.load_pem_private_key(path.with_suffix(".key").read_bytes(), password=None)
    assert key.public_key() == load(path).public_key()


def test_a_file_that_appears_meanwhile_is_not_overwritten(authority: Path) -> None:
    """What the first look did not see, the write itself refuses, and takes its key back."""
    (authority / "r1.example.pem").write_text("another's")
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(pki.PkiError, match="file exists; nothing was written"):
        pki._write_pair(authority, "r1.example", key, load(authority / "ca.pem"), replace=False)
    assert (authority / "r1.example.pem").read_text() == "another's"
    assert not (authority / "r1.example.key").exists()


def test_issue_without_authority_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(pki.PkiError, match=r"has no authority.*snat pki init"):
        pki.issue(tmp_path, "r1.example", 1)


def test_issue_with_another_authoritys_key_is_refused(authority: Path, tmp_path: Path) -> None:
    pki.init(tmp_path / "other")
    (tmp_path / "other" / "ca.key").replace(authority / "ca.key")
    with pytest.raises(pki.PkiError, match=r"ca\.key: is not the key of ca\.pem"):
        pki.issue(authority, "r1.example", 1)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_issue_with_a_damaged_key_is_refused(authority: Path, content: bytes) -> None:
    (authority / "ca.key").write_bytes(content)
    with pytest.raises(pki.PkiError, match=r"ca\.key: holds no private key"):
        pki.issue(authority, "r1.example", 1)


def test_issue_without_the_key_is_refused(authority: Path) -> None:
    (authority / "ca.key").unlink()
    with pytest.raises(pki.PkiError, match=r"ca\.key: no such file"):
        pki.issue(authority, "r1.example", 1)


# What show tells


def test_show_tells_a_directory_by_file_name(authority: Path) -> None:
    pki.issue(authority, "r2.example", 2, ["192.0.2.2"], days=30)
    pki.issue(authority, "r1.example", 1)
    ca, first, second = pki.show(authority)
    assert (ca.authority, ca.nat_id, ca.names) == (True, None, ())
    assert (first.authority, first.nat_id, first.names) == (False, 1, ("r1.example",))
    assert (second.nat_id, second.names) == (2, ("r2.example", "192.0.2.2"))
    assert second.days_left == 29
    assert second.subject == "CN=r2.example,O=snat"


@openssl
def test_show_of_a_file_prints_openssls_fingerprint(authority: Path) -> None:
    path = pki.issue(authority, "r1.example", 1)
    (summary,) = pki.show(path)
    command = ["openssl", "x509", "-in", str(path), "-noout", "-fingerprint", "-sha256"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.strip().endswith(f"={summary.fingerprint}")


def test_show_of_a_key_tells_nothing(authority: Path) -> None:
    with pytest.raises(pki.PkiError, match=r"ca\.key: holds no PEM certificate"):
        pki.show(authority / "ca.key")


def test_show_of_an_empty_directory_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(pki.PkiError, match=r"holds no certificate.*snat pki init"):
        pki.show(tmp_path)


def test_show_of_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(pki.PkiError, match=r"none\.pem: no such file"):
        pki.show(tmp_path / "none.pem")


def test_show_reads_no_endless_file(tmp_path: Path) -> None:
    (tmp_path / "long.pem").write_bytes(bytes(pki.MAX_FILE + 1))
    with pytest.raises(pki.PkiError, match="is longer than"):
        pki.show(tmp_path / "long.pem")


@pytest.mark.parametrize(
    "uri", ["urn:snat:nat-id:", "urn:snat:nat-id:x", "urn:snat:nat-id:99999999999", "urn:x:7", "7"]
)
def test_a_uri_that_is_no_nat_id_is_none(uri: str) -> None:
    assert pki._nat_id([uri]) is None


# That TLS takes them


@implementer(IHandshakeListener)
class End(Protocol):
    """One end of a link: what it saw."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.version = ""
        self.received = b""
        self.lost: Failure | None = None

    def handshakeCompleted(self) -> None:
        transport: Any = self.transport
        self.version = transport.getHandle().get_protocol_version_name()
        peer = transport.getHandle().get_peer_certificate(as_cryptography=True)
        names = peer.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.names = [str(name.value) for name in names]
        transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


def options(device: Path, authority: Path) -> ssl.CertificateOptions:
    """Prove oneself as a device; take whoever an authority vouches for. TLS 1.3 only."""
    key: Any = serialization.load_pem_private_key(device.with_suffix(".key").read_bytes(), password=None)
    certificate: Any = load(device)
    return ssl.CertificateOptions(
        privateKey=key,
        certificate=certificate,
        trustRoot=ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(authority.read_bytes())]),
        raiseMinimumTo=ssl.TLSVersion.TLSv1_3,
        acceptableProtocols=[b"snat/1"],
    )


def link(server: Path, client: Path, authority: Path) -> tuple[End, End]:
    """Join a server and a client in memory. What each saw: (server, client)."""
    reactor: Any = MemoryReactorClock()
    ends = End(), End()
    accepting = wrapServerTLS(options(server, authority), TCP4ServerEndpoint(reactor, 1), reactor)
    dialling = wrapClientTLS(options(client, authority), TCP4ClientEndpoint(reactor, "192.0.2.1", 1), reactor)
    accepting.listen(Factory.forProtocol(lambda: ends[0]))
    dialling.connect(Factory.forProtocol(lambda: ends[1]))
    pump = ConnectionCompleter(reactor).succeedOnce()
    assert pump is not None
    for _ in range(20):
        pump.flush()
        reactor.advance(0.1)
    return ends


def verify(names: list[str], expected: str) -> None:
    """service_identity's check of host names, of the DNS name among a peer's names."""
    verify_service_identity([DNSPattern.from_bytes(names[0].encode())], [DNS_ID(expected)], [])


def test_two_devices_prove_themselves_to_each_other_by_tls_1_3(authority: Path) -> None:
    first = pki.issue(authority, "r1.example", 1, ["192.0.2.1"])
    second = pki.issue(authority, "r2.example", 2)
    server, client = link(first, second, authority / "ca.pem")
    assert (server.version, client.version) == ("TLSv1.3", "TLSv1.3")
    assert server.names == ["r2.example", "urn:snat:nat-id:2"]
    assert client.names == ["r1.example", "urn:snat:nat-id:1", "192.0.2.1"]
    assert (server.received, client.received) == (b"hello", b"hello")


def test_a_device_is_who_it_says_and_nobody_else(authority: Path) -> None:
    first, second = pki.issue(authority, "r1.example", 1), pki.issue(authority, "r2.example", 2)
    server, client = link(first, second, authority / "ca.pem")
    verify(client.names, "r1.example")
    verify(server.names, "r2.example")
    for other in ("r2.example", "x.r1.example", "example"):
        with pytest.raises(VerificationError):
            verify(client.names, other)


def test_a_certificate_of_another_authority_is_not_taken(authority: Path, tmp_path: Path) -> None:
    pki.init(tmp_path / "other")
    first = pki.issue(authority, "r1.example", 1)
    stranger = pki.issue(tmp_path / "other", "r2.example", 2)
    server, _ = link(first, stranger, authority / "ca.pem")
    assert server.names == []
    assert server.received == b""
    assert server.lost is not None
    assert "certificate verify failed" in repr(server.lost.value)


@openssl
@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_verifies_a_device_strictly(authority: Path, purpose: str) -> None:
    path = pki.issue(authority, "r1.example", 7, ["192.0.2.1"])
    command = ["openssl", "verify", "-x509_strict", "-purpose", purpose]
    told = subprocess.run(
        [*command, "-CAfile", str(authority / "ca.pem"), str(path)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (told.returncode, told.stdout.strip()) == (0, f"{path}: OK")
