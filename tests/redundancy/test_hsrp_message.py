"""HSRP on the wire: captures of deployed routers, scapy's layers, and lies about lengths."""

import hashlib
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.hsrp import HSRP, HSRPAdvertise, HSRPmd5, HSRPv2, HSRPv2TextAuth

from snat.config.interface import Authentication, AuthenticationKind
from snat.redundancy.hsrp_message import (
    MAXIMUM_MESSAGE,
    Decoded,
    HsrpError,
    HsrpMessage,
    Opcode,
    Refusal,
    State,
    decode,
    encode,
    whole_seconds,
)
from snat.redundancy.hsrp_proof import keyed_digest, proved_by_digest, text_of

SOURCE = IPv4Address("10.0.0.2")
V1 = HsrpMessage(
    version=1,
    opcode=Opcode.HELLO,
    state=State.ACTIVE,
    group=10,
    priority=110,
    hello=3.0,
    hold=10.0,
    address=IPv4Address("10.0.0.1"),
)
V2 = replace(V1, version=2, group=4095, hello=0.2, hold=0.7, identifier=bytes.fromhex("aabbcc000a00"))
TEXT = Authentication(key="geheim")
KEY = Authentication(kind=AuthenticationKind.KEY_STRING, key="password12345")

CAPTURED = [
    # What deployed routers sent, with the key: published as test vectors of John the Ripper.
    (1, "000004030a64010000000000000000000a000064041c010000000a00001400000000",
     "52e1db09d18d695b8fefb3730ff8d9d6", "password12345"),
    (1, "000004030a5a01000000000000000000ac102801041c01000000ac10281400000000",
     "f15dfa631a0679e0801f8e6b0c0c17ac", "openwall"),
    (1, "000010030a64010000000000000000000a000064041c010000000a00001400000000",
     "f02fc41b1b516e2d1261d8800d39ccea", "openwall12345"),
    (2, "0128020006040001aabbcc000a000000006400000bb8000027100a000064" + "00" * 12
        + "041c010000000a00000a00000000", "642fedafe1f374bd2fdd8f1ba81d87a2", "password"),
    (2, "0128020006040001aabbcc001400000000c800000bb8000027100a000064" + "00" * 12
        + "041c010000000a00001400000000", "0481257f0fe583b275f03a48e88de72f", "password12345"),
]  # fmt: skip


def refused(data: bytes, version: int) -> Refusal:
    with pytest.raises(HsrpError) as found:
        decode(data, version)
    return found.value.refusal


# Captures


@pytest.mark.parametrize(("version", "message", "digest", "key"), CAPTURED)
def test_deployed_routers_digests_are_proved_and_made(
    version: int, message: str, digest: str, key: str
) -> None:
    data = bytes.fromhex(message + digest)
    decoded = decode(data, version)
    assert decoded.md5 is not None
    assert proved_by_digest(data, decoded.md5.at, key.encode())
    assert not proved_by_digest(data, decoded.md5.at, key.encode() + b"x")
    source = IPv4Address(decoded.md5.source)
    kind = AuthenticationKind.KEY_STRING
    assert encode(decoded.message, Authentication(kind=kind, key=key), source) == data


def test_a_captured_hello_means_what_its_router_said() -> None:
    speak = decode(bytes.fromhex(CAPTURED[0][1] + CAPTURED[0][2]), 1).message
    assert (speak.state, speak.priority, speak.group) == (State.SPEAK, 100, 1)
    active = decode(bytes.fromhex(CAPTURED[4][1] + CAPTURED[4][2]), 2).message
    assert (active.state, active.priority, active.hello, active.hold) == (State.ACTIVE, 200, 3.0, 10.0)
    assert active.address == IPv4Address("10.0.0.100")
    assert active.identifier == bytes.fromhex("aabbcc001400")


@pytest.mark.parametrize("length", [1, 55, 56, 63, 64])
def test_keys_are_filled_to_whole_blocks_as_md5_fills(length: int) -> None:
    """Against another implementation of the filling: what MD5 does to a message of that length."""
    key = b"k" * length
    zeros = (55 - length) % 64
    filled = key + b"\x80" + b"\0" * zeros + (length * 8).to_bytes(8, "little")
    assert len(filled) % 64 == 0
    assert keyed_digest(key, b"message") == hashlib.md5(filled + b"message" + key).digest()


# Known bytes


def test_version_1_is_twenty_known_bytes() -> None:
    expected = "00 00 10 03 0a 6e 0a 00 636973636f000000 0a000001"
    assert encode(V1, None, SOURCE) == bytes.fromhex(expected)


def test_version_2_is_two_known_tlvs() -> None:
    expected = (
        "01 28 02 00 06 04 0fff aabbcc000a00 0000006e 000000c8 000002bc 0a000001 000000000000000000000000"
        "03 08 636973636f000000"
    )
    assert encode(V2, None, SOURCE) == bytes.fromhex(expected)


# scapy as another opinion


