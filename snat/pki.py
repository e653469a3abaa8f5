"""Certificates for devices: one authority in a directory, one certificate and key for each device.

A device is known by two names, both in its certificate's subjectAltName: the DNS name that its
neighbors have configured, exactly, and its NAT ID as ``urn:snat:nat-id:7``. Each device dials and
listens, so one certificate serves as client and as server. Keys are ECDSA P-256: fast to sign with,
and in every TLS 1.3 library.
"""

import contextlib
import ipaddress
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAT_ID_URN: Final = "urn:snat:nat-id:"
"""The URI SAN that carries a NAT ID starts so; the number follows in decimal.

service_identity 26.1 cannot parse it (it splits URIs at their one colon, its issue 38): its ValueError makes
Twisted's ``optionsForClientTLS`` skip the comparison of names and go on. So both sides compare the names
themselves in ``handshakeCompleted``.
"""

AUTHORITY: Final = "ca"
"""``ca.pem`` and ``ca.key``: so no device may have this name."""

REVOKED: Final = "ca.crl"
"""The authority's list of revoked certificates."""

AUTHORITY_DAYS: Final = 3653
"""Ten years."""

DEFAULT_DAYS: Final = 365

BACKDATE: Final = timedelta(hours=1)
"""A certificate is valid from an hour ago: the clocks of devices differ."""

MAX_NAME: Final = 64
"""Longest device name: it is the subject's common name too, and RFC 5280 ends that there."""

MAX_NAT_ID: Final = 0xFFFFFFFF

MAX_FILE: Final = 1 << 20
"""Longest PEM file read; a certificate has about 1 KiB."""

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")

