"""The trustpoint's files. Who is refused by what a certificate says: test_identity.py."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from OpenSSL.SSL import Error
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from snat import pki
from snat.config.model import Trustpoint
from snat.net.tls import TrustpointError, check_own_identity, options, reason_of
from tests.net.memory import trustpoint


@pytest.fixture
def good(authority: Path) -> Trustpoint:
    return trustpoint(authority, "r1.example")


@pytest.mark.parametrize("file", ["ca_certificate", "certificate", "private_key"])
def test_a_file_that_is_missing_is_named(good: Trustpoint, tmp_path: Path, file: str) -> None:
    missing = str(tmp_path / "none.pem")
    with pytest.raises(
        TrustpointError, match=r"none\.pem: No such file or directory; make it with `snat pki`"
    ):
        options(replace(good, **{file: missing}))


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("ca_certificate", "no PEM certificate"),
        ("certificate", "no PEM certificate"),
        ("private_key", "no PEM private key without password"),
    ],
)
@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_is_something_else_is_named(
    good: Trustpoint, tmp_path: Path, file: str, what: str, content: bytes
) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(content)
    with pytest.raises(TrustpointError, match=rf"other\.pem: {what}"):
        options(replace(good, **{file: str(other)}))


def test_a_key_with_a_password_is_refused(good: Trustpoint, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(Path(good.private_key).read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"x"),
        )
    )
    with pytest.raises(TrustpointError, match="without password"):
        options(replace(good, private_key=str(locked)))


def test_another_certificate_s_key_is_refused(good: Trustpoint, authority: Path) -> None:
    with pytest.raises(TrustpointError, match=r"r2\.example\.key: not the key of .*r1\.example\.pem"):
        options(replace(good, private_key=str(authority / "r2.example.key")))


def test_our_own_certificate_must_have_our_nat_id(good: Trustpoint, authority: Path) -> None:
    check_own_identity(good, 1)
    with pytest.raises(
        TrustpointError, match=r"is of r1\.example \(NAT ID 1\), and this router has NAT ID 2"
    ):
        check_own_identity(good, 2)
    with pytest.raises(TrustpointError, match="no name"):
        check_own_identity(replace(good, certificate=good.ca_certificate), 1)


def test_a_certificate_may_come_with_its_chain(good: Trustpoint, tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_bytes(Path(good.certificate).read_bytes() + Path(good.ca_certificate).read_bytes())
    made = options(replace(good, certificate=str(chain)))
    assert len(made.extraCertChain) == 1


def test_several_authorities_may_be_trusted(good: Trustpoint, tmp_path: Path) -> None:
    other = pki.init(tmp_path / "other")
    both = tmp_path / "both.pem"
    both.write_bytes(Path(good.ca_certificate).read_bytes() + other.read_bytes())
    options(replace(good, ca_certificate=str(both))).getContext()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Error([("SSL routines", "", "first"), ("SSL routines", "", "unknown ca")]), "TLS: unknown ca"),
        (Error([]), "[]"),
        (Error(), ""),
        (ConnectionLost(), "Connection to the other side was lost in a non-clean fashion."),
    ],
)
def test_why_a_connection_ended_in_words(error: Exception, said: str) -> None:
    assert reason_of(Failure(error)) == said
