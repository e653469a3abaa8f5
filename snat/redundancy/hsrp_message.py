"""HSRP messages, bytes and meaning (RFC 2281 section 5.1 for version 1; version 2 as deployed). UDP 1985.

Version 1, to 224.0.0.2, 20 bytes, and a TLV of 30 more where MD5 proves it::

     0         1        2       3       4      5          6       7          8      16
     | version | opcode | state | hello | hold | priority | group | reserved | text | virtual address |

Version 2, to 224.0.0.102, is TLVs, each a byte of type, a byte of length, and the value. The group's state is
40 bytes; times are milliseconds, an IPv4 address is followed by zeros::

     0         1        2       3            4       6            12         16      20     24
     | version | opcode | state | IP version | group | identifier | priority | hello | hold | address |

States have other numbers in version 2: 1 to 6 (Wireshark's dissector, and captures of deployed routers).
"""

import struct
from dataclasses import dataclass
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from math import ceil
from typing import Final, NamedTuple

from snat.config.interface import Authentication
from snat.redundancy.hsrp_proof import DIGEST_SIZE, MD5, TEXT_SIZE, keyed_digest, secret, text_of

PORT: Final = 1985
"""UDP, of both ends."""
TTL: Final = 1
DESTINATIONS: Final = {1: IPv4Address("224.0.0.2"), 2: IPv4Address("224.0.0.102")}
"""By version."""
HIGHEST_GROUP: Final = {1: 255, 2: 4095}
"""By version."""
HIGHEST_PRIORITY: Final = 255
SHORTEST_HELLO: Final = 0.015
SHORTEST_HOLD: Final = 0.05
LONGEST_HOLD: Final = 255.0
"""Seconds, as ``standby timers`` has them; times beyond are not believed."""
MAXIMUM_MESSAGE: Final = 256
"""Bytes. All TLVs that there are take 88."""

_V1: Final = struct.Struct("!BBBBBBBB8s4s")
_TLV: Final = struct.Struct("!BB")
_GROUP_STATE: Final = struct.Struct("!BBBBH6sIII4s12x")
_MD5: Final = struct.Struct("!BxH4sI16s")
_IP_VERSION: Final = 4
_UNKNOWN: Final = bytes(4)
"""A virtual address that the sender does not know."""


class Opcode(IntEnum):
    """What a message is for."""

    HELLO = 0
    """I run, and this is my state."""
    COUP = 1
    """I become active."""
    RESIGN = 2
    """I am active no more."""
    ADVERTISE = 3
    """How many groups of the interface are active; for ICMP redirects, and of no use here."""


class State(Enum):
    """States of a router in a group (RFC 2281 section 5.3), with the word that is shown."""

    INITIAL = "Init"
    LEARN = "Learn"
    """The virtual address is not known yet."""
    LISTEN = "Listen"
    SPEAK = "Speak"
    """A candidate for standby or active."""
    STANDBY = "Standby"
    ACTIVE = "Active"


_CODES: Final[dict[int, dict[State, int]]] = {
    1: dict(zip(State, (0, 1, 2, 4, 8, 16), strict=True)),
    2: dict(zip(State, (1, 2, 3, 4, 5, 6), strict=True)),
}
_STATES: Final = {
    1: {code: state for state, code in _CODES[1].items()},
    2: {0: State.INITIAL} | {code: state for state, code in _CODES[2].items()},
}
"""0 of version 2 is a group that was disabled."""


class Tlv(IntEnum):
    """Types of TLVs."""

    GROUP_STATE = 1
    INTERFACE_STATE = 2
    """The advertisement of version 2."""
    TEXT = 3
    MD5 = 4


class Refusal(Enum):
    """Why a message is not used: the names of counters (snat/redundancy/hsrp_events.py)."""

    LENGTH = "bad_length"
    """A length that lies, or more or fewer bytes than a message has."""
    VERSION = "bad_version"
    OPCODE = "bad_opcode"
    STATE = "bad_state"
    VALUE = "bad_value"
    """A group or a priority that does not exist, or not IPv4."""
    ADVERTISEMENT = "advertisements"
    """Nothing wrong, but nothing for us either."""
    GROUP = "unknown_group"
    """A group that this interface has not, or has disabled."""
    AUTHENTICATION = "bad_authentication"
    OWN_ADDRESS = "own_address"
    """It comes from our own address: a loop, or two routers with one address."""
    INTERFACE = "interface_down"
    """The interface is down, or no group is configured on it."""