_NUMBER = re.compile(r"[0-9]{1,10}")

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class PkiError(Exception):
    """What went wrong, where, and what to do about it."""

    def __init__(self, where: str | Path, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}; {remedy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSummary:
    """What may be told of a certificate. There is never a key in it."""

    path: Path
    subject: str
    authority: bool
    """Whether it may sign others."""
    names: tuple[str, ...]
    """DNS names, then IP addresses."""
    nat_id: int | None
    """None: it carries none, as the authority's own."""
    not_before: datetime
    not_after: datetime
    days_left: int
    """Negative: it has expired."""
    fingerprint: str
    """SHA-256 of the whole certificate, as ``openssl x509 -fingerprint -sha256`` prints it."""


def init(directory: str | Path) -> Path:
    """Make an authority in a directory (0700): ``ca.pem`` and ``ca.key`` (0600). The path of ``ca.pem``.

    Raises :class:`PkiError` where there is one already, or where the directory is open to others.
    """
    directory = Path(directory)
    certificate_path, key_path = _paths(directory, AUTHORITY)
    _refuse_existing((certificate_path, key_path), "use it, or give another directory")
    _make_private(directory)
    key = ec.generate_private_key(ec.SECP256R1())
    _write_pair(directory, AUTHORITY, key, _authority_certificate(key), replace=False)
    return certificate_path


def issue(
    directory: str | Path,
    name: str,
    nat_id: int,
    addresses: Iterable[str | IPAddress] = (),
    *,
    days: int = DEFAULT_DAYS,
    force: bool = False,
) -> Path:
    """Make a device's key and certificate, ``NAME.key`` and ``NAME.pem``. The path of ``NAME.pem``.

    ``force`` replaces those of the same name. Raises :class:`PkiError` for a name, NAT ID, address or
    number of days that cannot be, where the name has a certificate already, and where the directory has
    no usable authority.
    """
    directory = Path(directory)
    _check_name(name)
    if not 1 <= nat_id <= MAX_NAT_ID:
        raise PkiError(name, f"{nat_id} is not a NAT ID", f"give a number from 1 to {MAX_NAT_ID}")
    names = _subject_names(name, nat_id, addresses)
    if not force:
        _refuse_existing(_paths(directory, name), "give another name, or --force to replace it")
    authority, authority_key = _load_authority(directory)
    not_after = _expiry(directory, authority, days)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _device_certificate(name, names, key.public_key(), authority, authority_key, not_after)
    _write_pair(directory, name, key, certificate, replace=force)
    return _paths(directory, name)[0]


def revoke(directory: str | Path, name: str) -> Path:
    """Put the certificate NAME.pem on the authority's list ``ca.crl``. The path of the list.

    The list is good as long as the authority is: a router that cannot get a newer one goes on with it.
    Raises :class:`PkiError` where there is no such certificate, authority or usable list.
    """
    directory = Path(directory)
    _check_name(name)
    (certificate, *_) = _load_certificates(_paths(directory, name)[0])
    authority, key = _load_authority(directory)
    listed = {one.serial_number: one for one in _load_crl(directory / REVOKED)}
    now = datetime.now(UTC)
    listed[certificate.serial_number] = (
        x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(now).build()
    )
    builder = x509.CertificateRevocationListBuilder(authority.subject, now, authority.not_valid_after_utc)
    for one in listed.values():
        builder = builder.add_revoked_certificate(one)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    _write(directory / REVOKED, pem, 0o644, replace=True)
    return directory / REVOKED


def show(path: str | Path) -> tuple[CertificateSummary, ...]:
    """What stands in a certificate file, or in every ``*.pem`` of a directory, sorted by file name.

    Raises :class:`PkiError` where nothing can be read or no certificate is found.
    """
    path = Path(path)
    files = sorted(path.glob("*.pem")) if path.is_dir() else [path]
    if not files:
        raise PkiError(path, "holds no certificate (*.pem)", f"make an authority: snat pki init {path}")
    now = datetime.now(UTC)
    return tuple(_summary(file, each, now) for file in files for each in _load_certificates(file))


def _paths(directory: Path, name: str) -> tuple[Path, Path]:
    return directory / f"{name}.pem", directory / f"{name}.key"


def _refuse_existing(paths: Iterable[Path], remedy: str) -> None:
    for path in paths:
        if os.path.lexists(path):
            raise PkiError(path, "exists already", remedy)


def _check_name(name: str) -> None:
    """A host name without wildcard, in lower case: names are compared exactly and name files too."""
    if "*" in name:
        raise PkiError(
            name, "a device's name may hold no wildcard", "give the one name its neighbors configure"
        )
    if name == AUTHORITY:
        raise PkiError(name, "is the authority's own name", "give the device another name")
    labels = name.split(".")
    well_formed = len(name) <= MAX_NAME and all(_LABEL.fullmatch(label) for label in labels)
    if not well_formed or labels[-1].isdigit():
        raise PkiError(
            repr(name),
            "is not a device name",
            f"use a DNS name of letters a-z, digits, '-' and '.', at most {MAX_NAME}, such as r1.example",
        )


def _subject_names(
    name: str, nat_id: int, addresses: Iterable[str | IPAddress]
) -> x509.SubjectAlternativeName:
    try:
        unique = dict.fromkeys(ipaddress.ip_address(address) for address in addresses)
    except ValueError as error:
        raise PkiError(name, str(error), "give an address such as 192.0.2.1") from None
    uri = x509.UniformResourceIdentifier(f"{NAT_ID_URN}{nat_id}")
    return x509.SubjectAlternativeName([x509.DNSName(name), uri, *map(x509.IPAddress, unique)])


def _expiry(directory: Path, authority: x509.Certificate, days: int) -> datetime:
    """When a certificate of so many days ends; never after its authority."""
    now = datetime.now(UTC)
    most = (authority.not_valid_after_utc - now).days
    if most < 1:
        raise PkiError(directory, "the authority has expired", "make a new one in another directory")
    if not 1 <= days <= most:
        raise PkiError(directory, f"cannot issue for {days} days", f"give --days from 1 to {most}")
    return now + timedelta(days=days)


def _authority_certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Sign the authority's own certificate. It may sign devices, no further authorities."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # With a piece of the key in its name, two authorities are told apart in every message of OpenSSL.
    subject = _name(f"snat authority {identifier.digest.hex()[:8]}")
    not_after = datetime.now(UTC) + timedelta(days=AUTHORITY_DAYS)
    builder = (
        _builder(subject, subject, key.public_key(), not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False)
    )
    return builder.sign(key, hashes.SHA256())


def _device_certificate(
    name: str,
    names: x509.SubjectAlternativeName,
    public_key: ec.EllipticCurvePublicKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    not_after: datetime,
) -> x509.Certificate:
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    builder = (
        _builder(_name(name), authority.subject, public_key, not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False
        )
        .add_extension(names, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False)
    )
    return builder.sign(authority_key, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "snat"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, not_after: datetime
) -> x509.CertificateBuilder:
    """What every certificate of ours begins with."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - BACKDATE)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    """An authority signs certificates, a device the TLS handshake."""
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _make_private(directory: Path) -> None:
    """Make a directory that only its owner enters; take an existing one that is so, or is empty."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_mode & 0o077:
            if any(directory.iterdir()):
                raise PkiError(directory, "is open to other users", f"chmod 700 {directory}, or give another")
            directory.chmod(0o700)
    except OSError as error:
        raise PkiError(directory, _reason(error), "give a directory that can be made") from error


def _write_pair(
    directory: Path,
    name: str,
    key: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate,
    *,
    replace: bool,
) -> None:
    """Write key and certificate, the key first: a certificate that is there can be used."""
    certificate_path, key_path = _paths(directory, name)
    _write(key_path, _key_pem(key), 0o600, replace=replace)
    try:
        _write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), 0o644, replace=replace)
    except PkiError:
        if not replace:
            key_path.unlink(missing_ok=True)
        raise


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int, *, replace: bool) -> None:
    """Put a file in its place whole or not at all; without ``replace``, only where there is none."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            scratch.replace(path)
        else:
            path.hardlink_to(scratch)  # unlike rename, this fails where a file has appeared meanwhile
    except OSError as error:
        raise PkiError(path, _reason(error), "nothing was written there") from error
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)


def _load_authority(directory: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The authority's certificate and key, checked to belong together."""
    certificate_path, key_path = _paths(directory, AUTHORITY)
    if not certificate_path.exists():
        raise PkiError(directory, "has no authority (ca.pem)", f"make one first: snat pki init {directory}")
    certificate = _load_certificates(certificate_path)[0]
    try:
        key = serialization.load_pem_private_key(_read(key_path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise PkiError(key_path, "holds no private key without password", "restore ca.key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise PkiError(key_path, "is not the key of ca.pem", "restore the two files that belong together")
    return certificate, key


def _load_crl(path: Path) -> Iterable[x509.RevokedCertificate]:
    """What is on the list already; nothing where there is no list."""
    if not path.exists():
        return ()
    try:
        return x509.load_pem_x509_crl(_read(path))
    except ValueError as error:
        raise PkiError(path, "is no revocation list", "move it away, then revoke again") from error


def _load_certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError:
        raise PkiError(path, "holds no PEM certificate", "give a .pem file that snat pki wrote") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise PkiError(path, _reason(error), "give a file that can be read") from error
    if len(data) > MAX_FILE:
        raise PkiError(path, f"is longer than {MAX_FILE} bytes", "give a PEM file")
    return data


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _summary(path: Path, certificate: x509.Certificate, now: datetime) -> CertificateSummary:
    try:
        names, uris = _alternative_names(certificate)
        subject, authority = certificate.subject.rfc4514_string(), _is_authority(certificate)
    except ValueError:
        raise PkiError(path, "holds a malformed certificate", "issue it again") from None
    return CertificateSummary(
        path=path,
        subject=subject,
        authority=authority,
        names=names,
        nat_id=_nat_id(uris),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        days_left=(certificate.not_valid_after_utc - now).days,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
    )


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _alternative_names(certificate: x509.Certificate) -> tuple[tuple[str, ...], list[str]]:
    """DNS names with IP addresses, and URIs."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (), []
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return (*names.get_values_for_type(x509.DNSName), *addresses), uris


def _nat_id(uris: Iterable[str]) -> int | None:
    for uri in uris:
        number = uri.removeprefix(NAT_ID_URN)
        if number != uri and _NUMBER.fullmatch(number) and int(number) <= MAX_NAT_ID:
            return int(number)
    return None