@pytest.mark.parametrize("authentication", [None, TEXT])
def test_scapy_reads_version_1(authentication: Authentication | None) -> None:
    read: Any = HSRP(encode(V1, authentication, SOURCE))
    assert (read.version, read.opcode, read.state) == (0, 0, 16)
    assert (read.hellotime, read.holdtime, read.priority, read.group) == (3, 10, 110, 10)
    assert (read.auth, read.virtualIP) == (text_of(authentication), "10.0.0.1")
    assert not read.payload


def test_scapy_reads_version_2() -> None:
    """But its names of states are those of version 1."""
    read: Any = HSRPv2(encode(V2, TEXT, SOURCE))
    assert (read.len, read.version, read.opcode, read.state, read.ipVer) == (40, 2, 0, 6, 4)
    assert (read.group, read.identifier, read.priority) == (4095, "aa:bb:cc:00:0a:00", 110)
    assert (read.hellotime, read.holdtime, read.virtualIP) == (200, 700, "10.0.0.1")
    assert read[HSRPv2TextAuth].auth == b"geheim\0\0"


def test_scapy_reads_the_proof_by_md5() -> None:
    read: Any = HSRPv2(encode(V2, KEY, SOURCE))
    assert HSRPv2TextAuth not in read
    proof = read[HSRPmd5]
    assert (proof.len, proof.algo, proof.flags, proof.sourceip, proof.keyid) == (28, 1, 0, "10.0.0.2", 0)
    assert not proof.payload


def test_what_scapy_writes_is_read() -> None:
    packet = HSRP(opcode=1, state=8, hellotime=1, holdtime=4, priority=99, group=7, virtualIP="10.1.1.1")
    message = decode(bytes(packet), 1).message
    assert (message.opcode, message.state, message.priority) == (Opcode.COUP, State.STANDBY, 99)
    assert (message.hello, message.hold, message.group) == (1.0, 4.0, 7)
    mac = "00:11:22:33:44:55"
    state = HSRPv2(
        opcode=2, state=5, group=300, hellotime=15, holdtime=50, virtualIP="10.1.1.1", identifier=mac
    )
    decoded = decode(bytes(state / HSRPv2TextAuth()), 2)
    message = decoded.message
    assert (message.opcode, message.state, message.group) == (Opcode.RESIGN, State.STANDBY, 300)
    assert (message.hello, message.hold, decoded.text) == (0.015, 0.05, b"cisco\0\0\0")


def test_advertisements_are_passed_over() -> None:
    assert refused(bytes(HSRPAdvertise(activegroups=1)), 1) is Refusal.ADVERTISEMENT
    assert refused(bytes.fromhex("0204 0001 0002"), 2) is Refusal.ADVERTISEMENT


# Every message comes back


@st.composite
def messages(draw: st.DrawFn) -> HsrpMessage:
    version = draw(st.sampled_from([1, 2]))
    hello = draw(st.integers(1, 254) if version == 1 else st.integers(15, 254_000))
    hold = draw(st.integers(hello + 1, 255) if version == 1 else st.integers(max(hello + 1, 50), 255_000))
    scale = 1 if version == 1 else 1000
    return HsrpMessage(
        version=version,
        opcode=draw(st.sampled_from([Opcode.HELLO, Opcode.COUP, Opcode.RESIGN])),
        state=draw(st.sampled_from(State)),
        group=draw(st.integers(0, 255 if version == 1 else 4095)),
        priority=draw(st.integers(0, 255)),
        hello=hello / scale,
        hold=hold / scale,
        address=draw(st.none() | st.integers(1, 2**32 - 1).map(IPv4Address)),
        identifier=bytes(6) if version == 1 else draw(st.binary(min_size=6, max_size=6)),
    )


KINDS = {AuthenticationKind.TEXT: 8, AuthenticationKind.KEY_STRING: 64}
"""The longest key of each."""


@st.composite
def authentications(draw: st.DrawFn) -> Authentication | None:
    kind = draw(st.none() | st.sampled_from(list(KINDS)))
    if kind is None:
        return None
    return Authentication(kind=kind, key=draw(st.text("abc~!9", min_size=1, max_size=KINDS[kind])))


@given(message=messages(), authentication=authentications())
def test_what_is_encoded_is_decoded(message: HsrpMessage, authentication: Authentication | None) -> None:
    data = encode(message, authentication, SOURCE)
    assert len(data) <= MAXIMUM_MESSAGE
    decoded = decode(data, message.version)
    assert decoded.message == message
    assert message.believable
    if authentication and authentication.kind is AuthenticationKind.KEY_STRING:
        assert decoded.md5 is not None
        assert decoded.md5.source == SOURCE.packed
        assert proved_by_digest(data, decoded.md5.at, authentication.key.encode())
    else:
        assert (decoded.text, decoded.md5) == (text_of(authentication), None)


