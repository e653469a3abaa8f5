"""What a router proves itself with and judges others by, as of the last time its files were read.

Reading them again changes what the next connection uses; links that are up stay, unless the neighbor's
certificate has been revoked since.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from twisted.internet.ssl import CertificateOptions

from snat.config.model import Trustpoint
from snat.net.tls import Identity, TrustpointError, certificates, check_own_identity, options, read

WARNING: Final = timedelta(days=30)
"""How long before its end a certificate is warned of."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The trustpoint's files, read and checked."""

    options: CertificateOptions
    """What both ends of a link use."""
    revoked: frozenset[tuple[bytes, int]]
    """Issuer and serial number of certificates that count no more."""
    ends: tuple[tuple[str, datetime], ...]
    """Until when each file is good."""

    @classmethod
    def load(cls, trustpoint: Trustpoint, nat_id: int) -> "Credentials":
        """Read the files. Raises TrustpointError: which, why, and what to do."""
        check_own_identity(trustpoint, nat_id)
        authorities = certificates(trustpoint.ca_certificate)
        ends = [
            (trustpoint.certificate, certificates(trustpoint.certificate)[0].not_valid_after_utc),
            *((trustpoint.ca_certificate, one.not_valid_after_utc) for one in authorities),
        ]
        revoked: frozenset[tuple[bytes, int]] = frozenset()
        if trustpoint.crl:
            crl = _crl(trustpoint.crl, authorities)
            issuer = crl.issuer.public_bytes()
            revoked = frozenset((issuer, one.serial_number) for one in crl)
            if crl.next_update_utc is not None:
                ends.append((trustpoint.crl, crl.next_update_utc))
        return cls(options(trustpoint), revoked, tuple(ends))

    def revokes(self, identity: Identity) -> bool:
        """Whether the certificate that proved an identity counts no more."""
        return identity.issued in self.revoked

    def ending(self, now: datetime) -> Iterator[tuple[str, int]]:
        """Files that end within WARNING, or have ended, with the days that are left (negative: past)."""
        for path, end in self.ends:
            if end - now < WARNING:
                yield path, (end - now).days


def utc_now() -> datetime:
    """The wall clock, which certificates are judged by."""
    return datetime.now(UTC)


def _crl(path: str, authorities: list[x509.Certificate]) -> x509.CertificateRevocationList:
    try:
        crl = x509.load_pem_x509_crl(read(path))
    except ValueError as error:
        raise TrustpointError(f"{path}: no PEM revocation list; make one with `snat pki revoke`") from error
    for authority in authorities:
        key = authority.public_key()
        if authority.subject == crl.issuer and crl.is_signature_valid(key):  # type: ignore[arg-type]
            return crl
    raise TrustpointError(f"{path}: not signed by an authority of the trustpoint; give its own list")