class HsrpError(Exception):
    """Bytes that are no message for us, and why."""

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(reason)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class HsrpMessage:
    """What one router says of itself in one group."""

    version: int
    opcode: Opcode
    state: State
    group: int
    priority: int
    hello: float
    """Seconds. Whole ones in version 1; as they came, see :meth:`believable`."""
    hold: float
    """Seconds; likewise."""
    address: IPv4Address | None
    """Virtual; None: the sender does not know it."""
    identifier: bytes = bytes(6)
    """MAC address of the sender's interface; zeros in version 1."""

    @property
    def believable(self) -> bool:
        """Whether its times can be used. Some routers say zero for times below a second in version 1."""
        within = self.hello >= SHORTEST_HELLO and SHORTEST_HOLD <= self.hold <= LONGEST_HOLD
        return within and self.hello < self.hold


class Md5Tlv(NamedTuple):
    """What proves a message by MD5."""

    algorithm: int
    source: bytes
    """Address that the sender sends from, four bytes."""
    at: int
    """Where the digest is in the message."""


class Decoded(NamedTuple):
    """A message, and what shall prove it."""

    message: HsrpMessage
    text: bytes | None
    """Eight bytes; None: there is no such TLV in version 2."""
    md5: Md5Tlv | None


# Writing


def whole_seconds(hello: float, hold: float) -> tuple[int, int]:
    """Times as version 1 says them: rounded up, and hold above hello."""
    seconds = ceil(hello)
    return seconds, max(ceil(hold), seconds + 1)


def encode(message: HsrpMessage, authentication: Authentication | None, source: IPv4Address) -> bytes:
    """A message from ``source``, with what proves it."""
    key = secret(authentication)
    if message.version == 1:
        data = _encode_v1(message, bytes(TEXT_SIZE) if key else text_of(authentication))
    else:
        data = _encode_v2(message)
        if not key:
            data += _TLV.pack(Tlv.TEXT, TEXT_SIZE) + text_of(authentication)
    if not key:
        return data
    data += _TLV.pack(Tlv.MD5, _MD5.size) + _MD5.pack(MD5, 0, source.packed, 0, bytes(DIGEST_SIZE))
    return data[:-DIGEST_SIZE] + keyed_digest(key, data)


def _encode_v1(message: HsrpMessage, text: bytes) -> bytes:
    times = whole_seconds(message.hello, message.hold)
    state = _CODES[1][message.state]
    address = message.address.packed if message.address else _UNKNOWN
    return _V1.pack(0, message.opcode, state, *times, message.priority, message.group, 0, text, address)


def _encode_v2(message: HsrpMessage) -> bytes:
    times = (round(message.hello * 1000), round(message.hold * 1000))
    state = _CODES[2][message.state]
    address = message.address.packed if message.address else _UNKNOWN
    return _TLV.pack(Tlv.GROUP_STATE, _GROUP_STATE.size) + _GROUP_STATE.pack(
        2,
        message.opcode,
        state,
        _IP_VERSION,
        message.group,
        message.identifier,
        message.priority,
        *times,
        address,
    )


# Reading


def decode(data: bytes, version: int) -> Decoded:
    """The message of a datagram. Nothing of it is proved yet.

    Raises :class:`HsrpError` for anything that is no such message, advertisements among them.
    """
    if not 2 <= len(data) <= MAXIMUM_MESSAGE:
        raise HsrpError(Refusal.LENGTH, f"{len(data)} bytes")
    return _decode_v1(data) if version == 1 else _decode_v2(data)


def _decode_v1(data: bytes) -> Decoded:
    if data[0] != 0:
        raise HsrpError(Refusal.VERSION, f"version field {data[0]} where version 1 has 0")
    opcode = _opcode(data[1])
    if len(data) < _V1.size:
        raise HsrpError(Refusal.LENGTH, f"{len(data)} bytes where a message has {_V1.size}")
    _, _, code, hello, hold, priority, group, _, text, address = _V1.unpack_from(data)
    message = HsrpMessage(
        version=1,
        opcode=opcode,
        state=_state(1, code),
        group=group,
        priority=priority,
        hello=float(hello),
        hold=float(hold),
        address=_address(address),
    )
    return Decoded(message, text, _md5(data, _tlvs(data, _V1.size)))


