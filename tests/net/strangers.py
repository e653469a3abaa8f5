"""Others at the door: certificates that `snat pki` would not issue, and what their holders say."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from snat.config.model import Trustpoint
from snat.net import tls
from tests.net.memory import PORT, Reactor, trustpoint

DAY = timedelta(days=1)


def dns(name: str) -> x509.GeneralName:
    return x509.DNSName(name)


def urn(nat_id: int | str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(f"urn:snat:nat-id:{nat_id}")


R2 = (dns("r2.example"), urn(2))


def issued(
    authority: Path, directory: Path, names: Sequence[x509.GeneralName] | bytes = R2, *, days: float = 1
) -> Trustpoint:
    """A certificate of an authority with any alternative names at all; bytes: the extension as it is."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = x509.load_pem_x509_certificate((authority / "ca.pem").read_bytes())
    signer_key: Any = serialization.load_pem_private_key((authority / "ca.key").read_bytes(), None)
    end = datetime.now(UTC) + DAY * days
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(signer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - 2 * DAY)
        .not_valid_after(end)
    )
    if isinstance(names, bytes):
        builder = builder.add_extension(
            x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, names), critical=False
        )
    elif names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(signer_key, hashes.SHA256())
    directory.mkdir(exist_ok=True)
    (directory / "ca.pem").write_bytes((authority / "ca.pem").read_bytes())
    (directory / "it.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "it.key").write_bytes(private)
    return trustpoint(directory, "it")


def without_alpn(point: Trustpoint) -> ssl.CertificateOptions:
    return _like(tls.options(point), acceptableProtocols=None)


def other_protocol(point: Trustpoint) -> ssl.CertificateOptions:
    return _like(tls.options(point), acceptableProtocols=[b"h2"])


@implementer(IOpenSSLServerConnectionCreator)
class WithoutAlpn:
    """A server that does not know of ALPN; Twisted's own fails the handshake instead."""

    def __init__(self, point: Trustpoint) -> None:
        good: Any = tls.options(point)
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self._context.use_certificate(good.certificate)
        self._context.use_privatekey(good.privateKey)

    def serverConnectionForTLS(self, _protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)


def only_tls_1_2(point: Trustpoint) -> ssl.CertificateOptions:
    return _like(
        tls.options(point),
        acceptableProtocols=[tls.ALPN],
        lowerMaximumSecurityTo=ssl.TLSVersion.TLSv1_2,
        insecurelyLowerMinimumTo=ssl.TLSVersion.TLSv1_2,
    )


def _like(good: Any, **other: Any) -> ssl.CertificateOptions:
    return ssl.CertificateOptions(
        privateKey=good.privateKey, certificate=good.certificate, trustRoot=good.trustRoot, **other
    )


def without_certificate(authority: Path) -> ssl.CertificateOptions:
    root = ssl.Certificate.loadPEM((authority / "ca.pem").read_bytes())
    return ssl.CertificateOptions(
        trustRoot=ssl.trustRootFromCertificates([root]), acceptableProtocols=[tls.ALPN]
    )


class Stranger(Protocol):
    """Somebody who says what the test has him say, and remembers what he hears."""

    def __init__(self) -> None:
        self.heard = b""
        self.over = ""

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over = reason.getErrorMessage() or "over"

    def say(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


def comes(reactor: Reactor, options: ssl.CertificateOptions | None, source: str, host: str) -> Stranger:
    """Connects to a router from an address, with TLS if there are options for it."""
    found = Stranger()
    inner = Factory.forProtocol(lambda: found)
    factory = TLSMemoryBIOFactory(options, True, inner, reactor) if options is not None else inner
    reactor.join(factory, source, host)
    reactor.settle()
    return found


def waits(reactor: Reactor, options: Any, host: str) -> list[Stranger]:
    """Listens where a router dials; returns who was dialled, as time goes on."""
    dialled: list[Stranger] = []

    def protocol() -> Stranger:
        dialled.append(Stranger())
        return dialled[-1]

    inner = Factory.forProtocol(protocol)
    factory = TLSMemoryBIOFactory(options, False, inner, reactor) if options is not None else inner
    reactor.listening[host, PORT] = factory
    return dialled