@given(message=messages(), at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_changed_bit_is_not_proved(message: HsrpMessage, at: int, bit: int) -> None:
    data = bytearray(encode(message, KEY, SOURCE))
    data[at % len(data)] ^= 1 << bit
    try:
        decoded = decode(bytes(data), message.version)
    except HsrpError:
        return
    assert decoded.md5 is None or not proved_by_digest(bytes(data), decoded.md5.at, KEY.key.encode())


@pytest.mark.parametrize(
    ("hello", "hold", "said"),
    [(3, 10, (3, 10)), (0.2, 0.7, (1, 2)), (0.999, 2.999, (1, 3)), (1, 1.5, (1, 2)), (254, 255, (254, 255))],
)
def test_version_1_says_whole_seconds_and_hold_above_hello(
    hello: float, hold: float, said: tuple[int, int]
) -> None:
    assert whole_seconds(hello, hold) == said
    assert decode(encode(replace(V1, hello=hello, hold=hold), None, SOURCE), 1).message.hold == said[1]


@pytest.mark.parametrize(
    ("hello", "hold", "believable"),
    [
        (0, 10, False),
        (3, 3, False),
        (10, 3, False),
        (3, 256, False),
        (0.014, 1, False),
        (0.015, 0.049, False),
        (0.015, 0.05, True),
        (254, 255, True),
    ],
)
def test_times_are_believed_within_bounds(hello: float, hold: float, believable: bool) -> None:
    assert replace(V2, hello=hello, hold=hold).believable is believable


# Lies


def changed(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


ONE, TWO = encode(V1, None, SOURCE), encode(V2, KEY, SOURCE)


@pytest.mark.parametrize(
    ("data", "version", "refusal"),
    [
        (b"", 1, Refusal.LENGTH),
        (b"\0", 1, Refusal.LENGTH),
        (b"\0\0", 1, Refusal.LENGTH),
        (ONE[:-1], 1, Refusal.LENGTH),
        (ONE + b"\0", 1, Refusal.LENGTH),
        (ONE + b"\x04\x1c" + bytes(27), 1, Refusal.LENGTH),
        (ONE + b"\x04\x1b" + bytes(27), 1, Refusal.LENGTH),
        (ONE + bytes(MAXIMUM_MESSAGE), 1, Refusal.LENGTH),
        (changed(ONE, 0, 1), 1, Refusal.VERSION),
        (TWO, 1, Refusal.VERSION),
        (changed(ONE, 1, 4), 1, Refusal.OPCODE),
        (changed(ONE, 1, 3), 1, Refusal.ADVERTISEMENT),
        (changed(ONE, 2, 3), 1, Refusal.STATE),
        (changed(ONE, 2, 32), 1, Refusal.STATE),
        (ONE, 2, Refusal.LENGTH),
        (b"\x09\x00", 2, Refusal.VERSION),
        (TWO[:-1], 2, Refusal.LENGTH),
        (TWO[:42] + b"\x04", 2, Refusal.LENGTH),
        (changed(TWO[:42], 1, 39), 2, Refusal.LENGTH),
        (changed(TWO, 43, 255), 2, Refusal.LENGTH),
        (b"\x01\x04abcd", 2, Refusal.LENGTH),
        (TWO[:42] + b"\x03\x07cisco\0\0", 2, Refusal.LENGTH),
        (TWO[:42] + TWO[:42], 2, Refusal.VALUE),
        (changed(TWO, 2, 1), 2, Refusal.VERSION),
        (changed(TWO, 3, 9), 2, Refusal.OPCODE),
        (changed(TWO, 3, 3), 2, Refusal.ADVERTISEMENT),
        (changed(TWO, 4, 7), 2, Refusal.STATE),
        (changed(TWO, 5, 6), 2, Refusal.VALUE),
        (changed(TWO, 6, 0x10), 2, Refusal.VALUE),
        (changed(TWO, 14, 1), 2, Refusal.VALUE),
    ],
)
def test_lies_are_refused_by_name(data: bytes, version: int, refusal: Refusal) -> None:
    assert refused(data, version) is refusal


def test_a_disabled_state_of_version_2_is_initial() -> None:
    assert decode(changed(TWO, 4, 0), 2).message.state is State.INITIAL


@pytest.mark.parametrize(("data", "version"), [(ONE, 1), (TWO, 2)])
def test_unknown_tlvs_are_passed_over(data: bytes, version: int) -> None:
    assert decode(data + b"\x63\x02ab", version).message == decode(data, version).message


def test_a_text_that_is_too_long_is_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="9 bytes"):
        encode(V1, Authentication(key="123456789"), SOURCE)


@given(data=st.binary(max_size=300), version=st.sampled_from([1, 2]))
def test_any_bytes_are_a_message_or_the_declared_error(data: bytes, version: int) -> None:
    decoded_or_refused(data, version)


@given(
    data=st.sampled_from([ONE, TWO, encode(V1, KEY, SOURCE), encode(V2, TEXT, SOURCE)]),
    changes=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 80),
    version=st.sampled_from([1, 2]),
)
def test_damaged_messages_likewise(
    data: bytes, changes: list[tuple[int, int]], cut: int, version: int
) -> None:
    for at, value in changes:
        data = changed(data, at % len(data), value)
    decoded_or_refused(data[: len(data) - cut] if cut % 2 else data, version)


def decoded_or_refused(data: bytes, version: int) -> Decoded | None:
    try:
        return decode(data, version)
    except HsrpError:
        return None