def _decode_v2(data: bytes) -> Decoded:
    tlvs = _tlvs(data, 0)
    if Tlv.GROUP_STATE not in tlvs:
        if Tlv.INTERFACE_STATE in tlvs:
            raise HsrpError(Refusal.ADVERTISEMENT, "an interface state")
        raise HsrpError(Refusal.VERSION, "no group state of version 2")
    at, length = tlvs[Tlv.GROUP_STATE]
    if length != _GROUP_STATE.size:
        raise HsrpError(Refusal.LENGTH, f"a group state of {length} bytes where it has {_GROUP_STATE.size}")
    message = _group_state(_GROUP_STATE.unpack_from(data, at))
    text = None
    if Tlv.TEXT in tlvs:
        at, length = tlvs[Tlv.TEXT]
        if length != TEXT_SIZE:
            raise HsrpError(Refusal.LENGTH, f"a text of {length} bytes where it has {TEXT_SIZE}")
        text = data[at : at + TEXT_SIZE]
    return Decoded(message, text, _md5(data, tlvs))


def _group_state(
    fields: tuple[int, int, int, int, int, bytes, int, int, int, bytes],
) -> HsrpMessage:
    version, opcode, code, ip_version, group, identifier, priority, hello, hold, address = fields
    if version != 2:
        raise HsrpError(Refusal.VERSION, f"version field {version} where version 2 has 2")
    if ip_version != _IP_VERSION:
        raise HsrpError(Refusal.VALUE, f"IP version {ip_version}")
    if group > HIGHEST_GROUP[2] or priority > HIGHEST_PRIORITY:
        raise HsrpError(Refusal.VALUE, f"group {group}, priority {priority}")
    return HsrpMessage(
        version=2,
        opcode=_opcode(opcode),
        state=_state(2, code),
        group=group,
        priority=priority,
        hello=hello / 1000,
        hold=hold / 1000,
        address=_address(address),
        identifier=identifier,
    )


def _tlvs(data: bytes, begin: int) -> dict[int, tuple[int, int]]:
    """Where the value of each TLV is, and its length. Unknown ones are passed over."""
    found: dict[int, tuple[int, int]] = {}
    at = begin
    while at < len(data):
        if at + _TLV.size > len(data):
            raise HsrpError(Refusal.LENGTH, "half a TLV")
        kind, length = _TLV.unpack_from(data, at)
        at += _TLV.size
        if at + length > len(data):
            raise HsrpError(Refusal.LENGTH, f"a TLV of {length} bytes where {len(data) - at} are left")
        if kind in found:
            raise HsrpError(Refusal.VALUE, f"two TLVs of type {kind}")
        found[kind] = (at, length)
        at += length
    return found


def _md5(data: bytes, tlvs: dict[int, tuple[int, int]]) -> Md5Tlv | None:
    if Tlv.MD5 not in tlvs:
        return None
    at, length = tlvs[Tlv.MD5]
    if length != _MD5.size:
        raise HsrpError(Refusal.LENGTH, f"a proof of {length} bytes where it has {_MD5.size}")
    algorithm, _flags, source, _key_id, _digest = _MD5.unpack_from(data, at)
    return Md5Tlv(algorithm, source, at + length - DIGEST_SIZE)


def _opcode(code: int) -> Opcode:
    if code > Opcode.ADVERTISE:
        raise HsrpError(Refusal.OPCODE, f"opcode {code}")
    if code == Opcode.ADVERTISE:
        raise HsrpError(Refusal.ADVERTISEMENT, "an advertisement")
    return Opcode(code)


def _state(version: int, code: int) -> State:
    if code not in _STATES[version]:
        raise HsrpError(Refusal.STATE, f"state {code} of version {version}")
    return _STATES[version][code]


def _address(packed: bytes) -> IPv4Address | None:
    return IPv4Address(packed) if packed != _UNKNOWN else None
