"""Mutual TLS 1.3 with exact identities. The only file that touches pyOpenSSL.

OpenSSL verifies that a configured authority vouches for the certificate, on both sides. *Who* it vouches for
is compared here, on both sides, in the same way: the certificate must carry the DNS name configured for the
neighbor, exactly, and its NAT ID as ``urn:snat:nat-id:N``.

Twisted's ``optionsForClientTLS`` is not used: service_identity raises ValueError on a URI with one colon as
ours, which Twisted logs and then *accepts* the connection. Wildcards, which service_identity takes, never
count as a name here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL.SSL import Error as TLSError
from twisted.internet import ssl
from twisted.internet.interfaces import ITransport
from twisted.python.failure import Failure

from snat.config.model import Trustpoint
from snat.pki import NAT_ID_URN

ALPN: Final = b"snat/1"
"""Application protocol; a TLS speaker that means something else is told apart at once."""
_HIGHEST_NAT_ID: Final = 0xFFFFFFFF


class TrustpointError(Exception):
    """The files of the trustpoint cannot be used. Its text says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a certificate says of its holder."""

    names: frozenset[str]
    """DNS names, without wildcards."""
    nat_ids: frozenset[int]
    issued: tuple[bytes, int] = (b"", 0)
    """Issuer and serial number, by which a certificate is revoked."""

    def is_of(self, name: str, nat_id: int) -> bool:
        """Whether it is this neighbor's: its name among the names, its NAT ID the only one."""
        return name in self.names and self.nat_ids == {nat_id}

    def __str__(self) -> str:
        names = ", ".join(sorted(self.names)) or "no name"
        ids = ", ".join(map(str, sorted(self.nat_ids))) or "none"
        return f"{names} (NAT ID {ids})"


def options(trustpoint: Trustpoint) -> ssl.CertificateOptions:
    """What both ends of a link use: our certificate, the authority, TLS 1.3 only.

    Raises TrustpointError if a file is missing or is not what it should be, or key and certificate differ.
    """
    authorities = [
        ssl.Certificate.loadPEM(one.public_bytes(serialization.Encoding.PEM))
        for one in certificates(trustpoint.ca_certificate)
    ]
    chain: list[Any] = list(certificates(trustpoint.certificate))
    key: Any = _key(trustpoint.private_key)
    if chain[0].public_key() != key.public_key():
        raise TrustpointError(
            f"{trustpoint.private_key}: not the key of {trustpoint.certificate}; give a pair as issued"
        )
    return ssl.CertificateOptions(
        privateKey=key,
        certificate=chain[0],
        extraCertChain=chain[1:],
        trustRoot=ssl.trustRootFromCertificates(authorities),
        raiseMinimumTo=ssl.TLSVersion.TLSv1_3,
        acceptableProtocols=[ALPN],
    )


def check_own_identity(trustpoint: Trustpoint, nat_id: int) -> None:
    """Raise TrustpointError if no neighbor could take our certificate for ours."""
    identity = identity_of(certificates(trustpoint.certificate)[0])
    if identity.nat_ids != {nat_id}:
        raise TrustpointError(
            f"{trustpoint.certificate}: is of {identity}, and this router has NAT ID {nat_id}; "
            "issue another with `snat pki`"
        )


def peer_identity(transport: ITransport) -> Identity | None:
    """Who is at the other end of a completed handshake; None if it does not speak our protocol."""
    tls: Any = transport
    certificate = tls.getHandle().get_peer_certificate(as_cryptography=True)
    if certificate is None or tls.negotiatedProtocol != ALPN:
        return None
    return identity_of(certificate)


def reason_of(failure: Failure) -> str:
    """Why a connection ended, in words; of OpenSSL's list of errors the last, which is the cause."""
    match failure.value:
        case TLSError(args=([*_, (*_, str(cause))],)):
            return f"TLS: {cause}"
    return failure.getErrorMessage()


def identity_of(certificate: x509.Certificate) -> Identity:
    """The names and NAT IDs of a certificate; empty ones if it carries none."""
    issued = certificate.issuer.public_bytes(), certificate.serial_number
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return Identity(frozenset(), frozenset(), issued)
    names = found.get_values_for_type(x509.DNSName)
    urns = found.get_values_for_type(x509.UniformResourceIdentifier)
    return Identity(
        frozenset(name for name in names if "*" not in name),
        frozenset(nat_id for urn in urns if (nat_id := _nat_id(urn)) is not None),
        issued,
    )


def _nat_id(urn: str) -> int | None:
    digits = urn.removeprefix(NAT_ID_URN)
    if (
        digits == urn
        or not digits.isascii()
        or not digits.isdigit()
        or len(digits) > len(str(_HIGHEST_NAT_ID))
    ):
        return None
    return int(digits)


def read(path: str) -> bytes:
    """A file of the trustpoint. Raises TrustpointError."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TrustpointError(f"{path}: {error.strerror}; make it with `snat pki`") from error


def certificates(path: str) -> list[x509.Certificate]:
    """The certificates of a PEM file, at least one. Raises TrustpointError."""
    try:
        return x509.load_pem_x509_certificates(read(path))
    except ValueError as error:
        raise TrustpointError(f"{path}: no PEM certificate; make one with `snat pki`") from error


def _key(path: str) -> Any:
    try:
        return serialization.load_pem_private_key(read(path), password=None)
    except (ValueError, TypeError) as error:
        raise TrustpointError(
            f"{path}: no PEM private key without password; make one with `snat pki`"
        ) from error
